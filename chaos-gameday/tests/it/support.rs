//! Calls that chaos-core has counted, in its own buckets.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use chaos_core::{Call, Fault, Injector, Matcher, Rule, testing::ManualClock};
use chaos_gameday::Group;

/// Lets core count calls that take so long, all together less than a minute, which is how long it is observed.
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
