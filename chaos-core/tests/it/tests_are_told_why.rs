//! A test is told why a rule has hit fewer or more calls than it expects, and the rule of a guard does not end by
//! the clock.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use chaos_core::{
    Fault, Injected, Injector, Latency, Lifetime, Mode, Overlay, Rate, Rule, Trigger, inject,
    inject_async, testing::RuleGuard,
};

/// Longer than any call takes.
const LONG: Duration = Duration::from_secs(60);

fn fails(id: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        "guarded".parse().unwrap(),
        Fault::error(id),
    )
}

fn pass(injector: &Injector) -> Result<(), Injected> {
    inject!(injector: injector, "guarded")
}

async fn pass_async(injector: Injector) -> Result<(), Injected> {
    inject_async!(injector: &injector, "guarded").await
}

fn slow(site: &str) -> Rule {
    let latency = Latency::fixed(Duration::from_secs(60)).unwrap();
    let fault = Fault::latency(latency);
    Rule::new("slow".parse().unwrap(), site.parse().unwrap(), fault)
}

/// The default ttl of ten minutes ran on the paused clock, so 40 of 50 calls were not delayed.
#[tokio::test(start_paused = true)]
async fn a_guard_has_no_clock() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let here = overlay.arm(slow("guarded"));
    for _ in 0..50 {
        overlay.run(pass_async(injector.clone())).await.unwrap();
    }
    here.assert_injected(50);
    let everywhere = injector.arm(slow("guarded"));
    for _ in 0..50 {
        pass_async(injector.clone()).await.unwrap();
    }
    everywhere.assert_injected(50);
    drop(everywhere);
    // What the rule says holds.
    let minutes = Lifetime::new(Duration::from_secs(300)).unwrap();
    let short = injector.arm(slow("guarded").lifetime(minutes));
    for _ in 0..10 {
        pass_async(injector.clone()).await.unwrap();
    }
    assert_eq!(
        short.wait_for(10, LONG).await.unwrap_err().to_string(),
        "the rule slow at guarded has hit 5 calls, expected: 10; its ttl is over"
    );
}

#[test]
fn a_test_is_told_why_nothing_was_injected() {
    let injector = Injector::new();
    let why = |guard: &RuleGuard| {
        let error = guard.wait_for_blocking(1, Duration::ZERO).unwrap_err();
        let assert = catch_unwind(AssertUnwindSafe(|| guard.assert_injected(1)));
        let panic = *assert.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(
            (error.to_string(), format!("{error:?}")),
            (panic.clone(), panic)
        );
        let text = error.to_string();
        let start = format!(
            "the rule r at {} has hit 0 calls, expected: 1; ",
            guard.site()
        );
        text.strip_prefix(&*start).expect(&text).to_owned()
    };
    assert_eq!(
        why(&injector.arm(fails("r"))),
        "no site has been passed or made yet"
    );
    pass(&injector).unwrap();
    let _ = (injector.site("guarded"), injector.site("http.client"));
    let slip = Rule::new(
        "r".parse().unwrap(),
        "http.clent".parse().unwrap(),
        Fault::error("r"),
    );
    assert_eq!(
        why(&injector.arm(slip)),
        "there is no such site, only: guarded, http.client"
    );

    let guard = injector.arm(fails("r"));
    assert_eq!(why(&guard), "no call that it matches has passed the site");
    injector.halt("somebody's test");
    pass(&injector).unwrap();
    assert_eq!(why(&guard), "injection is halted by code: somebody's test");
    injector.resume();
    drop(injector.arm(fails("r").enabled(false)));
    assert_eq!(why(&guard), "it has been removed");

    assert_eq!(
        why(&injector.arm(fails("r").enabled(false))),
        "it is disabled"
    );
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let guard = injector.arm(fails("r").trigger(never));
    pass(&injector).unwrap();
    assert_eq!(why(&guard), "calls that it matched: 1");
    let guard = injector.arm(fails("r").mode(Mode::Shadow));
    pass(&injector).unwrap();
    assert_eq!(why(&guard), "its mode is shadow, calls that it counted: 1");
    let overlay = Overlay::new(&injector);
    assert_eq!(
        why(&overlay.arm(fails("r"))),
        "no call that it matches has passed the site"
    );
}

#[test]
fn more_injections_than_expected_are_wrong_too() {
    let injector = Injector::new();
    let guard = injector.arm(fails("r"));
    guard.assert_injected(0);
    assert!(pass(&injector).is_err() && pass(&injector).is_err());
    let assert = catch_unwind(AssertUnwindSafe(|| guard.assert_injected(1)));
    let panic = *assert.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(panic, "the rule r at guarded has hit 2 calls, expected: 1");
}

/// A slip in the name of a site failed `assert!(… .is_err())`, which does not say why, before `assert_injected` was
/// reached.
#[test]
fn whichever_assertion_fails_the_output_says_why() {
    // The test that fails is this one in another process.
    if std::env::var_os("CHAOS_TEST_FAILS").is_some() {
        let injector = Injector::new();
        assert!(pass(&injector).is_ok());
        let id = "slip".parse().unwrap();
        let slip = Rule::new(id, "guraded".parse().unwrap(), Fault::error("x"));
        let _slip = injector.arm(slip);
        assert!(pass(&injector).is_err());
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "tests_are_told_why::whichever_assertion_fails_the_output_says_why",
            "--exact",
        ])
        .env("CHAOS_TEST_FAILS", "1")
        .output()
        .unwrap();
    assert!(!child.status.success());
    let output = String::from_utf8(child.stdout).unwrap();
    let why = "the rule slip at guraded has hit 0 calls; there is no such site, only: guarded";
    assert!(output.contains(why), "{output}");
}
