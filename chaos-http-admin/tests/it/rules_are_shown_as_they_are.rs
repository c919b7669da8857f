//! What the port shows is what is in force; what it is told is what then is.

use std::time::Duration;

use chaos_core::{Call, Injector, Site, testing::ManualClock};
use serde_json::{Value, json};

use crate::support::port::{Port, failing, json_request};

/// One call through a site; says whether it was hit.
fn pass(site: &'static Site) -> bool {
    let decision = site.decide(&Call::new());
    decision.is_some_and(|mut decision| decision.next_plan().is_some())
}

#[tokio::test]
async fn a_rule_is_made_shown_replaced_and_deleted() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    let elsewhere = port.injector.site("http.server");

    let made = port
        .write("PUT", "/v1/rules/a", failing("db.*"))
        .await
        .expect(201);
    let mut made_json = made.json();
    let times = ["since", "deadline"].map(|field| made_json["stats"][field].take());
    assert!(times.iter().all(Value::is_string), "{times:?}");
    let stats = json!({ "matched": 0, "injected": 0, "shadowed": 0, "active": 0, "evicted": 0, "overflow": {}, "expires_in": 600.0,
        "keys": null, "armed_by": "anyone", "since": null, "deadline": null });
    let expected = json!({
        "id": "a",
        "site": "db.*",
        "enabled": true,
        "faults": [{ "error": "broken" }],
        "stats": stats,
        "sites": ["db.read"],
        "warnings": [],
    });
    assert_eq!(made_json, expected);
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(made.header("content-type"), Some("application/json"));

    assert!(pass(site) && pass(site));
    let shown = port.get("/v1/rules/a").await.expect(200);
    assert_eq!(shown.json()["stats"]["matched"], 2);
    assert_eq!(shown.json()["stats"]["injected"], 2);
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(
        port.get("/v1/rules/a/injections").await.expect(200).text(),
        "2"
    );

    let mut with_id = failing("http.server");
    with_id["id"] = json!("a");
    let replaced = port.write("PUT", "/v1/rules/a", with_id).await.expect(200);
    assert_eq!(replaced.json()["sites"], json!(["http.server"]));
    assert_eq!(replaced.json()["stats"]["injected"], 0);
    assert!(!pass(site) && pass(elsewhere));

    let deleted = port
        .write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    assert_eq!(deleted.header("etag"), Some("\"3\""));
    assert!(deleted.body.is_empty());
    port.get("/v1/rules/a").await.problem(404);
    assert_eq!(port.rules().await, json!({ "generation": 3, "rules": [] }));
}

