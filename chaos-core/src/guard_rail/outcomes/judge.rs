//! Whether the outcomes in the window break a bound.

use std::time::Duration;

use super::{CLEAN, INJECTED, Meters, Outcomes};
use crate::{
    call::meter::CallStats,
    guard_rail::{
        GuardRail,
        breach::{Breach, Measure},
        under_way::{CallUnderWay, CallsUnderWay},
    },
};

/// Quantiles are computed, and calls that are held counted, no more often than this.
pub(in crate::guard_rail) const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// What is judged besides the window.
#[derive(Clone, Copy)]
pub(in crate::guard_rail) struct Case<'a> {
    pub(in crate::guard_rail) rail: &'a GuardRail,
    pub(in crate::guard_rail) meters: &'a Meters,
    pub(in crate::guard_rail) under_way: &'a dyn CallsUnderWay,
    pub(in crate::guard_rail) now: Duration,
}

impl Case<'_> {
    /// Passes on each call that began more than `time` ago: how long it has taken so far, and what it is.
    fn each_late(&self, time: Duration, each: &mut dyn FnMut(Duration, CallUnderWay)) {
        let before = self.now.saturating_sub(time);
        let each = &mut |call: CallUnderWay| each(self.now.saturating_sub(call.begun), call);
        self.under_way.each_begun_before(before, each);
    }
}

impl Outcomes {
    /// Returns the breach, if a bound is broken now.
    pub(in crate::guard_rail) fn judge(&mut self, case: &Case<'_>) -> Option<Breach> {
        let Case { rail, now, .. } = *case;
        self.advance(rail, case.meters, now);
        let errors = self.judge_errors(case);
        // Adding up all stripes takes some microseconds, so bursts are judged together.
        if errors.is_some() || is_recent(self.latencies_judged, now) {
            return errors;
        }
        self.latencies_judged = Some(now);
        let head = rail.latency.and_then(|(quantile, allowed)| {
            self.heads.read(&case.meters.heads, &mut self.latencies);
            let is_held = |call: &CallUnderWay| call.awaits_head;
            self.judge_latency(case, Measure::Latency(quantile), allowed, is_held)
        });
        head.or_else(|| {
            let (quantile, allowed) = rail.latency_to_end?;
            let (window, meter) = self.ends.as_ref().zip(case.meters.ends.as_ref())?;
            window.read(meter, &mut self.latencies);
            self.judge_latency(case, Measure::LatencyToEnd(quantile), allowed, |_| true)
        })
    }

    fn judge_errors(&mut self, case: &Case<'_>) -> Option<Breach> {
        let rail = case.rail;
        let allowed = rail.error_ratio?.get();
        let held = self.held(case)?;
        self.heads.read(&case.meters.heads, &mut self.failures);
        let [injected, clean] = &self.failures;
        let calls = injected.calls + clean.calls + held;
        let failed = injected.failed + clean.failed + held;
        let missing = missing(rail, calls, clean.calls);
        self.missing = if failed > 0 { missing } else { 0 };
        if missing > 0 {
            return None;
        }
        let has_baseline = is_enough(rail, clean.calls);
        let measured = Measurement {
            measure: Measure::ErrorRatio,
            measured: failed as f64 / calls as f64,
            baseline: has_baseline.then(|| clean.failed as f64 / clean.calls as f64),
            max_baseline: rail.max_baseline_error_ratio.get(),
            calls,
            injected: calls - clean.calls,
        };
        measured.breach(rail, allowed)
    }

    /// Returns how many injected calls have had no head for so long that they count as failed. Thousands of
    /// calls may be held, and each of them judges: so they are counted once in a while, and between that, there
    /// is no answer unless there were none.
    fn held(&mut self, case: &Case<'_>) -> Option<u64> {
        if let Some((then, held)) = self.held
            && is_recent(Some(then), case.now)
        {
            return (held == 0).then_some(0);
        }
        let mut held = 0;
        case.each_late(case.rail.answered_within(), &mut |_, call| {
            held += u64::from(call.awaits_head && call.injected);
        });
        self.held = Some((case.now, held));
        Some(held)
    }

    /// Judges the latencies of heads or of ends, which were read. Unfinished calls beyond the bound that
    /// `is_held` selects count with the time that they have taken so far.
    fn judge_latency(
        &mut self,
        case: &Case<'_>,
        measure: Measure,
        allowed: Duration,
        is_held: fn(&CallUnderWay) -> bool,
    ) -> Option<Breach> {
        let rail = case.rail;
        let (Measure::Latency(quantile) | Measure::LatencyToEnd(quantile)) = measure else {
            return None;
        };
        let counts = &mut self.latencies;
        case.each_late(allowed, &mut |taken, call| {
            if is_held(&call) {
                let group = if call.injected { INJECTED } else { CLEAN };
                counts[group].add(taken, taken > allowed);
            }
        });
        let [injected, clean] = &*counts;
        self.all.clear();
        self.all.absorb(injected);
        self.all.absorb(clean);
        let calls = self.all.calls;
        if missing(rail, calls, clean.calls) > 0 {
            return None;
        }
        let quantile_of = |stats: &CallStats| stats.quantile(quantile, allowed);
        let measured = Measurement {
            measure,
            measured: quantile_of(&self.all),
            baseline: is_enough(rail, clean.calls).then(|| quantile_of(clean)),
            max_baseline: rail.max_baseline_latency.as_secs_f64(),
            calls,
            injected: calls - clean.calls,
        };
        measured.breach(rail, allowed.as_secs_f64())
    }
}

fn is_recent(then: Option<Duration>, now: Duration) -> bool {
    then.is_some_and(|then| now < then + CHECK_INTERVAL)
}

fn is_enough(rail: &GuardRail, calls: u64) -> bool {
    calls > 0 && calls >= u64::from(rail.at_least)
}

/// Returns how many more calls there must be, at least, before the bounds apply. `clean` of the calls were not
/// injected.
fn missing(rail: &GuardRail, calls: u64, clean: u64) -> u64 {
    let least = u64::from(rail.at_least).max(1);
    let missing = least.saturating_sub(calls);
    if missing > 0 || !rail.over_baseline {
        return missing;
    }
    least.saturating_sub(clean.max(calls - clean))
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
