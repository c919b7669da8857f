//! Whether the outcomes in the window break a bound.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Outcomes, Slot};
use crate::guard_rail::{
    GuardRail,
    breach::{Breach, Measure},
    call_stats::Stats,
    injected_by::InjectedBy,
};

/// Quantiles are computed, and calls that are held counted, no more often than this.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

impl Outcomes {
    /// Returns the breach, if a bound is broken now.
    pub(crate) fn judge(&mut self, rail: &GuardRail, now: Duration) -> Option<Breach> {
        self.forget(rail, now);
        let errors = self.judge_errors(rail, now);
        // Adding up all slots takes some ten microseconds, so bursts are judged together.
        let is_burst = self.judged > Duration::ZERO && now < self.judged + CHECK_INTERVAL;
        if errors.is_some() || is_burst {
            return errors;
        }
        self.judged = now;
        let head = rail.latency.and_then(|(quantile, allowed)| {
            let held = self.held(allowed, now);
            self.judge_latency(
                rail,
                Measure::Latency(quantile),
                allowed,
                |slot| &slot.heads,
                held,
            )
        });
        head.or_else(|| {
            let (quantile, allowed) = rail.latency_to_end?;
            let measure = Measure::LatencyToEnd(quantile);
            let held = self
                .held(allowed, now)
                .chain(self.held_bodies(allowed, now));
            self.judge_latency(rail, measure, allowed, |slot| &slot.ends, held)
        })
    }

    /// Returns the calls that began more than `time` ago and have no head yet: how long each has taken so
    /// far, and whether it was injected.
    fn held(&self, time: Duration, now: Duration) -> impl Iterator<Item = (Duration, bool)> {
        self.late(&self.under_way, time, now)
            .map(move |((since, _), injected)| (now.saturating_sub(since), injected))
    }

    /// Returns the calls that began more than `time` ago, and have a head, but whose body has not ended: how
    /// long each has taken so far, and whether it was injected.
    fn held_bodies(&self, time: Duration, now: Duration) -> impl Iterator<Item = (Duration, bool)> {
        self.late(&self.bodies, time, now)
            // Its head comes now, so it is among the others.
            .filter(|(key, _)| !self.under_way.contains_key(key))
            .map(move |((since, _), injected)| (now.saturating_sub(since), injected))
    }

    /// Returns the ones of `calls` that count and began more than `time` ago, and whether they were injected.
    fn late<'a>(
        &'a self,
        calls: &'a BTreeMap<(Duration, u64), Arc<InjectedBy>>,
        time: Duration,
        now: Duration,
    ) -> impl Iterator<Item = ((Duration, u64), bool)> + 'a {
        let begun = now.saturating_sub(time);
        let late = calls.range(..(begun, 0));
        let late = late.filter(|(_, injected)| self.counts(injected));
        late.map(|(key, injected)| (*key, injected.anyone()))
    }

    fn judge_errors(&mut self, rail: &GuardRail, now: Duration) -> Option<Breach> {
        let allowed = rail.error_ratio?.get();
        // Thousands of calls may be held, and each of them judges. Those that end are judged at once otherwise.
        if self.held(rail.answered_within(), now).next().is_some() {
            if self.errors_judged > Duration::ZERO && now < self.errors_judged + CHECK_INTERVAL {
                return None;
            }
            self.errors_judged = now;
        }
        let sum = |of: fn(&Slot) -> u64| self.slots.iter().map(of).sum::<u64>();
        let (calls, failed) = (
            sum(|slot| slot.heads.all.calls),
            sum(|slot| slot.heads.all.failed),
        );
        let (clean, clean_failed) = (
            sum(|slot| slot.heads.clean.calls),
            sum(|slot| slot.heads.clean.failed),
        );
        let held = self.held(rail.answered_within(), now);
        let held = held.filter(|(_, injected)| *injected).count() as u64;
        let (calls, failed) = (calls + held, failed + held);
        let has_baseline = is_enough(rail, clean);
        if !is_enough(rail, calls)
            || rail.over_baseline && !has_baseline && !is_enough(rail, calls - clean)
        {
            return None;
        }
        let measured = failed as f64 / calls as f64;
        let measured = Measurement {
            measure: Measure::ErrorRatio,
            measured,
            baseline: has_baseline.then(|| clean_failed as f64 / clean as f64),
            max_baseline: rail.max_baseline_error_ratio.get(),
            calls,
            injected: calls - clean,
        };
        measured.breach(rail, allowed)
    }

    /// Judges the latencies of heads or of ends. Unfinished calls beyond the bound, which are `held`, count
    /// with the time that they have taken so far.
    fn judge_latency(
        &self,
        rail: &GuardRail,
        measure: Measure,
        allowed: Duration,
        stats: fn(&Slot) -> &Stats,
        held: impl Iterator<Item = (Duration, bool)>,
    ) -> Option<Breach> {
        let (Measure::Latency(quantile) | Measure::LatencyToEnd(quantile)) = measure else {
            return None;
        };
        let mut sum = Stats::default();
        for slot in &self.slots {
            sum.all.absorb(&stats(slot).all);
            sum.clean.absorb(&stats(slot).clean);
        }
        for (latency, injected) in held {
            sum.add(latency, false, injected);
        }
        let Stats { all, clean } = sum;
        let has_baseline = is_enough(rail, clean.calls);
        let others = all.calls - clean.calls;
        if !is_enough(rail, all.calls)
            || rail.over_baseline && !has_baseline && !is_enough(rail, others)
        {
            return None;
        }
        let measured = Measurement {
            measure,
            measured: all.quantile(quantile),
            baseline: has_baseline.then(|| clean.quantile(quantile)),
            max_baseline: rail.max_baseline_latency.as_secs_f64(),
            calls: all.calls,
            injected: others,
        };
        measured.breach(rail, allowed.as_secs_f64())
    }
}

fn is_enough(rail: &GuardRail, calls: u64) -> bool {
    calls > 0 && calls >= u64::from(rail.at_least)
}

/// A value to compare with its bound.
struct Measurement {
    measure: Measure,
    measured: f64,
    baseline: Option<f64>,
    max_baseline: f64,
    calls: u64,
    injected: u64,
}

impl Measurement {
    fn breach(self, rail: &GuardRail, allowed: f64) -> Option<Breach> {
        let base = self.baseline.filter(|_| rail.over_baseline);
        let base = base.unwrap_or_default();
        let counted = base.min(self.max_baseline);
        (self.measured > counted + allowed).then(|| Breach {
            rule: None,
            site: rail
                .site
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            measure: self.measure,
            measured: self.measured,
            baseline: self.baseline,
            max_baseline: (counted < base).then_some(counted),
            allowed,
            over_baseline: rail.over_baseline,
            calls: self.calls,
            injected: self.injected,
            window: rail.window,
        })
    }
}
