//! A test is told why a rule has hit fewer or more calls than it expects, and the rule of a guard does not end by
//! the clock.

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use chaos_core::{
    Call, Direction, Fault, Injected, Injector, Latency, Lifetime, Matcher, Mode, Overlay, Policy,
    Rate, Rule, Text, Trigger, fault::BytesFault, inject, inject_async, testing::RuleGuard,
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
        "there is no such site, only: http.client, guarded"
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
        "no call that it matches has passed the site in its overlay"
    );
}

/// Returns what a guard says of its rule after the number that was expected.
fn why(guard: &RuleGuard) -> String {
    let error = guard.wait_for_blocking(u64::MAX, Duration::ZERO);
    let error = error.unwrap_err().to_string();
    error.split_once("; ").expect(&error).1.to_owned()
}

/// All of these were "no call that it matches has passed the site".
#[test]
fn it_is_told_which_calls_have_passed() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let read = || inject!(injector: &injector, "told.read", table = "orders");
    let of_table = |label: &str, table: &str| {
        let rule = Rule::new(
            "r".parse().unwrap(),
            "told.read".parse().unwrap(),
            Fault::error("r"),
        );
        rule.matching(Matcher::new().label(label, Text::from(table)))
    };
    drop(overlay.arm(of_table("table", "orders")));
    let guard = overlay.arm(of_table("table", "orders"));
    assert!(read().is_ok());
    let nothing = "no call that it matches has passed the site in its overlay";
    assert_eq!(
        why(&guard),
        format!(
            "{nothing}, but calls have outside of any overlay: is a task spawned without \
             `Overlay::carry`?"
        )
    );
    // What has passed before is not told.
    drop(guard);
    let guard = overlay.arm(of_table("table", "orders"));
    assert_eq!(why(&guard), nothing);

    let guard_of_slip = overlay.arm(of_table("table", "order"));
    assert!(overlay.run_sync(read).is_ok());
    let none_matches = "calls have passed the site in its overlay, and it matches none of them";
    assert_eq!(why(&guard_of_slip), none_matches);
    assert!(why(&guard).contains("replaced"));
    let slip = overlay.arm(of_table("tabel", "orders"));
    assert!(overlay.run_sync(read).is_ok());
    assert_eq!(
        why(&slip),
        format!(
            "{none_matches}; match.labels.tabel: told.read declares no label \"tabel\", instead: a label \
             that is declared there: table"
        )
    );

    // Another test halts and resumes.
    for overlay in [Some(&overlay), None] {
        let rule = of_table("table", "orders");
        let guard = match overlay {
            Some(overlay) => overlay.arm(rule),
            None => injector.arm(rule),
        };
        assert!(!why(&guard).contains("halted"));
        injector.halt("another test");
        assert!(read().is_ok());
        injector.resume();
        let halted = "; meanwhile, injection was halted by code: another test";
        assert!(why(&guard).ends_with(halted), "{}", why(&guard));
        injector.halt("still");
        assert_eq!(why(&guard), "injection is halted by code: still");
        injector.resume();
    }
}

#[test]
fn it_is_told_what_keeps_a_rule_from_calls_that_it_matches() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let site = injector.site("told.http");
    let pass = |path: &str| {
        let (uri, headers): (http::Uri, _) = (path.parse().unwrap(), http::HeaderMap::new());
        let call = Call::http(&http::Method::GET, &uri, &headers);
        overlay.run_sync(|| site.decide(&call)).is_some()
    };
    let rule =
        |site: &str, fault: Fault| Rule::new("r".parse().unwrap(), site.parse().unwrap(), fault);
    let lost = || rule("told.http", Fault::error("lost"));
    let guard = overlay.arm(lost());
    assert!(!pass("/healthz"));
    assert_eq!(
        why(&guard),
        "calls that it matched: 1, of which some are exempt from all rules"
    );
    drop(guard);

    injector.set_policy(Policy::new().faults(["latency"]));
    let guard = overlay.arm(lost());
    assert!(!pass("/"));
    assert_eq!(
        why(&guard),
        "calls that it matched: 1; faults[0].error: not a fault that the policy of this process allows; \
         allowed: latency"
    );
    drop(guard);
    injector.set_policy(Policy::new().sites(["db.**".parse().unwrap()]));
    let guard = overlay.arm(lost());
    assert!(!pass("/"));
    let away = "; site: the policy keeps rules away from told.http, instead: a site that the policy allows";
    assert!(why(&guard).ends_with(away), "{}", why(&guard));
    drop(guard);
    injector.set_policy(Policy::new().shadow_only(true));
    let guard = overlay.arm(lost());
    assert!(!pass("/"));
    assert_eq!(
        why(&guard),
        "the policy's mode is shadow, calls that it counted: 1"
    );
    drop(guard);
    injector.set_policy(Policy::new());

    let code = || inject!(injector: &injector, "told.code");
    let throttle = BytesFault::throttle(NonZeroU64::MIN);
    let guard = overlay.arm(rule(
        "told.code",
        Fault::Body(throttle, Direction::Response),
    ));
    assert!(overlay.run_sync(code).is_ok());
    let cannot = "calls that it matched: 1; faults[0]: body cannot happen at told.code, instead: ";
    assert!(why(&guard).starts_with(cannot), "{}", why(&guard));
}

/// The first ten in the order of the alphabet were listed, the one that was meant not among them.
#[test]
fn the_nearest_name_is_first() {
    let injector = Injector::new();
    for n in 0..20 {
        let _ = injector.site(&format!("a.site{n}"));
    }
    let _ = injector.site("price.fetch");
    let slip = Rule::new(
        "r".parse().unwrap(),
        "price.fetcx".parse().unwrap(),
        Fault::error("r"),
    );
    let why = why(&injector.arm(slip));
    assert!(
        why.starts_with("there is no such site, only: price.fetch, a.site"),
        "{why}"
    );
    assert!(why.ends_with(", and 11 more"), "{why}");
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
