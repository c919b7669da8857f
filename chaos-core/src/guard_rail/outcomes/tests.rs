//! Simulated calls against bounds of each kind.

use super::*;
use crate::guard_rail::Measure;
use crate::trigger::rate::Rate;

const MS: Duration = Duration::from_millis(1);

fn rail() -> GuardRail {
    GuardRail::new().at_least(10)
}

struct Simulation {
    rail: GuardRail,
    outcomes: Outcomes,
    now: Duration,
}

impl Simulation {
    fn under(rail: GuardRail) -> Self {
        Self {
            rail,
            outcomes: Outcomes::new(true),
            now: Duration::from_secs(100),
        }
    }

    fn call(&mut self, latency: Duration, failed: bool, injected: bool) -> Option<Breach> {
        let by = InjectedBy::new(false);
        if injected {
            by.note_injection();
        }
        let injected = Arc::new(by);
        let start = self.outcomes.begin(self.now, &injected);
        self.now += latency;
        let (rail, now) = (&self.rail, self.now);
        let end = CallEnd::Answered { failed };
        self.outcomes.end(start, rail, now, end);
        self.outcomes.judge(rail, now)
    }
}

#[test]
fn errors_break_their_bound_at_the_call_that_passes_it() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.2).unwrap()));
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
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.0).unwrap()));
    for _ in 0..9 {
        assert_eq!(calls.call(MS, true, true), None);
    }
    assert!(calls.call(MS, true, true).is_some());
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.5).unwrap()));
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
    let mut calls = Simulation::under(ratio.over_baseline());
    // A service that fails half of its calls by itself.
    for n in 0..40 {
        assert_eq!(calls.call(MS, n % 2 == 0, false), None);
    }
    let breach = (0..200).find_map(|_| calls.call(MS, true, true)).unwrap();
    assert_eq!(breach.baseline, Some(0.5));
    assert!(breach.measured > 0.8, "{breach}");
}

/// A visitor's own bad requests made the baseline so bad that nothing tripped.
#[test]
fn a_baseline_counts_for_no_more_than_its_bound() {
    let ratio = || rail().error_ratio(Rate::new(0.1).unwrap()).over_baseline();
    let trips = |rail: GuardRail| {
        let mut calls = Simulation::under(rail);
        // All of one caller's requests fail by themselves, and all of the others are injected.
        let one = |_| {
            calls
                .call(MS, true, false)
                .or_else(|| calls.call(MS, true, true))
        };
        (0..500).find_map(one)
    };
    let breach = trips(ratio()).unwrap();
    let baselines = (breach.baseline, breach.max_baseline);
    assert_eq!(baselines, (Some(1.0), Some(0.5)), "{breach}");
    let text = breach.to_string();
    let expected = "un-injected calls: 1.000, which count for 0.500; allowed: 0.100 above them";
    assert!(text.contains(expected), "{text}");
    let whole = Rate::new(1.0).unwrap();
    assert_eq!(trips(ratio().max_baseline_error_ratio(whole)), None);

    let latency = || rail().latency(0.5, 100 * MS).unwrap().over_baseline();
    let trips = |rail: GuardRail| {
        let mut calls = Simulation::under(rail.window(600_000 * MS).unwrap());
        let one = |_| {
            let slow = calls.call(20_000 * MS, false, false);
            slow.or_else(|| calls.call(19_000 * MS, false, true))
        };
        (0..25).find_map(one)
    };
    let breach = trips(latency()).unwrap();
    assert_eq!(breach.max_baseline, Some(10.0), "{breach}");
    assert_eq!(trips(latency().max_baseline_latency(60_000 * MS)), None);
}

#[test]
fn a_quantile_is_what_it_says() {
    let mut calls = Simulation::under(rail().latency(0.9, 100 * MS).unwrap());
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
    let mut calls = Simulation::under(rail().latency(0.5, 100 * MS).unwrap());
    let injected = Arc::new(InjectedBy::new(false));
    injected.note_injection();
    for _ in 0..20 {
        calls.outcomes.begin(calls.now, &injected);
    }
    calls.now += 99 * MS;
    assert_eq!(calls.outcomes.judge(&calls.rail, calls.now), None);
    calls.now += 20 * MS;
    let breach = calls.outcomes.judge(&calls.rail, calls.now).unwrap();
    assert_eq!((breach.calls, breach.injected), (20, 20));
    assert!((breach.measured - 0.119).abs() < 0.002, "{breach}");
}

