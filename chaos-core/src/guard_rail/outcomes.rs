//! What calls showed in a sliding window, and whether that breaks a bound. Reads no clock.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::guard_rail::{
    GuardRail,
    breach::{Breach, Measure},
};

/// Calls that ended in a tenth of the window.
#[derive(Debug)]
struct Slot {
    number: u64,
    all: Group,
    clean: Group,
}

/// Some of the calls.
#[derive(Debug)]
struct Group {
    calls: u64,
    failed: u64,
    /// In microseconds.
    latencies: Histogram<u32>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            calls: 0,
            failed: 0,
            latencies: Histogram::new(2).expect("2 digits are within its bounds"),
        }
    }
}

impl Group {
    fn add(&mut self, latency: Duration, failed: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        let recorded = self.latencies.record(micros(latency));
        debug_assert!(recorded.is_ok(), "it grows as far as a day");
    }

    fn absorb(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.latencies += &other.latencies;
    }

    fn quantile(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// At most a day's: enough to break any bound.
fn micros(time: Duration) -> u64 {
    const DAY: u64 = 24 * 60 * 60 * 1_000_000;
    u64::try_from(time.as_micros()).map_or(DAY, |micros| micros.min(DAY))
}

/// The calls of one guard rail.
#[derive(Debug)]
pub(crate) struct Outcomes {
    slots: VecDeque<Slot>,
    /// Under way: since when, and a number of its own.
    under_way: BTreeSet<(Duration, u64)>,
    next: u64,
    judged: Duration,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(Duration, u64);

const SLOTS: u32 = 10;
/// Quantiles are looked at no more often.
const PAUSE: Duration = Duration::from_millis(10);

impl Outcomes {
    pub(crate) fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            under_way: BTreeSet::new(),
            next: 0,
            judged: Duration::ZERO,
        }
    }

    pub(crate) fn begin(&mut self, now: Duration) -> Begun {
        self.next += 1;
        self.under_way.insert((now, self.next));
        Begun(now, self.next)
    }

    pub(crate) fn end(
        &mut self,
        Begun(since, number): Begun,
        rail: &GuardRail,
        now: Duration,
        failed: bool,
        injected: bool,
    ) {
        self.under_way.remove(&(since, number));
        self.forget(rail, now);
        let number = slot_number(rail, now);
        if self.slots.back().is_none_or(|last| last.number < number) {
            self.slots.push_back(Slot {
                number,
                all: Group::default(),
                clean: Group::default(),
            });
        }
        let latency = now.saturating_sub(since);
        if let Some(slot) = self.slots.back_mut() {
            slot.all.add(latency, failed);
            if !injected {
                slot.clean.add(latency, failed);
            }
        }
    }

    /// Whether a bound is broken now, and how.
    pub(crate) fn judge(&mut self, rail: &GuardRail, now: Duration) -> Option<Breach> {
        self.forget(rail, now);
        self.judge_errors(rail)
            .or_else(|| self.judge_latency(rail, now))
    }

    fn judge_errors(&self, rail: &GuardRail) -> Option<Breach> {
        let allowed = rail.error_ratio?.get();
        let sum = |of: fn(&Slot) -> u64| self.slots.iter().map(of).sum::<u64>();
        let (calls, failed) = (sum(|slot| slot.all.calls), sum(|slot| slot.all.failed));
        let (clean, clean_failed) = (sum(|slot| slot.clean.calls), sum(|slot| slot.clean.failed));
        let has_baseline = is_enough(rail, clean);
        if !is_enough(rail, calls)
            || rail.over_baseline && !has_baseline && !is_enough(rail, calls - clean)
        {
            return None;
        }
        let measured = failed as f64 / calls as f64;
        let seen = Seen {
            measure: Measure::ErrorRatio,
            measured,
            baseline: has_baseline.then(|| clean_failed as f64 / clean as f64),
            calls,
            injected: calls - clean,
        };
        seen.beyond(rail, allowed)
    }

    fn judge_latency(&mut self, rail: &GuardRail, now: Duration) -> Option<Breach> {
        let (quantile, allowed) = rail.latency?;
        // A look at all of it is some ten microseconds; bursts are judged together.
        if self.judged > Duration::ZERO && now < self.judged + PAUSE {
            return None;
        }
        self.judged = now;
        let (mut all, mut clean) = (Group::default(), Group::default());
        for slot in &self.slots {
            all.absorb(&slot.all);
            clean.absorb(&slot.clean);
        }
        let injected = all.calls - clean.calls;
        // Those that are late already take as long as they have taken, at least.
        let late = now.saturating_sub(allowed);
        for (since, _) in self.under_way.range(..(late, 0)) {
            all.add(now.saturating_sub(*since), false);
        }
        let has_baseline = is_enough(rail, clean.calls);
        let others = all.calls - clean.calls;
        if !is_enough(rail, all.calls)
            || rail.over_baseline && !has_baseline && !is_enough(rail, others)
        {
            return None;
        }
        let seen = Seen {
            measure: Measure::Latency(quantile),
            measured: all.quantile(quantile),
            baseline: has_baseline.then(|| clean.quantile(quantile)),
            calls: all.calls,
            injected,
        };
        seen.beyond(rail, allowed.as_secs_f64())
    }

    /// Forgets what is older than the window.
    fn forget(&mut self, rail: &GuardRail, now: Duration) {
        let newest = slot_number(rail, now);
        while (self.slots.front()).is_some_and(|slot| slot.number + u64::from(SLOTS) <= newest) {
            self.slots.pop_front();
        }
    }
}

fn is_enough(rail: &GuardRail, calls: u64) -> bool {
    calls > 0 && calls >= u64::from(rail.at_least)
}

/// What there is to be judged.
struct Seen {
    measure: Measure,
    measured: f64,
    baseline: Option<f64>,
    calls: u64,
    injected: u64,
}

impl Seen {
    fn beyond(self, rail: &GuardRail, allowed: f64) -> Option<Breach> {
        let base = self.baseline.filter(|_| rail.over_baseline);
        (self.measured > base.unwrap_or_default() + allowed).then(|| Breach {
            rule: None,
            site: rail
                .site
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            measure: self.measure,
            measured: self.measured,
            baseline: self.baseline,
            allowed,
            over_baseline: rail.over_baseline,
            calls: self.calls,
            injected: self.injected,
            window: rail.window,
        })
    }
}

fn slot_number(rail: &GuardRail, now: Duration) -> u64 {
    let slot = rail.window / SLOTS;
    u64::try_from(now.as_nanos() / slot.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::rate::Rate;

    const MS: Duration = Duration::from_millis(1);

    fn rail() -> GuardRail {
        GuardRail::new().at_least(10)
    }

    struct Calls {
        rail: GuardRail,
        outcomes: Outcomes,
        now: Duration,
    }

    impl Calls {
        fn under(rail: GuardRail) -> Self {
            Self {
                rail,
                outcomes: Outcomes::new(),
                now: Duration::from_secs(100),
            }
        }

        fn call(&mut self, latency: Duration, failed: bool, injected: bool) -> Option<Breach> {
            let begun = self.outcomes.begin(self.now);
            self.now += latency;
            let (rail, now) = (&self.rail, self.now);
            self.outcomes.end(begun, rail, now, failed, injected);
            self.outcomes.judge(rail, now)
        }
    }

    #[test]
    fn errors_break_their_bound_at_the_call_that_passes_it() {
        let mut calls = Calls::under(rail().error_ratio(Rate::new(0.2).unwrap()));
        for _ in 0..8 {
            assert_eq!(calls.call(MS, false, false), None);
        }
        assert_eq!(calls.call(MS, true, true), None);
        // Two of ten are no more than a fifth.
        assert_eq!(calls.call(MS, true, true), None);
        let breach = calls.call(MS, true, true).unwrap();
        assert_eq!((breach.calls, breach.injected), (11, 3));
        assert!((breach.measured - 3.0 / 11.0).abs() < 1e-9);
        // Eight are too few to be a baseline.
        assert_eq!(breach.baseline, None);
    }

    #[test]
    fn too_few_calls_are_not_judged() {
        let mut calls = Calls::under(rail().error_ratio(Rate::new(0.0).unwrap()));
        for _ in 0..9 {
            assert_eq!(calls.call(MS, true, true), None);
        }
        assert!(calls.call(MS, true, true).is_some());
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut calls = Calls::under(rail().error_ratio(Rate::new(0.5).unwrap()));
        for _ in 0..9 {
            assert_eq!(calls.call(MS, true, true), None);
        }
        calls.now += Duration::from_secs(10);
        for _ in 0..30 {
            assert_eq!(calls.call(MS, false, false), None);
        }
        for _ in 0..30 {
            assert_eq!(calls.call(MS, true, true), None, "half of them");
        }
        assert!(calls.call(MS, true, true).is_some());
    }

    #[test]
    fn over_a_baseline_only_what_is_on_top_counts() {
        let ratio = rail().error_ratio(Rate::new(0.3).unwrap());
        let mut calls = Calls::under(ratio.over_baseline());
        // A service that fails half of its calls by itself.
        for n in 0..40 {
            assert_eq!(calls.call(MS, n % 2 == 0, false), None);
        }
        let breach = (0..200).find_map(|_| calls.call(MS, true, true)).unwrap();
        assert_eq!(breach.baseline, Some(0.5));
        assert!(breach.measured > 0.8, "{breach}");
    }

    #[test]
    fn a_quantile_is_what_it_says() {
        let mut calls = Calls::under(rail().latency(0.9, 100 * MS).unwrap());
        for n in 0..100 {
            let latency = if n % 20 == 0 { 500 * MS } else { 20 * MS };
            assert_eq!(calls.call(latency, false, true), None, "{n}");
        }
        let breach = (0..50)
            .find_map(|_| calls.call(500 * MS, false, true))
            .unwrap();
        assert!((breach.measured - 0.5).abs() < 0.01, "{breach}");
        assert!(
            breach.to_string().starts_with("latency p90 at  is 50"),
            "{breach}"
        );
    }

    #[test]
    fn a_call_that_is_late_already_counts() {
        let mut calls = Calls::under(rail().latency(0.5, 100 * MS).unwrap());
        let begun: Vec<_> = (0..20).map(|_| calls.outcomes.begin(calls.now)).collect();
        calls.now += 99 * MS;
        assert_eq!(calls.outcomes.judge(&calls.rail, calls.now), None);
        calls.now += 20 * MS;
        let breach = calls.outcomes.judge(&calls.rail, calls.now).unwrap();
        assert_eq!(breach.calls, 20);
        assert!((breach.measured - 0.119).abs() < 0.002, "{breach}");
        drop(begun);
    }
}
