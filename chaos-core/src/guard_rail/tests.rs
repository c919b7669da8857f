//! Simulated calls against bounds of each kind.

use std::time::Duration;

use super::{
    Breach, GuardRail, Measure,
    injected_by::InjectedSoFar,
    monitor::{CallStart, Monitor},
    outcomes::CallEnd,
    under_way::{CallUnderWay, CallsUnderWay},
};
use crate::trigger::rate::Rate;

const MS: Duration = Duration::from_millis(1);
const ANSWERED: CallEnd = CallEnd::Answered { failed: false };

fn rail() -> GuardRail {
    GuardRail::new().at_least(10)
}

struct Simulation {
    monitor: Monitor,
    now: Duration,
    held: Vec<CallUnderWay>,
}

/// The calls of a simulation that are under way.
struct Held<'a>(&'a [CallUnderWay]);

impl CallsUnderWay for Held<'_> {
    fn each_begun_before(&self, time: Duration, each: &mut dyn FnMut(CallUnderWay)) {
        let early = self.0.iter().filter(|call| call.begun < time);
        early.for_each(|call| each(*call));
    }
}

fn by_a_rule(injected: bool) -> InjectedSoFar {
    if injected {
        InjectedSoFar::BY_A_RULE
    } else {
        InjectedSoFar::NOTHING
    }
}

impl Simulation {
    fn under(rail: GuardRail) -> Self {
        Self {
            monitor: Monitor::of_policy(&rail),
            now: Duration::from_secs(100),
            held: Vec::new(),
        }
    }

    fn judge(&self) -> Option<Breach> {
        self.monitor.judge(self.now, &Held(&self.held))
    }

    /// Judges as a call does, only if it is to.
    fn judge_if(&self, is_due: bool) -> Option<Breach> {
        is_due.then(|| self.judge()).flatten()
    }

    fn call(&mut self, latency: Duration, failed: bool, injected: bool) -> Option<Breach> {
        let start = CallStart::at(self.now);
        self.now += latency;
        self.end(start, failed, injected)
    }

    fn end(&self, start: CallStart, failed: bool, injected: bool) -> Option<Breach> {
        let end = CallEnd::Answered { failed };
        let injected = by_a_rule(injected);
        self.judge_if((self.monitor).end(start, injected, self.now, end, false))
    }

    /// A call whose head takes 1 ms, and whose body takes `body`.
    fn call_with_body(&mut self, body: Duration, injected: bool) -> Option<Breach> {
        let start = CallStart::at(self.now);
        self.now += MS;
        let by = by_a_rule(injected);
        let mut is_due = self.monitor.end(start, by, self.now, ANSWERED, true);
        self.now += body;
        is_due |= self.monitor.end_body(start, by, self.now, ANSWERED);
        self.now += 10 * MS;
        self.judge_if(is_due)
    }

    /// Begins calls that are held, and injected.
    fn hold(&mut self, calls: usize) {
        let held = CallUnderWay {
            begun: self.now,
            awaits_head: true,
            injected: true,
        };
        self.held.extend(std::iter::repeat_n(held, calls));
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

/// The slots of a second of a clock that has run for fourteen years have numbers of more than 32 bits.
#[test]
fn the_window_moves_for_decades() {
    let ratio = rail().at_least(1).error_ratio(Rate::new(0.0).unwrap());
    let mut calls = Simulation::under(ratio.window(1000 * MS).unwrap());
    for years in [1, 20, 584] {
        calls.now = Duration::from_secs(years * 365 * 24 * 60 * 60);
        assert_eq!(calls.call(MS, false, false), None);
        calls.now += Duration::from_secs(5);
        let breach = calls.call(MS, true, false);
        assert_eq!(breach.map(|breach| breach.calls), Some(1), "{years}");
        calls.monitor.reset();
    }
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
    assert!((breach.measured - 0.5).abs() < 0.5 * 0.05, "{breach}");
    assert!(
        breach.to_string().starts_with("latency p90 at ** is "),
        "{breach}"
    );
}

#[test]
fn a_call_that_is_late_already_counts() {
    let mut calls = Simulation::under(rail().latency(0.5, 100 * MS).unwrap());
    calls.hold(20);
    calls.now += 99 * MS;
    assert_eq!(calls.judge(), None);
    calls.now += 20 * MS;
    let breach = calls.judge().unwrap();
    assert_eq!((breach.calls, breach.injected), (20, 20));
    assert!((breach.measured - 0.119).abs() < 0.002, "{breach}");
}

#[test]
fn a_body_counts_for_the_latency_to_the_end_alone() {
    let mut calls = Simulation::under(rail().latency(0.5, 10 * MS).unwrap());
    let is_slow =
        |calls: &mut Simulation| (0..10).find_map(|_| calls.call_with_body(50 * MS, true));
    assert_eq!(is_slow(&mut calls), None);
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
fn what_began_before_a_reset_is_forgotten() {
    let whole = Rate::new(1.0).unwrap();
    for rail in [
        rail().latency_to_end(0.5, 10 * MS).unwrap(),
        rail().error_ratio(Rate::new(0.1).unwrap()),
        rail().latency(0.5, 10 * MS).unwrap().error_ratio(whole),
    ] {
        let mut calls = Simulation::under(rail);
        let starts: Vec<_> = (0..40).map(|_| CallStart::at(calls.now)).collect();
        let by = InjectedSoFar::BY_A_RULE;
        let trips = |calls: &mut Simulation| {
            let mut call = || calls.call(50 * MS, true, true);
            (0..40).position(|_| call().is_some())
        };
        assert_eq!(trips(&mut calls), Some(9));
        calls.monitor.reset();
        for (at, start) in starts.into_iter().enumerate() {
            calls.now += 50 * MS;
            let (monitor, now) = (&calls.monitor, calls.now);
            let is_due = match at % 3 {
                0 => monitor.end(start, by, now, CallEnd::Answered { failed: true }, false),
                1 => monitor.end_body(start, by, now, ANSWERED),
                _ => monitor.fail(start, by, now, now),
            };
            assert!(!is_due, "{at}");
            assert_eq!(calls.judge(), None);
        }
        // It takes as many as before.
        assert_eq!(trips(&mut calls), Some(9));
    }
}

/// A call for which there are enough is judged even if it is none that has failed, whatever the time.
#[test]
fn the_call_that_makes_them_enough_is_judged() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.2).unwrap()));
    for _ in 0..5 {
        assert_eq!(calls.call(Duration::ZERO, true, true), None);
    }
    for _ in 0..4 {
        assert_eq!(calls.call(Duration::ZERO, false, true), None);
    }
    let breach = calls.call(Duration::ZERO, false, true).unwrap();
    assert_eq!((breach.calls, breach.measured), (10, 0.5));
}

