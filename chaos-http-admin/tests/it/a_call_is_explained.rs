//! `POST /v1/explain` says what each rule would do with a call, and the rule does so.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use chaos_core::{Call, Injector, Policy, Rate, SiteKind, testing::ManualClock, trigger::Budget};
use serde_json::{Value, json};

use crate::support::{document::Document, port::Port};

fn port() -> (Port, ManualClock) {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let _ = injector.site_of("http.server", SiteKind::Layer);
    (Port::of(injector), clock)
}

async fn put(port: &Port, id: &str, rule: Value) {
    let path = format!("/v1/rules/{id}");
    let answer = port.write("PUT", &path, rule).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

/// What each rule would do, by its id.
async fn explain(port: &Port, site: &str, call: Value) -> Vec<Value> {
    let question = json!({ "site": site, "call": call });
    let answer = port.write("POST", "/v1/explain", question).await;
    let answer = answer.expect(200);
    let document = Document::new();
    document.assert_said(&document.0["paths"]["/v1/explain"]["post"], &answer);
    assert_eq!(answer.json()["site"], site);
    answer.json()["rules"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_condition_that_fails_is_said_with_wanted_and_got() {
    let (port, _) = port();
    let rule = json!({
        "site": "http.*",
        "match": {
            "method": "POST", "path": "/checkout/{id}", "host": "shop.example",
            "headers": { "x-tier": ["gold", "silver"] }, "query": { "debug": { "present": false } },
        },
        "faults": [{ "status": 503 }],
    });
    put(&port, "aimed", rule).await;
    put(
        &port,
        "elsewhere",
        json!({ "site": "db.read", "faults": [{ "error": "x" }] }),
    )
    .await;
    let call = json!({
        "method": "GET", "path": "/cart/7", "host": "shop.example:8080",
        "headers": { "x-tier": "bronze" }, "query": { "debug": "1 2" },
    });
    let explained = explain(&port, "http.server", call).await;
    let [rule] = &explained[..] else {
        panic!("{explained:?}")
    };
    assert_eq!(
        (&rule["rule"], &rule["matches"]),
        (&json!("aimed"), &json!(false))
    );
    assert_eq!(rule["hits"], false);
    let expected = json!([
        { "field": "match.method", "wanted": "POST", "got": ["GET"] },
        { "field": "match.path", "wanted": "/checkout/{id}", "got": ["/cart/7"] },
        { "field": "match.headers.x-tier", "wanted": ["gold", "silver"], "got": ["bronze"] },
        { "field": "match.query.debug", "wanted": { "present": false }, "got": ["1 2"] },
    ]);
    assert_eq!(rule["mismatches"], expected);

    let call = json!({
        "method": "POST", "path": "/checkout/7", "host": "shop.example",
        "headers": { "x-tier": "gold" },
    });
    let rule = &explain(&port, "http.server", call).await[0];
    assert_eq!(
        (&rule["matches"], &rule["hits"]),
        (&json!(true), &json!(true))
    );
    // Nothing of this was counted.
    assert_eq!(port.injector.counts("aimed").unwrap().matched, 0);
}

#[tokio::test]
async fn the_draw_of_a_key_says_who_is_hit() {
    let (port, _) = port();
    let rule = json!({
        "site": "http.server", "key": "header:x-user-id", "rate": 0.3, "faults": [{ "status": 503 }],
    });
    put(&port, "cohort", rule).await;
    let site = port.injector.site("http.server");
    let mut hit = 0;
    for user in 0..50 {
        let user = format!("user-{user}");
        let call = json!({ "headers": { "x-user-id": user } });
        let rule = explain(&port, "http.server", call).await.remove(0);
        let draw = rule["draw"].as_f64().unwrap();
        assert_eq!(rule["rate"], 0.3);
        assert_eq!(rule["hits"], draw < 0.3);
        assert_eq!(rule["key"]["value"], user);
        let mut headers = HeaderMap::new();
        headers.insert("x-user-id", HeaderValue::try_from(&user).unwrap());
        let uri = Uri::from_static("/");
        let is_hit = site
            .decide(&Call::http(&Method::GET, &uri, &headers))
            .is_some();
        assert_eq!(rule["hits"], is_hit, "{rule}");
        hit += u32::from(is_hit);
    }
    assert!((1..49).contains(&hit), "{hit}");
    let rule = &explain(&port, "http.server", json!({})).await[0];
    assert_eq!(
        rule["key"],
        json!({ "key": "header:x-user-id", "value": null })
    );
    assert_eq!(
        (&rule["obstacles"], &rule["hits"]),
        (&json!(["no_key"]), &json!(false))
    );
}

#[tokio::test]
async fn what_keeps_a_rule_from_it_is_said() {
    let (port, clock) = port();
    let site = port.injector.site("http.server");
    let rule = |field: &str, value: Value| {
        let mut rule = json!({ "site": "http.server", "faults": [{ "status": 503 }] });
        rule[field] = value;
        rule
    };
    put(&port, "ended", rule("ttl", json!("1s"))).await;
    put(&port, "off", rule("enabled", json!(false))).await;
    put(&port, "shadow", rule("mode", json!("shadow"))).await;
    put(&port, "limited", rule("limit", json!(1))).await;
    put(&port, "chance", rule("rate", json!(0.5))).await;
    clock.advance(Duration::from_secs(1));
    while port.injector.counts("limited").unwrap().injected == 0 {
        site.decide(&Call::new())
            .and_then(|mut hit| hit.next_plan());
    }
    let of = |explained: Vec<Value>| {
        let rules = explained.into_iter();
        let rules = rules.map(|rule| json!([rule["rule"], rule["obstacles"], rule["hits"]]));
        Value::from(rules.collect::<Vec<_>>())
    };
    let expected = json!([
        ["ended", ["ended"], false],
        ["off", ["disabled"], false],
        ["shadow", ["shadow"], false],
        ["limited", ["limit_used_up"], false],
        ["chance", [], null],
    ]);
    assert_eq!(of(explain(&port, "http.server", json!({})).await), expected);
    // Code has no headers to set.
    let _ = port.injector.site_of("db.read", SiteKind::Sync);
    let headers = json!([{ "headers": { "set": { "a": "b" } } }]);
    put(
        &port,
        "no-fault",
        json!({ "site": "db.read", "faults": headers }),
    )
    .await;
    let expected = json!([["no-fault", ["no_fault"], false]]);
    assert_eq!(of(explain(&port, "db.read", json!({})).await), expected);
    let health = explain(&port, "http.server", json!({ "path": "/healthz" })).await;
    assert_eq!(health[4]["obstacles"], json!(["exempt"]));
    port.injector.halt("enough");
    let halted = explain(&port, "http.server", json!({})).await;
    assert_eq!(halted[4]["obstacles"], json!(["halted"]));
}

/// Code sees no request, whatever the question says.
#[tokio::test]
async fn what_calls_there_do_not_have_they_do_not_get() {
    let (port, _) = port();
    let _ = port.injector.site_of("db.read", SiteKind::Sync);
    let rule = json!({
        "site": "db.read", "match": { "path": "/checkout" }, "key": "header:x-user-id",
        "faults": [{ "error": "x" }],
    });
    put(&port, "r", rule).await;
    let call = json!({ "path": "/checkout", "headers": { "x-user-id": "carol" } });
    let rule = &explain(&port, "db.read", call.clone()).await[0];
    assert_eq!(rule["mismatches"][0]["got"], json!([]));
    assert_eq!(rule["obstacles"], json!(["no_key"]));
    // A layer of that name is what a request passes.
    let _ = port.injector.site_of("db.read", SiteKind::Layer);
    let rule = &explain(&port, "db.read", call).await[0];
    assert_eq!(
        (&rule["obstacles"], &rule["hits"]),
        (&json!([]), &json!(true))
    );
}

/// What the policy has left is not known before, so nobody is promised a hit.
#[tokio::test]
async fn what_the_policy_may_spare_is_not_foreseen() {
    let (port, _) = port();
    let rule = json!({ "site": "http.server", "faults": [{ "status": 503 }] });
    put(&port, "r", rule).await;
    for policy in [
        Policy::new().total(NonZeroU64::MIN),
        Policy::new().active(NonZeroU32::MIN),
        Policy::new().budget(Budget::new().share(Rate::new(0.1).unwrap())),
    ] {
        port.injector.set_policy(policy);
        let rule = &explain(&port, "http.server", json!({})).await[0];
        assert_eq!(rule["hits"], Value::Null, "{rule}");
    }
    port.injector.set_policy(Policy::new());
    let rule = &explain(&port, "http.server", json!({})).await[0];
    assert_eq!(rule["hits"], true);
}

#[tokio::test]
async fn a_key_of_a_replay_by_number_is_not_foreseen() {
    let (port, _) = port();
    let rule = json!({
        "site": "http.server", "key": "header:x-user-id", "replay": { "ordinals": [0] },
        "faults": [{ "status": 503 }],
    });
    let path = "/v1/rules/r";
    let answer = port.write("PUT", path, rule).await;
    // The pair may come to be refused; it must not be explained wrongly while it is taken.
    if answer.status.is_success() {
        let call = json!({ "headers": { "x-user-id": "carol" } });
        let rule = &explain(&port, "http.server", call).await[0];
        assert_eq!(rule["hits"], Value::Null, "{rule}");
    }
}

#[tokio::test]
async fn a_peer_is_asked_about_at_layers_and_connections() {
    let (port, _) = port();
    let _ = port.injector.site_of("tcp.accept", SiteKind::Connection);
    let rule = json!({ "site": "http.server", "key": "peer", "faults": [{ "status": 503 }] });
    put(&port, "layer", rule).await;
    let rule = json!({
        "site": "tcp.accept", "match": { "labels": { "peer": "192.0.2.7" } },
        "faults": [{ "latency": "1s" }],
    });
    put(&port, "connection", rule).await;
    let peer = json!({ "peer": "192.0.2.7" });
    let rule = &explain(&port, "http.server", peer.clone()).await[0];
    assert_eq!(rule["key"], json!({ "key": "peer", "value": "192.0.2.7" }));
    assert_eq!(rule["hits"], true);
    let rule = &explain(&port, "tcp.accept", peer).await[0];
    assert_eq!(
        (&rule["matches"], &rule["hits"]),
        (&json!(true), &json!(true))
    );
    let other = json!({ "peer": "192.0.2.8" });
    let rule = &explain(&port, "tcp.accept", other).await[0];
    assert_eq!(rule["mismatches"][0]["got"], json!(["192.0.2.8"]));
}

/// A question is answered for each of ten thousand rules, so it is small itself, and what is repeated of it smaller.
#[tokio::test]
async fn a_large_question_is_refused_and_a_long_value_is_cut() {
    let (port, _) = port();
    let many = |n: usize| -> Value {
        let headers = (0..n).map(|n| (format!("x-{n}"), json!("")));
        json!({ "headers": headers.collect::<serde_json::Map<_, _>>() })
    };
    let long = |n: usize| json!({ "headers": { "x-user-id": "a".repeat(n) } });
    for (call, field) in [
        (many(101), "call.headers"),
        (many(30_000), "call.headers"),
        (long(8193), "call.headers.x-user-id"),
        (json!({ "path": "/a#b" }), "call.path"),
        (
            json!({ "path": format!("/{}", "a".repeat(8192)) }),
            "call.path",
        ),
        (json!({ "peer": "192.0.2.7:80" }), "call.peer"),
    ] {
        let question = json!({ "site": "http.server", "call": call });
        let problem = port
            .write("POST", "/v1/explain", question)
            .await
            .problem(400);
        assert_eq!(problem["field"], field, "{problem}");
    }
    let query: serde_json::Map<_, _> = (0..100)
        .map(|n| (format!("q{n}"), json!("a".repeat(8192))))
        .collect();
    let question = json!({ "site": "http.server", "call": { "query": query } });
    let problem = port
        .write("POST", "/v1/explain", question)
        .await
        .problem(400);
    assert_eq!(problem["field"], "call.query", "{problem}");

    let rule = json!({
        "site": "http.server", "match": { "headers": { "x-user-id": "carol" } },
        "faults": [{ "status": 503 }],
    });
    put(&port, "r", rule).await;
    explain(&port, "http.server", many(100)).await;
    let rule = &explain(&port, "http.server", long(8192)).await[0];
    let got = rule["mismatches"][0]["got"][0].as_str().unwrap();
    assert_eq!(got.len(), 256);
}

#[tokio::test]
async fn a_bad_question_is_refused_by_field() {
    let (port, _) = port();
    for (status, body, field) in [
        (400, json!([]), "body"),
        (400, json!({}), "site"),
        (404, json!({ "site": "http.servr" }), "site"),
        (400, json!({ "site": "http.server", "rule": "a" }), "rule"),
        (400, json!({ "site": "http.server", "call": [] }), "call"),
        (
            400,
            json!({ "site": "http.server", "call": { "body": "" } }),
            "call.body",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "path": "x" } }),
            "call.path",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "path": "/a b" } }),
            "call.path",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "method": "A B" } }),
            "call.method",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "method": 1 } }),
            "call.method",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "host": "a\nb" } }),
            "call.host",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "headers": { "a b": "" } } }),
            "call.headers.a b",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "headers": { "a": "\n" } } }),
            "call.headers.a",
        ),
        (
            400,
            json!({ "site": "http.server", "call": { "query": { "a": 1 } } }),
            "call.query.a",
        ),
        (
            404,
            json!({ "site": "http.server", "call": { "labels": { "table": "a" } } }),
            "call.labels.table",
        ),
    ] {
        let answer = port.write("POST", "/v1/explain", body).await;
        let problem = answer.problem(status);
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["allowed"].is_string(), "{problem}");
    }
}
