//! Calls of which is known how they fare: by chance, or as chaos-core has counted them, in its own buckets. And the journal of
//! a whole run.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use chaos_core::{Call, Fault, Injector, Matcher, Rule, testing::ManualClock};
use chaos_gameday::{
    AuditNote, Comparison, Entry, EstimateOutcome, Group, Journal, ProbeOutcome, SampleCounts,
    SiteSample, Stage, TargetFate, TargetOutcome, Verdict, error_ratio_difference,
};
use rand_distr::{Binomial, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;

use crate::experiments_are_read::lost_reads;

/// How many runs are tried.
pub(crate) const RUNS: u64 = 1000;
/// How long each of them is.
pub(crate) const SECONDS: u32 = 60;
/// How many calls are hit in a second.
pub(crate) const HIT: u64 = 10;
/// How many are spared in a second.
pub(crate) const SPARED: u64 = 190;

/// Draws which of some calls fail.
pub(crate) fn failing(calls: u64, ratio: f64, dice: &mut Xoshiro256PlusPlus) -> Group {
    Group::of(calls, Binomial::new(calls, ratio).unwrap().sample(dice))
}

/// Lets chaos-core count calls with these latencies, which are less than a minute together: nobody asks for the counts
/// meanwhile, so they would be gone.
pub(crate) fn counted(latencies: impl IntoIterator<Item = Duration>) -> Group {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let rule = Rule::new(
        "lost".parse().unwrap(),
        "http.server".parse().unwrap(),
        Fault::error("lost"),
    );
    injector.put(rule.matching(Matcher::new().label("table", "orders")));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for latency in latencies {
        let call = Call::new();
        let decision = site.decide(&call);
        let mut measured = site.measure(&call, decision.as_ref()).unwrap();
        let passed = measured.poll(&mut cx, |_| {
            clock.advance(latency);
            Poll::Ready(())
        });
        assert!(passed.is_ready());
        measured.end(false);
    }
    let outcomes = injector.outcomes("lost").unwrap();
    let counted = outcomes.sites[0].unmatched.as_ref().unwrap();
    let histogram = counted.histogram.iter();
    Group {
        latencies: histogram
            .map(|(end, calls)| (end.as_nanos() as u64, *calls))
            .collect(),
        ..Group::of(counted.calls, counted.failed)
    }
}

pub(crate) fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

/// The seconds at which the stages of a run begin, and its end.
pub(crate) const STAGES: [(Option<Stage>, &str, u64); 6] = [
    (Some(Stage::Before), "before", 0),
    (None, "estimate", 30),
    (Some(Stage::During), "one in a hundred", 60),
    (Some(Stage::During), "pause", 120),
    (Some(Stage::During), "ramp", 130),
    (Some(Stage::After), "after", 250),
];
pub(crate) const END: u64 = 310;

/// One change of the journal of a whole run after another, with its second.
pub(crate) fn run(mut record: impl FnMut(u64, &dyn Fn(&mut Journal))) {
    for second in 0..END {
        let now = moment(second);
        if let Some((stage, name, _)) = STAGES.iter().find(|it| it.2 == second) {
            record(second, &|journal| journal.enter(*stage, name, now));
        }
        if second == 60 {
            record(second, &|journal| {
                journal.details.estimate = Some(EstimateOutcome {
                    matched: 5000,
                    hits: 50,
                });
                let output = Ok(json!({ "id": "lost" }));
                journal
                    .run
                    .push(Entry::of_action("arm lost", output, now, moment(61)));
                journal.details.audit.push(AuditNote {
                    at: now.into(),
                    target: "http://127.0.0.1:9900".into(),
                    actor: "ann".into(),
                    action: "armed lost".into(),
                    reason: "GameDay".into(),
                });
            });
        }
        let stage = match second {
            0..30 => Some(Stage::Before),
            60..250 => Some(Stage::During),
            250.. => Some(Stage::After),
            _ => None,
        };
        let Some(stage) = stage else { continue };
        record(second, &|journal| {
            let outcome = if second == 100 {
                ProbeOutcome::NotHeld("the status is 500".into())
            } else {
                ProbeOutcome::Held
            };
            let took = Some(0.004 + (second % 7) as f64 / 1000.0);
            journal.note_probe("products", stage, &outcome, took, (now, now));
            if stage == Stage::During {
                let counts = |calls, failed, millis: u64| {
                    let latencies = vec![(millis * 1_000_000, calls)];
                    SampleCounts::of(&Group {
                        latencies,
                        ..Group::of(calls, failed)
                    })
                };
                let sample = SiteSample {
                    at: journal.seconds(now),
                    hit: counts(2, second % 2, 12),
                    others: counts(198, 1, 4),
                };
                journal.note_site("http.server", "lost", sample);
                journal.details.hits += 2;
            }
        });
    }
    record(END, &|journal| {
        let compared = comparison("one in a hundred");
        journal.details.comparisons.push(compared);
        let target = |target: &str, fate, problem: &str, hits| TargetOutcome {
            target: target.into(),
            fate,
            problem: problem.into(),
            hits,
        };
        journal.details.targets = vec![
            target("http://127.0.0.1:9900", TargetFate::Applied, "", 380),
            target("shop-2", TargetFate::Refused, "rate: 5 is out of range", 0),
        ];
        journal.details.seed = Some(42);
        let reasons = vec!["the probe \"products\" did not hold".into()];
        journal.finish(Verdict::Deviated, reasons, moment(END));
    });
}

pub(crate) fn whole() -> Journal {
    let mut journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
    run(|_, change| change(&mut journal));
    journal
}

/// Returns what a comparison has found in a phase.
pub(crate) fn comparison(phase: &str) -> Comparison {
    let (hit, spared) = (Group::of(380, 95), Group::of(37_620, 190));
    Comparison {
        phase: phase.into(),
        site: "http.server".into(),
        rule: "lost".into(),
        error_ratio: error_ratio_difference(&hit, &spared),
        hit,
        spared,
    }
}
