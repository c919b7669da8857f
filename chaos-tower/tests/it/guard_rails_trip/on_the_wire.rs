//! Which guard rails are accepted, and how they are written.

use std::time::Duration;

use chaos_core::{Fault, GuardRail, Injector, Rate, SiteKind, wire};
use serde_json::json;

use super::{MS, errors, rule, service};

#[test]
fn a_guard_rail_that_measures_nothing_is_refused() {
    let injector = Injector::new();
    let refused = |site: &str, guard: serde_json::Value| {
        let doc = json!({"id": "r", "site": site, "faults": [{"error": "lost"}],
            "guards": [{"error_ratio": 0.5, "site": "http.server"}, guard]});
        let rule = wire::rule_from_value(doc, None).unwrap();
        let error = injector.check([&rule]).err()?;
        assert_eq!((error.rule(), error.field()), (Some("r"), "guards[1].site"));
        Some((error.problem().to_owned(), error.allowed().to_owned()))
    };
    // Before the code was passed and the layer was made, nothing is known of them.
    let of_the_rule = || json!({"error_ratio": 0.5});
    let at = |site: &str| json!({"error_ratio": 0.5, "site": site});
    assert_eq!(refused("db.read", of_the_rule()), None);
    let _ = injector.site_of("db.read", SiteKind::Async);
    let _ = injector.site_of("rpc.client", SiteKind::Sync);
    let _ = injector.site_of("tcp.server", SiteKind::Connection);
    let (problem, allowed) = refused("db.read", of_the_rule()).unwrap();
    assert_eq!(
        problem,
        "no layer is at \"db.read\", and only layers are measured"
    );
    assert!(allowed.ends_with("such as http.server"), "{allowed}");
    // A pattern may match a layer that is made later.
    assert_eq!(refused("db.*", of_the_rule()), None);
    assert_eq!(refused("db.read", at("**")), None);

    let _service = service(&injector);
    let _ = injector.site("rpc.client");
    for (site, guard) in [
        ("db.read", of_the_rule()),
        ("db.*", of_the_rule()),
        ("http.server", at("db.read")),
        ("http.server", at("tcp.server")),
    ] {
        let (_, allowed) = refused(site, guard).unwrap();
        assert_eq!(allowed, "a layer: http.server, rpc.client");
    }
    for fine in ["http.server", "**", "rpc.client", "*.client", "made.later"] {
        assert_eq!(refused("db.read", at(fine)), None, "{fine}");
    }
}

#[test]
fn it_is_said_on_the_wire() {
    let doc = json!({"id": "r", "site": "db.read", "enabled": true, "faults": [{"error": "lost"}], "guards": [
        {"error_ratio": 0.1},
        {"site": "http.*", "window": "30s", "at_least": 5, "latency": {"p99.9": "800ms"}, "over_baseline": true,
            "max_baseline_latency": "2s", "then": "disarm"},
        {"error_ratio": 0.1, "over_baseline": true, "max_baseline_error_ratio": 0.2},
        {"latency": {"p50": "100ms"}, "latency_to_end": {"p99": "2s"}, "over_baseline": true},
        {"latency_to_end": {"p99": "2s"}, "over_baseline": true, "max_baseline_latency": "1s"},
    ]});
    let read = wire::rule_from_value(doc.clone(), None).unwrap();
    let second = GuardRail::new()
        .site("http.*".parse().unwrap())
        .window(Duration::from_secs(30))
        .and_then(|rail| rail.at_least(5).latency(0.999, 800 * MS))
        .unwrap()
        .over_baseline()
        .max_baseline_latency(Duration::from_secs(2))
        .then(chaos_core::guard_rail::Then::Disarm);
    let third = errors(0.1).over_baseline();
    let third = third.max_baseline_error_ratio(Rate::new(0.2).unwrap());
    let to_end = |rail: GuardRail| rail.latency_to_end(0.99, 2000 * MS).unwrap();
    let fourth = GuardRail::new().latency(0.5, 100 * MS).unwrap();
    let fifth = GuardRail::new().max_baseline_latency(1000 * MS);
    let expected = rule("r", "db.read", Fault::error("lost"))
        .guard(errors(0.1))
        .guard(second)
        .guard(third)
        .guard(to_end(fourth).over_baseline())
        .guard(to_end(fifth).over_baseline());
    assert_eq!(read, expected);
    assert_eq!(wire::rule_to_value(&read), doc);

    for (rail, field) in [
        (json!({}), "guards[0]"),
        (json!({"site": "http.*"}), "guards[0]"),
        (json!({"error_ratio": 2}), "guards[0].error_ratio"),
        (
            json!({"error_ratio": 0.1, "window": "1ms"}),
            "guards[0].window",
        ),
        (
            json!({"error_ratio": 0.1, "site": "a..b"}),
            "guards[0].site",
        ),
        (json!({"latency": {"p99": "soon"}}), "guards[0].latency"),
        (
            json!({"latency": {"p99": "1s", "p50": "1s"}}),
            "guards[0].latency",
        ),
        (json!({"latency": {"q99": "1s"}}), "guards[0].latency"),
        (json!({"latency": {"p100": "1s"}}), "guards[0].latency"),
        (json!({"latency": "1s"}), "guards[0].latency"),
        (
            json!({"latency_to_end": {"p100": "1s"}}),
            "guards[0].latency_to_end",
        ),
        (json!({"latency_to_end": "1s"}), "guards[0].latency_to_end"),
        (
            json!({"error_ratio": 0.1, "then": "explode"}),
            "guards[0].then",
        ),
        (json!({"errors": 0.1}), "guards[0].errors"),
        (
            json!({"error_ratio": 0.1, "max_baseline_error_ratio": 0.2}),
            "guards[0].max_baseline_error_ratio",
        ),
        (
            json!({"error_ratio": 0.1, "over_baseline": true, "max_baseline_error_ratio": 2}),
            "guards[0].max_baseline_error_ratio",
        ),
        (
            json!({"error_ratio": 0.1, "over_baseline": true, "max_baseline_latency": "1s"}),
            "guards[0].max_baseline_latency",
        ),
        (
            json!({"latency": {"p99": "1s"}, "over_baseline": true, "max_baseline_latency": "soon"}),
            "guards[0].max_baseline_latency",
        ),
    ] {
        let doc = json!({"site": "db.read", "faults": [{"error": "lost"}], "guards": [rail]});
        let error = wire::rule_from_value(doc.clone(), Some("r")).expect_err(&doc.to_string());
        assert_eq!(error.field(), field, "{error}");
        assert!(!error.allowed().is_empty(), "{field}");
    }
    // In code, where a rail may be left without a bound.
    let unbounded = rule("r", "db.read", Fault::error("lost")).guard(GuardRail::new());
    assert!(Injector::new().check([&unbounded]).is_err());
}
