//! `rule!`: what it means, and what the compiler says of a slip.

use std::panic::catch_unwind;

use chaos_core::{Injector, Matcher, Overlay, Rule, Text, inject, wire};
use chaos_rule::rule;
use serde_json::json;

#[test]
fn slips_are_said_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/bad_values.rs");
    cases.compile_fail("tests/ui/bad_names.rs");
    cases.compile_fail("tests/ui/not_json.rs");
    cases.compile_fail("tests/ui/expressions.rs");
}

#[test]
fn it_is_what_the_json_is() {
    let written = rule!({
        "id": "slow-checkout",
        "site": "http.*",
        "reason": "a \"quoted\" word, an \u{e9} and a\nline",
        "match": { "method": ["POST", "PUT"], "path": "/checkout/{id}", "headers": { "x.tenant": "acme" } },
        "rate": 0.05,
        "seed": 18_446_744_073_709_551_615,
        "ttl": "2h",
        "window": { "days": "mon", "hours": "09:00-17:00", "zone": "Europe/Berlin" },
        "faults": [{ "latency": "200ms..500ms" }, { "status": { "code": 503, "body": "{}" } }],
    });
    let read = wire::rule_from_value(
        json!({
            "id": "slow-checkout",
            "site": "http.*",
            "reason": "a \"quoted\" word, an é and a\nline",
            "match": { "method": ["POST", "PUT"], "path": "/checkout/{id}", "headers": { "x.tenant": "acme" } },
            "rate": 0.05,
            "seed": u64::MAX,
            "ttl": "2h",
            "window": { "days": "mon", "hours": "09:00-17:00", "zone": "Europe/Berlin" },
            "faults": [{ "latency": "200ms..500ms" }, { "status": { "code": 503, "body": "{}" } }],
        }),
        None,
    );
    assert_eq!(written, read.unwrap());
    // A path is a route in both.
    let route = rule! { "site": "http.server", "match": { "path": "/orders/{id}" }, "faults": [{ "status": 500 }] };
    let in_code = Matcher::new().path(Text::route("/orders/{id}").unwrap());
    assert_eq!(*route.matcher(), in_code);
}

#[test]
fn without_an_id_it_is_named_after_its_place() {
    let line = line!() + 1;
    let first = rule! { "site": "db.read", "faults": [{ "value": null }] };
    assert_eq!(first.id().as_str(), format!("main.rs:{line}:17"));
    let second = rule! { "site": "db.read", "faults": [{ "value": -1.5e3 }] };
    assert_ne!(first.id(), second.id());
    let injector = Injector::new();
    injector.put(second);
    let value = inject!(injector: &injector, "db.read").unwrap_err();
    assert_eq!(value.value_json(), Some("-1500.0"));
}

/// The second rule took the place of the first, and both guards asserted its counts.
#[test]
fn two_calls_of_one_function_are_two_rules() {
    fn fails(site: &str) -> Rule {
        rule!({ "site": site, "faults": [{ "error": "lost" }] })
    }
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let pass = || {
        let a = inject!(injector: &injector, "helper.a");
        let b = inject!(injector: &injector, "helper.b");
        (a.is_err(), b.is_err())
    };
    let (a, b) = (
        overlay.arm(fails("helper.a")),
        overlay.arm(fails("helper.b")),
    );
    assert_eq!(b.id().as_str(), format!("{}:2", a.id()));
    assert_eq!(overlay.run_sync(pass), (true, true));
    a.assert_injected(1);
    b.assert_injected(1);
    let everywhere = injector.arm(fails("helper.a"));
    assert_eq!(everywhere.id(), a.id());
    assert_eq!(pass(), (true, false));
    drop((a, everywhere));
    assert_eq!(overlay.run_sync(pass), (false, true));
    let again = overlay.arm(fails("helper.a"));
    assert_eq!(overlay.run_sync(pass), (true, true));
    // Without a guard, the rule of one place is one rule.
    let before = injector.put(fails("helper.a"));
    assert!(injector.put(fails("helper.b")) > before);
    assert_eq!(injector.rules().rules().len(), 1);
    drop((again, b));
}

#[test]
fn threads_that_arm_the_rules_of_one_place_have_one_each() {
    let injector = Injector::new();
    let arm = || injector.arm(rule!({ "site": "helper.a", "faults": [{ "error": "lost" }] }));
    let guards: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(arm)).collect();
        let guards = threads.into_iter().map(|thread| thread.join().unwrap());
        guards.collect()
    });
    let mut ids: Vec<_> = guards.iter().map(|guard| guard.id().clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), injector.rules().rules().len()), (8, 8));
}

#[test]
fn values_may_be_expressions_and_are_checked_when_they_are_known() {
    let (site, codes) = ("db.read".to_owned(), [500_u16, 503]);
    let with = |limit: i64| {
        rule!({
            "id": site,
            "site": site.clone(),
            "limit": limit + 1,
            "faults": [{ "one_of": codes.map(|code| json!({ "weight": 1, "fault": { "status": code } })) }],
        })
    };
    assert_eq!(
        (with(1).id().as_str(), with(1).fault_names().as_str()),
        ("db.read", "one_of")
    );
    // Fields that are valid beside the value of an expression alone.
    let (path, key, delay, faults) = (
        "/orders/{id}",
        "path:id",
        "1s",
        json!([{ "error": "lost" }]),
    );
    let valid = [
        rule!({ "site": "a", "match": { "path": path }, "key": "path:id", "faults": [{ "latency": delay }, { "body": { "truncate_after": "1B" } }] }),
        rule!({ "site": "a", "match": { "path": "/orders/{id}" }, "key": key, "first_attempts": { "n": 1, "key": key }, "faults": faults }),
        rule!({ "id": "literal", "site": site, "match": { "path": "/orders/{id}" }, "key": "path:id", "faults": [{ "value": { "any": ["name", { "is": delay }] } }] }),
    ];
    assert_eq!(valid[2].id().as_str(), "literal");
    // Faults that are valid behind one that ends the call, or before a panic, alone.
    let retry = "5";
    for rule in [
        rule!({ "site": "a", "faults": [{ "status": 503 }, { "headers": { "set": { "retry-after": retry } } }] }),
        rule!({ "site": "a", "faults": [{ "status": { "code": 503, "body": "" } }, { "latency": delay, "when": "after" }] }),
        rule!({ "site": "a", "faults": [{ "abort": "reset" }, { "latency": delay, "when": "after" }] }),
        rule!({ "site": "a", "faults": [{ "latency": delay }, { "abort": "panic" }] }),
        rule!({ "site": "a", "faults": [{ "latency": delay }, { "latency": "1s", "when": "after" }, { "status": 204 }] }),
    ] {
        assert!(rule.faults().len() > 1, "{rule:?}");
    }
    let refused = catch_unwind(|| with(-1)).unwrap_err();
    let refused = refused.downcast_ref::<String>().unwrap();
    assert_eq!(
        refused,
        "rule `db.read`: limit: 0 is not allowed; allowed: a whole number, 1 or more"
    );
}