#[tokio::test]
async fn rules_stand_in_order_and_are_replaced_in_place() {
    let port = Port::new();
    for id in ["c", "a", "b"] {
        let path = format!("/v1/rules/{id}");
        port.write("PUT", &path, failing("db.read"))
            .await
            .expect(201);
    }
    port.write("PUT", "/v1/rules/a", failing("db.write"))
        .await
        .expect(200);
    let rules = port.rules().await;
    let ids: Vec<_> = rules["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["id"])
        .collect();
    assert_eq!(ids, ["c", "a", "b"]);
    assert_eq!(rules["generation"], 4);
}

#[tokio::test]
async fn a_rule_is_shown_as_it_was_written() {
    let port = Port::new();
    let written = json!({
        "id": "full",
        "site": "http.server",
        "reason": "GameDay",
        "enabled": false,
        "mode": "shadow",
        "final": true,
        "match": { "path": "/checkout/{id}", "headers": { "x-tenant": { "not": "acme" } } },
        "rate": 0.05,
        "seed": 42,
        "limit": 100,
        "ttl": "2h",
        "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }],
    });
    port.write("PUT", "/v1/rules/full", written.clone())
        .await
        .expect(201);
    let mut shown = port.get("/v1/rules/full").await.json();
    let fields = shown.as_object_mut().unwrap();
    assert_eq!(
        fields.remove("stats").unwrap()["expires_in"],
        Value::Null,
        "it is off"
    );
    assert_eq!(fields.remove("sites"), Some(json!([])));
    // And it can be written again as it was shown, with nothing changed.
    let again = json!({ "rules": [shown.clone()] });
    let warnings = shown.as_object_mut().unwrap().remove("warnings").unwrap();
    assert_eq!(warnings[0]["field"], "site", "no such site was made");
    assert_eq!(shown, written);
    let answer = port.write("PUT", "/v1/rules", again).await.expect(200);
    assert_eq!(answer.json()["unchanged"], json!(["full"]));
}

#[tokio::test]
async fn toggling_keeps_the_counts() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    assert!(pass(site));

    let off = port
        .write("PATCH", "/v1/rules/a", json!({ "enabled": false }))
        .await
        .expect(200);
    assert_eq!(off.json()["stats"]["injected"], 1);
    assert_eq!(off.header("etag"), Some("\"2\""));
    assert!(!pass(site) && !site.is_armed());

    let merge_patch = axum::http::Request::patch("/v1/rules/a").header(
        "content-type",
        "application/merge-patch+json; charset=utf-8",
    );
    let on = port
        .send(merge_patch, r#"{"enabled":true}"#)
        .await
        .expect(200);
    assert_eq!(on.json()["stats"]["injected"], 1);
    assert!(pass(site));
    assert_eq!(port.get("/v1/rules/a/injections").await.text(), "2");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let port = Port::new();
    let rule = json!({
        "site": "db.read", "rate": 0.5, "reason": "first",
        "match": { "labels": { "table": "orders", "shard": "1" } },
        "faults": [{ "latency": "1s" }, { "status": 503 }],
    });
    port.write("PUT", "/v1/rules/a", rule).await.expect(201);
    let patch = json!({
        "rate": null,
        "reason": "second",
        "match": { "labels": { "shard": null } },
        "faults": [{ "latency": "2s" }],
    });
    let patched = port
        .write("PATCH", "/v1/rules/a", patch)
        .await
        .expect(200)
        .json();
    assert_eq!(patched.get("rate"), None);
    assert_eq!(patched["reason"], "second");
    assert_eq!(patched["site"], "db.read");
    assert_eq!(patched["match"], json!({ "labels": { "table": "orders" } }));
    assert_eq!(patched["faults"], json!([{ "latency": "2s" }]));
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    for id in ["kept", "edited", "gone"] {
        let path = format!("/v1/rules/{id}");
        port.write("PUT", &path, failing("db.read"))
            .await
            .expect(201);
    }
    assert!(pass(site));
    let before = port.rules().await;

    let named = |id: &str, site: &str| {
        let mut rule = failing(site);
        rule["id"] = json!(id);
        rule
    };
    let list = json!({ "rules": [
        named("new", "db.read"), named("kept", "db.read"), named("edited", "db.write"),
    ] });
    let lists = json!({
        "added": ["new"], "changed": ["edited"], "removed": ["gone"], "unchanged": ["kept"],
        "moved": [],
        "warnings": [{ "rule": "edited", "field": "site", "detail": "no site is called \"db.write\"",
            "suggestion": "db.read" }],
    });
    let with_generation = |generation: u64| {
        let mut expected = lists.clone();
        expected["generation"] = json!(generation);
        expected
    };

    let dry = port
        .write("PUT", "/v1/rules?dry_run=true", list.clone())
        .await
        .expect(200);
    assert_eq!(dry.json(), with_generation(3));
    assert_eq!(dry.header("etag"), Some("\"3\""));
    assert_eq!(port.rules().await, before);

    let wet = port
        .write("PUT", "/v1/rules?dry_run=false", list)
        .await
        .expect(200);
    assert_eq!(wet.json(), with_generation(4));
    assert_eq!(wet.header("etag"), Some("\"4\""));
    let after = port.rules().await;
    assert_eq!(after["rules"][1]["id"], "kept");
    assert_eq!(
        after["rules"][1]["stats"]["injected"], 1,
        "an unchanged rule goes on"
    );
}

/// The first fault that ends a call is the one that counts, so a swap is no small thing.
#[tokio::test]
async fn rules_that_change_places_are_not_unchanged() {
    let list = |ids: &str| {
        // A capital is the same rule with something else in it.
        let rule = |id: char| {
            let site = if id.is_uppercase() {
                "other"
            } else {
                "db.read"
            };
            let mut rule = failing(site);
            rule["id"] = json!(id.to_ascii_lowercase().to_string());
            rule
        };
        let rules: Vec<_> = ids.chars().map(rule).collect();
        json!({ "rules": rules })
    };
    for (before, after, unchanged, moved) in [
        ("abc", "abc", "abc", ""),
        ("abc", "bac", "c", "ba"),
        ("abc", "acb", "a", "cb"),
        ("abc", "cba", "", "cba"),
        ("abcd", "bcad", "d", "bca"),
        // What comes and goes moves nothing.
        ("abc", "xaybcz", "abc", ""),
        ("abc", "bc", "bc", ""),
        ("abc", "xcya", "", "ca"),
        // What is changed has its place, too.
        ("abc", "Bac", "c", "a"),
        ("abc", "aBc", "ac", ""),
    ] {
        let port = Port::new();
        let put = async |query: &str, ids: &str| {
            let path = format!("/v1/rules{query}");
            port.write("PUT", &path, list(ids)).await.expect(200).json()
        };
        put("", before).await;
        for query in ["?dry_run=true", ""] {
            let answer = put(query, after).await;
            let ids = |key: &str| -> String {
                let ids = answer[key].as_array().unwrap().iter();
                ids.map(|id| id.as_str().unwrap()).collect()
            };
            let found = (ids("unchanged"), ids("moved"));
            let expected = (unchanged.to_owned(), moved.to_owned());
            assert_eq!(found, expected, "{before} to {after}{query}");
        }
    }
}

#[tokio::test]
async fn a_rule_that_aims_at_no_known_site_is_accepted_and_shown_as_such() {
    let port = Port::new();
    let made = port
        .write("PUT", "/v1/rules/early", failing("cache.*"))
        .await
        .expect(201);
    assert_eq!(made.json()["sites"], json!([]));
    // It waits for its site.
    let site = port.injector.site("cache.get");
    assert_eq!(
        port.get("/v1/rules/early").await.json()["sites"],
        json!(["cache.get"])
    );
    assert!(pass(site));
}

#[tokio::test]
async fn sites_say_where_they_stand_and_who_aims_at_them() {
    let port = Port::new();
    let (read, line) = (port.injector.site("db.read"), line!());
    let server = port.injector.site("http.server");
    port.write("PUT", "/v1/rules/all", failing("**"))
        .await
        .expect(201);
    let mut off = failing("db.read");
    off["enabled"] = json!(false);
    port.write("PUT", "/v1/rules/off", off).await.expect(201);

    let sites = port.get("/v1/sites").await.expect(200).json();
    assert_eq!(
        sites["sites"][0],
        json!({
            "name": "db.read", "kind": "layer", "file": file!(), "line": line,
            "labels": [], "armed": true, "rules": ["all", "off"],
            "exempt": { "health_checks": true, "paths": [] },
        })
    );
    assert_eq!(sites["sites"][1]["rules"], json!(["all"]));
    assert_eq!(sites["sites"].as_array().unwrap().len(), 2);
    assert!(read.is_armed() && server.is_armed());
}

/// A layer asks its first call for its peer, and looked armed until then.
#[tokio::test]
async fn a_layer_that_no_call_has_passed_is_not_shown_as_armed() {
    let port = Port::new();
    port.injector.site("http.server").ask_for_peer();
    let armed = async || port.get("/v1/sites").await.json()["sites"][0]["armed"].clone();
    assert_eq!(armed().await, false);
    port.write("PUT", "/v1/rules/a", failing("http.server"))
        .await
        .expect(201);
    assert_eq!(armed().await, true);
    port.write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    assert_eq!(armed().await, false);
}

#[tokio::test]
async fn sites_of_macros_are_shown_before_their_first_call() {
    fn never_called() -> Result<(), chaos_core::Injected> {
        chaos_core::inject!("twice.read", table = "orders")?;
        chaos_core::inject!("twice.read")
    }
    let _ = never_called;
    let injector = chaos_core::global().clone();
    let port = Port::of(injector);
    let rule = port
        .write("PUT", "/v1/rules/a", failing("twice.*"))
        .await
        .expect(201);
    assert_eq!(
        rule.json()["sites"],
        json!(["twice.read"]),
        "one name, though two places"
    );

    let sites = port.get("/v1/sites").await.json();
    let places = sites["sites"].as_array().unwrap();
    let [first, second] = places.as_slice() else {
        panic!("{sites}");
    };
    assert_eq!(first["labels"], json!(["table"]));
    assert_eq!(
        (&first["name"], &second["name"]),
        (&json!("twice.read"), &json!("twice.read"))
    );
    assert_eq!(first["kind"], "sync");
    assert!(first["line"].as_u64() < second["line"].as_u64());
}

#[tokio::test]
async fn status_follows_the_rules_and_the_kill_switch() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let port = Port::of(injector);
    let site = port.injector.site("db.read");
    let status = async || {
        let mut status = port.get("/v1/status").await.expect(200).json();
        for field in ["service", "run", "since", "version"] {
            let said = status.as_object_mut().unwrap().remove(field);
            assert!(said.is_some_and(|said| said.is_string()), "{field}");
        }
        status
    };
    let mut expected = json!({
        "you": { "name": "anyone", "role": "arm" },
        "state": "idle", "generation": 0, "rules": 0, "overlays": 0, "injected": 0, "active": 0,
        "compiled_out": false, "breaches": [],
        "policy": {
            "max_rules": 10000, "max_rule_bytes": "16MiB", "max_guards": 64, "max_expressions": "64KiB",
            "token_process_faults": false, "exit": false, "burn": { "cpu": 1.0, "memory": "256MiB", "for": "1m" } },
        "audit": { "last": 0 }, "listeners": 0,
    });
    assert_eq!(status().await, expected);

    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    assert!(pass(site));
    expected["state"] = json!("armed");
    expected["audit"]["last"] = json!(1);
    (
        expected["generation"],
        expected["rules"],
        expected["injected"],
    ) = (json!(1), json!(1), json!(1));
    assert_eq!(status().await, expected);

    let reason = json!({ "reason": "enough seen" });
    let halted = port
        .write("POST", "/v1/halt", reason)
        .await
        .expect(200)
        .json();
    assert_eq!(halted["state"], "halted");
    assert!(!pass(site));
    clock.advance(Duration::from_millis(1500));
    // The first reason stands, also that of one who halts twice, and so does the halt through edits.
    port.write("POST", "/v1/halt", json!({ "reason": "me too" }))
        .await
        .expect(200);
    port.write("PUT", "/v1/rules/b", failing("db.read"))
        .await
        .expect(201);
    assert!(!pass(site));
    let halted = status().await;
    assert_eq!(
        halted["halted"],
        json!({
            "reason": "enough seen", "by": "anyone", "seconds_ago": 1.5,
            "holders": [{
                "kind": "person", "by": "anyone", "address": null, "reason": "enough seen",
                "seconds_ago": 1.5, "locked": false,
            }],
        })
    );
    assert_eq!(halted["rules"], 2);

    let resumed = port
        .write("POST", "/v1/resume", json!({ "reason": "go on" }))
        .await
        .expect(200);
    assert_eq!(resumed.json()["state"], "armed");
    assert_eq!(resumed.json().get("halted"), None);
    assert!(pass(site));
}

