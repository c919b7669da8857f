//! `/v1/rules/{id}/outcomes` shows what an observed rule does to calls, by groups that can be compared.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{body::Body, http::Request};
use chaos_core::{Call, Injector, SiteKind, inject, testing::ManualClock};
use chaos_http_admin::Admin;
use serde_json::{Value, json};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing},
    wire::{ANN, BOB, EVE, tokens},
};

const PATH: &str = "/v1/rules/lost/outcomes";

struct Observed {
    port: Port,
    clock: ManualClock,
    document: Document,
}

impl Observed {
    /// A port with a rule `lost`, which hits every second read.
    async fn new() -> Self {
        let clock = ManualClock::new();
        let injector = Injector::with_clock(clock.clone());
        let port = Port::of(injector);
        let _ = port.injector.site_of("db.read", SiteKind::Sync);
        let _ = port.injector.site("http.server");
        let mut rule = failing("db.read");
        rule["every"] = json!(2);
        port.write("PUT", "/v1/rules/lost", rule).await.expect(201);
        let document = Document::new();
        Self {
            port,
            clock,
            document,
        }
    }

    /// Serves requests, each of which reads once, and takes a millisecond if it is not hit.
    fn serve(&self, requests: u32) {
        let site = self.port.injector.site("http.server");
        for _ in 0..requests {
            let mut call = site.measure(&Call::new(), None).expect("it is measured");
            let read = || inject!(injector: &self.port.injector, "db.read").is_err();
            let mut cx = Context::from_waker(Waker::noop());
            let read = call.poll(&mut cx, |_| Poll::Ready(read()));
            let has_failed = read == Poll::Ready(true);
            if !has_failed {
                self.clock.advance(Duration::from_millis(1));
            }
            call.end(has_failed);
        }
    }

    fn as_said(&self, method: &str, answer: Answer) -> Answer {
        let said = &self.document.0["paths"]["/v1/rules/{id}/outcomes"][method];
        self.document.assert_said(said, &answer);
        answer
    }

    async fn put(&self, body: Value) -> Answer {
        self.as_said("put", self.port.write("PUT", PATH, body).await)
    }

    async fn get(&self) -> Answer {
        self.as_said("get", self.port.get(PATH).await)
    }

    async fn delete(&self) -> Answer {
        let request = Request::delete(PATH);
        self.as_said("delete", self.port.send(request, Body::empty()).await)
    }
}

fn nothing() -> Value {
    json!({ "calls": 0, "failed": 0, "latency": null, "histogram_nanos": [] })
}

#[tokio::test]
async fn what_is_hit_stands_beside_what_is_spared() {
    let observed = Observed::new().await;
    let sites = json!({ "sites": ["http.server", "db.read"] });
    let begun = observed.put(sites.clone()).await.expect(200).json();
    let since = begun["since"].as_str().unwrap().to_owned();
    let zero = json!({
        "rule": "lost",
        "since": since,
        "is_over": false,
        "sites": [
            { "site": "http.server", "hit": nothing(), "spared": nothing(), "unmatched": nothing() },
            { "site": "db.read", "hit": nothing(), "spared": nothing(), "unmatched": null },
        ],
    });
    assert_eq!(begun, zero);
    assert_eq!(observed.get().await.expect(200).json(), zero);

    observed.serve(10);
    let shown = observed.get().await.expect(200).json();
    let [request, read] = shown["sites"].as_array().unwrap().as_slice() else {
        panic!("{shown}");
    };
    let counted = |group: &Value| [group["calls"].clone(), group["failed"].clone()];
    assert_eq!(counted(&request["hit"]), [5, 5]);
    assert_eq!(counted(&request["spared"]), [5, 0]);
    assert_eq!(request["unmatched"], nothing());
    assert_eq!(counted(&read["hit"]), [5, 0]);
    assert_eq!(counted(&read["spared"]), [5, 0]);
    assert_eq!(read["hit"]["latency"], Value::Null);
    // A millisecond is within 3.1 percent, and in one bucket.
    let spared = &request["spared"];
    let median = spared["latency"]["p50"].as_f64().unwrap();
    assert!((median - 1e-3).abs() < 31e-6, "{spared}");
    assert_eq!(spared["histogram_nanos"][0][1], 5);
    let end = spared["histogram_nanos"][0][0].as_u64().unwrap();
    assert!((1_000_001..1_062_500).contains(&end), "{spared}");
    assert_eq!(request["hit"]["histogram_nanos"], json!([[64, 5]]));
    let injections = observed.port.get("/v1/rules/lost/injections").await;
    assert_eq!(injections.json(), 5);

    assert_eq!(
        observed.put(sites).await.expect(200).json()["sites"],
        zero["sites"]
    );
}