/// A call that failed while another one moved the window was judged by neither.
#[test]
fn who_moves_the_window_judges_those_who_found_it_locked() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.2).unwrap()));
    calls.now -= 5 * MS;
    assert_eq!(calls.call(Duration::ZERO, false, false), None);
    // A slot begins, too soon after that judgement for a call to judge that has not failed.
    calls.now += 5 * MS;
    let lock = calls.monitor.outcomes();
    let start = CallStart::at(calls.now);
    for _ in 0..10 {
        assert_eq!(calls.end(start, true, true), None);
    }
    drop(lock);
    let breach = calls.call(Duration::ZERO, false, false).unwrap();
    assert_eq!(breach.calls, 12);
}

/// What an overlay injects counts for the policy, and for no rule.
#[test]
fn what_an_overlay_injects_is_left_out_of_a_rules_rail() {
    let rail = rail().error_ratio(Rate::new(0.2).unwrap());
    let id = "r".parse().unwrap();
    let of_rule = Monitor::of_rule(&rail, &id, &"**".parse().unwrap());
    for (monitor, trips) in [(Monitor::of_policy(&rail), true), (of_rule, false)] {
        let now = MS;
        for _ in 0..20 {
            let (start, by) = (CallStart::at(now), InjectedSoFar::BY_AN_OVERLAY);
            monitor.end(start, by, now, CallEnd::Answered { failed: true }, false);
        }
        assert_eq!(monitor.judge(now, &Held(&[])).is_some(), trips);
    }
}

/// A body that fails corrects what its head was counted as, in the slot of the head.
#[test]
fn a_body_that_fails_later_leaves_the_window_with_its_head() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.4).unwrap()));
    let by = InjectedSoFar::BY_A_RULE;
    let answered = calls.now;
    for _ in 0..20 {
        let start = CallStart::at(answered);
        (calls.monitor).end(start, by, calls.now, ANSWERED, true);
    }
    calls.now += 9000 * MS;
    assert_eq!(calls.call(Duration::ZERO, false, false), None);
    for _ in 0..8 {
        let start = CallStart::at(answered);
        let is_due = calls.monitor.fail(start, by, answered, calls.now);
        assert_eq!(calls.judge_if(is_due), None, "8 of 21");
    }
    calls.now += 1000 * MS;
    for _ in 0..10 {
        assert_eq!(calls.call(Duration::ZERO, false, true), None);
    }
    // The heads have left by now. So has what is added: 4 of 15.
    for _ in 0..4 {
        let start = CallStart::at(answered);
        let is_due = calls.monitor.fail(start, by, answered, calls.now);
        assert_eq!(calls.judge_if(is_due), None);
    }
}

/// Each of thousands of calls that are held judges, and each judgement counted all of them.
#[test]
fn calls_that_are_held_are_counted_once_in_a_while() {
    let mut calls = Simulation::under(rail().error_ratio(Rate::new(0.1).unwrap()));
    calls.hold(20);
    calls.now += 5001 * MS;
    // While these are counted, one call of twenty-one is too few to break a bound, however often it is judged.
    let mut fail = |later: Duration| {
        calls.now += later;
        calls.call(Duration::ZERO, false, false)
    };
    assert_eq!(fail(Duration::ZERO).unwrap().calls, 21);
    calls.monitor.reset();
    calls.held.truncate(5);
    let mut fail = |later: Duration| {
        calls.now += later;
        calls
            .call(Duration::ZERO, true, true)
            .map(|breach| breach.calls)
    };
    // The five that are held and four that end: the fifth is too soon after the first.
    for _ in 0..6 {
        assert_eq!(fail(Duration::ZERO), None);
    }
    assert_eq!(fail(9 * MS), None);
    assert_eq!(fail(MS), Some(13));
}