#[tokio::test]
async fn time_left_is_in_seconds_and_ends_at_zero() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let port = Port::of(injector);
    let mut rule = failing("db.read");
    rule["ttl"] = json!("90s");
    port.write("PUT", "/v1/rules/short", rule.clone())
        .await
        .expect(201);
    rule["ttl"] = json!("never");
    port.write("PUT", "/v1/rules/endless", rule)
        .await
        .expect(201);
    let left = async |id: &str| {
        let rule = port.get(&format!("/v1/rules/{id}")).await.json();
        rule["stats"]["expires_in"].clone()
    };
    clock.advance(Duration::from_micros(250_400));
    assert_eq!(left("short").await, json!(89.749));
    clock.advance(Duration::from_secs(100));
    assert_eq!(left("short").await, json!(0.0));
    assert_eq!(left("endless").await, Value::Null);
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let port = Port::new();
    let head = port
        .send(json_request("HEAD", "/v1/rules"), "")
        .await
        .expect(200);
    assert_eq!(head.header("etag"), Some("\"0\""));
    assert!(head.body.is_empty());
    assert_eq!(port.get("/healthz").await.expect(200).text(), "ok\n");
}

/// Each answer that shows or accepts a rule says what it cannot do.
#[tokio::test]
async fn a_rule_that_cannot_hit_is_accepted_with_a_warning() {
    let port = Port::new();
    let _ = port.injector.site("http.server");
    let _ = port
        .injector
        .site_of("db.read", chaos_core::SiteKind::Async);
    let rule = json!({ "site": "db.read", "match": { "path": "/orders" }, "faults": [{ "error": "lost" }] });
    let fields = |warnings: &Value| -> Vec<String> {
        let warnings = warnings.as_array().unwrap().iter();
        warnings
            .map(|warning| warning["field"].as_str().unwrap().to_owned())
            .collect()
    };
    let put = port.write("PUT", "/v1/rules/a", rule.clone()).await;
    let put = put.expect(201).json();
    let warning = json!({ "rule": "a", "field": "match.path", "detail": "no request passes db.read",
        "suggestion": "the site of a layer" });
    assert_eq!(put["warnings"], json!([warning]));
    let shown = port.get("/v1/rules/a").await.json();
    assert_eq!(shown["warnings"], put["warnings"]);
    assert_eq!(port.rules().await["rules"][0]["warnings"], put["warnings"]);
    let ask = json!({ "rule": "a", "ordinals": [0, 1] });
    let preview = port.write("POST", "/v1/preview", ask).await.json();
    assert_eq!(preview["warnings"], put["warnings"]);

    let patch = json!({ "match": null, "faults": [{ "body": { "throttle": "1MiB/s" } }] });
    let patched = port.write("PATCH", "/v1/rules/a", patch).await.json();
    assert_eq!(fields(&patched["warnings"]), ["faults[0]"]);
    let patch = json!({ "site": "http.servre" });
    let patched = port.write("PATCH", "/v1/rules/a", patch).await.json();
    assert_eq!(fields(&patched["warnings"]), ["site"]);
    assert_eq!(patched["warnings"][0]["suggestion"], "http.server");
    let patch = json!({ "site": "http.server" });
    let patched = port.write("PATCH", "/v1/rules/a", patch).await.json();
    assert_eq!(patched["warnings"], json!([]));
}
