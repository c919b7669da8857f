//! Calls of which is known how they fare: by chance, or as chaos-core has counted them, in its own buckets.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use chaos_core::{Call, Fault, Injector, Matcher, Rule, testing::ManualClock};
use chaos_gameday::Group;
use rand_distr::{Binomial, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;

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
