//! Plain code works without a runtime, and without tokio in the build: a program of its own, as it is
//! built without it.

use std::time::Duration;

use chaos_core::{Clock, Fault, Injector, Latency, Rule, inject};

#[test]
fn a_delay_holds_the_thread_for_as_long_as_it_says() {
    let injector = Injector::new();
    let fault = Fault::latency(Latency::fixed(Duration::from_millis(20)).unwrap());
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "plain".parse().unwrap(),
        fault,
    ));
    let start = Clock::monotonic();
    inject!(injector: injector, "plain").unwrap();
    assert!(start.now() >= Duration::from_millis(20));
}