impl Simulation {
    /// A call whose head takes 1 ms, and whose body takes `body`.
    fn call_with_body(&mut self, body: Duration, injected: bool) -> Option<Breach> {
        let by = InjectedBy::new(false);
        if injected {
            by.note_injection();
        }
        let start = self.outcomes.begin(self.now, &Arc::new(by));
        self.now += MS;
        let end = CallEnd::Answered { failed: false };
        self.outcomes.begin_body(start, &self.rail);
        self.outcomes.end(start, &self.rail, self.now, end);
        self.now += body;
        let while_held = self.outcomes.judge(&self.rail, self.now);
        self.outcomes.end_body(start, &self.rail, self.now, end);
        let at_end = self.outcomes.judge(&self.rail, self.now + 10 * MS);
        while_held.or(at_end)
    }
}

#[test]
fn a_body_counts_for_the_latency_to_the_end_alone() {
    let mut calls = Simulation::under(rail().latency(0.5, 10 * MS).unwrap());
    let is_slow =
        |calls: &mut Simulation| (0..10).find_map(|_| calls.call_with_body(50 * MS, true));
    assert_eq!(is_slow(&mut calls), None);
    assert!(calls.outcomes.bodies.is_empty(), "nobody asks for its end");
    let mut calls = Simulation::under(rail().latency_to_end(0.5, 100 * MS).unwrap());
    assert_eq!(is_slow(&mut calls), None);
    let mut calls = Simulation::under(rail().latency_to_end(0.5, 10 * MS).unwrap());
    let breach = is_slow(&mut calls).unwrap();
    assert_eq!(breach.measure, Measure::LatencyToEnd(0.5));
    assert_eq!((breach.calls, breach.injected), (10, 10));
    assert!((breach.measured - 0.051).abs() < 0.001, "{breach}");
}

/// A call without a body has no other end than its head.
#[test]
fn a_call_without_a_body_ends_with_its_head() {
    let mut calls = Simulation::under(rail().latency_to_end(0.5, 10 * MS).unwrap());
    assert!(
        (0..10)
            .find_map(|_| calls.call(50 * MS, false, true))
            .is_some()
    );
}

#[test]
fn a_baseline_of_late_ends_counts_for_no_more_than_its_bound() {
    let trips = |rail: GuardRail| {
        let mut calls = Simulation::under(rail.over_baseline());
        for _ in 0..10 {
            assert_eq!(calls.call_with_body(100 * MS, false), None);
        }
        (0..30).find_map(|_| calls.call_with_body(140 * MS, true))
    };
    let to_end = || rail().latency_to_end(0.9, 60 * MS).unwrap();
    assert_eq!(trips(to_end()), None);
    let breach = trips(to_end().max_baseline_latency(50 * MS)).unwrap();
    assert_eq!(breach.max_baseline, Some(0.05), "{breach}");
}

#[test]
fn a_body_of_before_a_reset_is_forgotten() {
    let mut calls = Simulation::under(rail().latency_to_end(0.5, 10 * MS).unwrap());
    let by = Arc::new(InjectedBy::new(false));
    let (before, amid) = (
        calls.outcomes.begin(calls.now, &by),
        calls.outcomes.begin(calls.now, &by),
    );
    calls.outcomes.begin_body(before, &calls.rail);
    calls.outcomes.reset();
    calls.outcomes.begin_body(amid, &calls.rail);
    assert!(calls.outcomes.bodies.is_empty());
    let end = CallEnd::Answered { failed: false };
    for call in [before, amid] {
        calls.outcomes.end_body(call, &calls.rail, calls.now, end);
    }
    assert!(calls.outcomes.slots.is_empty());
}

/// Each of thousands of calls that are held judges, and each judgement counted all of them.
#[test]
fn calls_that_are_held_are_counted_once_in_a_while() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.1).unwrap()));
    let injected = Arc::new(InjectedBy::new(false));
    injected.note_injection();
    for _ in 0..20 {
        calls.outcomes.begin(calls.now, &injected);
    }
    calls.now += calls.rail.answered_within() + MS;
    let mut judge = |later: Duration| {
        calls.now += later;
        let breach = calls.outcomes.judge(&calls.rail, calls.now);
        breach.map(|breach| breach.calls)
    };
    assert_eq!(judge(Duration::ZERO), Some(20));
    assert_eq!(judge(Duration::ZERO), None);
    assert_eq!(judge(9 * MS), None);
    assert_eq!(judge(MS), Some(20));
}
