//! A test of what a service does when injection is halted is none of the others' business.

use std::time::Duration;

use chaos_core::{Call, Fault, Injector, Overlay, Rule, inject, inject_async};

#[tokio::test]
async fn a_halt_of_an_overlay_stops_its_rules_alone() {
    let injector = Injector::new();
    let (halted, other) = (Overlay::new(&injector), Overlay::new(&injector));
    let lost = |id: &str, site: &str| {
        Rule::new(
            id.parse().unwrap(),
            site.parse().unwrap(),
            Fault::error("lost"),
        )
    };
    let lost_here = halted.arm(lost("lost", "halt.*"));
    other.put(lost("lost", "halt.*"));
    let hang = Fault::hang(Duration::from_secs(600)).unwrap();
    halted.put(Rule::new(
        "hang".parse().unwrap(),
        "hang".parse().unwrap(),
        hang,
    ));
    let read = |overlay: &Overlay| overlay.run_sync(|| inject!(injector: &injector, "halt.read"));
    assert!(read(&halted).is_err() && read(&other).is_err());
    let held = tokio::spawn({
        let injector = injector.clone();
        halted.run(async move { inject_async!(injector: &injector, "hang").await })
    });
    while halted.counts("hang").unwrap().injected == 0 {
        tokio::task::yield_now().await;
    }

    assert!(halted.halt() && !halted.halt() && halted.is_halted());
    let released = tokio::time::timeout(Duration::from_secs(10), held).await;
    released
        .expect("the held call is released")
        .unwrap()
        .unwrap();
    assert!(read(&halted).is_ok() && read(&other).is_err());
    // Nor do rules hit that come meanwhile, nor at sites that are new.
    halted.put(lost("late", "halt.write"));
    assert!(
        halted
            .run_sync(|| injector.site("halt.write").decide(&Call::new()))
            .is_none()
    );
    let why = lost_here.wait_for_blocking(2, Duration::ZERO).unwrap_err();
    assert!(
        why.to_string().ends_with("; its overlay is halted"),
        "{why}"
    );

    injector.halt("all of them");
    assert!(halted.resume() && !halted.resume());
    assert!(read(&halted).is_ok() && read(&other).is_ok());
    assert!(injector.resume());
    assert!(read(&halted).is_err() && read(&other).is_err());
    lost_here.assert_injected(2);
    assert_eq!(injector.status().active, 0);
}