#[tokio::test]
async fn the_last_counts_are_read_when_the_rule_is_gone() {
    let observed = Observed::new().await;
    observed
        .put(json!({ "sites": ["http.server"] }))
        .await
        .expect(200);
    observed.serve(4);
    let rule = Request::delete("/v1/rules/lost");
    observed.port.send(rule, Body::empty()).await.expect(204);
    observed.serve(1);
    let shown = observed.get().await.expect(200).json();
    assert_eq!(shown["is_over"], true);
    let site = &shown["sites"][0];
    assert_eq!(
        (&site["hit"]["calls"], &site["spared"]["calls"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(site["unmatched"]["calls"], 1);
    observed.delete().await.expect(204);
    let gone = observed.get().await.problem(404);
    assert_eq!(gone["detail"], "there is no rule `lost`");
    assert!(!observed.port.injector.site("http.server").is_armed());
}

#[tokio::test]
async fn an_observer_that_is_gone_costs_nothing_for_long() {
    let observed = Observed::new().await;
    observed
        .put(json!({ "sites": ["http.server"] }))
        .await
        .expect(200);
    observed.clock.advance(Duration::from_secs(59));
    observed.get().await.expect(200);
    observed.clock.advance(Duration::from_secs(59));
    observed.get().await.expect(200);
    observed.clock.advance(Duration::from_secs(60));
    let problem = observed.get().await.problem(404);
    assert_eq!(problem["rule"], "lost");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("is not observed"), "{detail}");
    observed.delete().await.problem(404);
    assert!(!observed.port.injector.site("http.server").is_armed());
}

/// A dashboard once kept the calls slower for as long as it was open, after the driver of the experiment was gone.
#[tokio::test]
async fn who_may_only_look_keeps_nothing_observed() {
    let mut observed = Observed::new().await;
    let admin = Admin::new(observed.port.injector.clone());
    observed.port.router = admin.access_tokens(tokens()).router();
    let injector = observed.port.injector.clone();
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let ask = async |secret: &str, status| {
        observed.clock.advance(Duration::from_secs(20));
        let request = Request::get(PATH).header("authorization", format!("Bearer {secret}"));
        let answer = observed.port.send(request, Body::empty()).await;
        answer.expect(status);
    };
    for _ in 0..3 {
        ask(EVE, 200).await;
        ask(ANN, 200).await;
    }
    ask(EVE, 200).await;
    ask(BOB, 200).await;
    ask(EVE, 404).await;
    assert!(!injector.site("http.server").is_armed());
}

#[tokio::test]
async fn keys_are_in_64_groups() {
    let observed = Observed::new().await;
    let mut rule = failing("http.server");
    rule["key"] = json!("label:user");
    observed
        .port
        .write("PUT", "/v1/rules/lost", rule)
        .await
        .expect(200);
    observed
        .put(json!({ "sites": ["http.server"] }))
        .await
        .expect(200);
    let shown = observed.get().await.expect(200).json();
    let keys = shown["sites"][0]["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 64);
    assert_eq!(
        keys[0],
        json!({
            "hit": { "calls": 0, "failed": 0 },
            "spared": { "calls": 0, "failed": 0 },
        })
    );
}

#[tokio::test]
async fn what_cannot_be_observed_names_the_field() {
    let observed = Observed::new().await;
    let _ = (observed.port.injector).site_of("tcp.listener", SiteKind::Connection);
    let many: Vec<_> = (0..17).map(|at| format!("site.{at}")).collect();
    for name in &many {
        let _ = observed.port.injector.site(name);
    }
    for (body, field, status) in [
        (json!({}), "sites", 400),
        (json!({ "sites": "http.server" }), "sites", 400),
        (json!({ "sites": [] }), "sites", 400),
        (json!({ "sites": ["http.server", 7] }), "sites[1]", 400),
        (json!({ "sites": ["http.server", "none"] }), "sites[1]", 404),
        (json!({ "sites": ["tcp.listener"] }), "sites[0]", 409),
        (json!({ "sites": many }), "sites", 400),
        (json!({ "sites": ["http.server"], "for": "5m" }), "for", 400),
        (json!(["http.server"]), "body", 400),
    ] {
        let problem = observed.put(body.clone()).await.problem(status);
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(problem["allowed"].is_string(), "{problem}");
    }
    observed.get().await.problem(404);
    let sites = json!({ "sites": ["http.server"] });
    let unknown = observed
        .port
        .write("PUT", "/v1/rules/none/outcomes", sites.clone());
    assert_eq!(unknown.await.problem(404)["rule"], "none");
    for at in 0..16 {
        let rule = format!("/v1/rules/rule-{at}");
        observed
            .port
            .write("PUT", &rule, failing("db.read"))
            .await
            .expect(201);
        let path = format!("{rule}/outcomes");
        observed
            .port
            .write("PUT", &path, sites.clone())
            .await
            .expect(200);
    }
    let problem = observed.put(sites).await.problem(409);
    assert_eq!(problem["detail"], "16 other rules are observed");
}
