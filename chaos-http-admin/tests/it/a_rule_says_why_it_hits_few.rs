//! `/v1/rules/{id}/why` accounts for the calls at the watched sites of a rule, and says what to do if none is watched.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Uri};
use chaos_core::{Call, Injector, SiteKind, SiteWatch, inject, testing::ManualClock};
use chaos_http_admin::Admin;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing},
};

const MS: Duration = Duration::from_millis(1);

struct Asked {
    port: Port,
    clock: ManualClock,
    document: Document,
}

impl Asked {
    /// A port with a rule `lost`, which hits every second checkout, up to two.
    async fn new() -> Self {
        let clock = ManualClock::new();
        let injector = Injector::with_clock(clock.clone());
        let router = Admin::new(injector.clone()).router();
        let port = Port { injector, router };
        let _ = port.injector.site("http.server");
        let asked = Self {
            port,
            clock,
            document: Document::new(),
        };
        asked.put(asked.rule()).await;
        asked
    }

    fn rule(&self) -> Value {
        let mut rule = failing("http.server");
        rule["match"] = json!({ "path": "/checkout", "method": "POST" });
        rule["every"] = json!(2);
        rule["limit"] = json!(2);
        rule
    }

    async fn put(&self, rule: Value) {
        let answer = self.port.write("PUT", "/v1/rules/lost", rule).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }

    fn watch(&self, sites: &str) -> SiteWatch {
        self.port.injector.watch([sites.parse().unwrap()])
    }

    fn serve(&self, path: &str) {
        let site = self.port.injector.site("http.server");
        let (uri, headers): (Uri, _) = (path.parse().unwrap(), HeaderMap::new());
        let call = Call::http(&Method::POST, &uri, &headers);
        let mut decision = site.decide(&call);
        let measured = site.measure(&call, decision.as_ref());
        if let Some(decision) = &mut decision {
            let _ = decision.next_plan();
        }
        self.clock.advance(MS);
        if let Some(mut measured) = measured {
            measured.end(false);
        }
    }

    async fn get(&self, query: &str) -> Answer {
        let path = format!("/v1/rules/lost/why{query}");
        let answer = self.port.get(&path).await;
        let said = &self.document.0["paths"]["/v1/rules/{id}/why"]["get"];
        self.document.assert_said(said, &answer);
        answer
    }

    /// Asks, and serves ten checkouts and four of another path meanwhile.
    async fn get_while_served(&self) -> Value {
        let serve = async {
            sleep(MS).await;
            (0..10).for_each(|_| self.serve("/checkout"));
            (0..4).for_each(|_| self.serve("/cart"));
        };
        let (answer, ()) = tokio::join!(self.get("?for=1"), serve);
        answer.expect(200).json()
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_is_accounted_for() {
    let asked = Asked::new().await;
    let _watch = asked.watch("http.server");
    let spared = json!({ "limit": 3 });
    let counts = json!({
        "matched": 10, "not_drawn": 5, "overflow": spared, "injected": 2, "shadowed": 0,
    });
    let why = asked.get_while_served().await;
    let expected = json!({
        "rule": "lost",
        "seconds": 0.014,
        "sites": [{
            "site": "http.server",
            "kind": "layer",
            "calls": 14,
            "mismatches": { "compared": 14, "first": { "match.path": 4 } },
            "obstacles": ["limit_used_up"],
        }],
        "not_matched": 4,
        "counted": counts,
        "total": counts,
        "exempt": false,
        "advice": null,
    });
    assert_eq!(why, expected);
    // The next question begins from zero.
    let again = asked.get_while_served().await;
    assert_eq!(again["counted"]["injected"], 0);
    assert_eq!(again["total"]["injected"], 2);
    assert_eq!(again["total"]["matched"], 20);
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_it_says_what_to_do_at_once() {
    let asked = Asked::new().await;
    (0..4).for_each(|_| asked.serve("/checkout"));
    let answer = timeout(Duration::from_secs(1), asked.get("?for=8"));
    let why = answer.await.expect("at once").expect(200).json();
    assert_eq!(why["sites"][0]["calls"], Value::Null);
    assert_eq!(
        (&why["not_matched"], &why["counted"]),
        (&Value::Null, &Value::Null)
    );
    let advice = why["advice"].as_str().unwrap();
    let wanted = "no site of the rule is watched, so the calls that it does not match are not counted: \
                  ask while GET /v1/live?watch=http.server is open";
    assert!(advice.starts_with(wanted), "{advice}");
    // What the rule has counted is there.
    assert_eq!(why["total"]["matched"], 4);
    assert_eq!(why["total"]["injected"], 2);
    assert!(asked.port.injector.status().rules == 1);
}

#[tokio::test(start_paused = true)]
async fn it_says_which_sites_are_not_watched() {
    let asked = Asked::new().await;
    asked.put(failing("nowhere.*")).await;
    let why = asked.get("").await.expect(200).json();
    let advice = why["advice"].as_str().unwrap();
    assert!(advice.starts_with("no site of the rule is known"), "{why}");

    asked.put(failing("http.*")).await;
    let _ = asked.port.injector.site("http.client");
    let _watch = asked.watch("http.server");
    let why = asked.get_while_served().await;
    assert_eq!(why["counted"]["matched"], 14);
    assert_eq!(why["not_matched"], Value::Null);
    let advice = why["advice"].as_str().unwrap();
    let wanted = "not all sites of the rule are watched: http.client";
    assert!(advice.starts_with(wanted), "{advice}");

    let site = |name| asked.port.injector.site_of(name, SiteKind::Connection);
    let _ = site("http.peer");
    let why = asked.get("?for=0").await.expect(200).json();
    let advice = why["advice"].as_str().unwrap();
    let wanted = "the site http.peer is one of connections, which cannot be watched";
    assert!(advice.starts_with(wanted), "{advice}");
}

#[tokio::test(start_paused = true)]
async fn a_site_in_code_compares_no_calls() {
    let asked = Asked::new().await;
    let injector = &asked.port.injector;
    let _ = injector.site_of("db.read", SiteKind::Sync);
    let mut rule = failing("db.read");
    rule["rate"] = json!(0);
    asked.put(rule).await;
    let _watch = asked.watch("db.*");
    let read = async {
        sleep(MS).await;
        assert!(inject!(injector: injector, "db.read").is_ok());
    };
    let (answer, ()) = tokio::join!(asked.get(""), read);
    let why = answer.expect(200).json();
    let site = json!({
        "site": "db.read", "kind": "sync", "calls": 1, "mismatches": null, "obstacles": [],
    });
    assert_eq!(why["sites"], json!([site]));
    assert_eq!(why["counted"]["not_drawn"], 1);
    assert_eq!(why["not_matched"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_changed_meanwhile_is_refused() {
    let asked = Asked::new().await;
    let _watch = asked.watch("**");
    let change = async {
        sleep(MS).await;
        asked.put(failing("http.server")).await;
    };
    let (answer, ()) = tokio::join!(asked.get(""), change);
    let problem = answer.problem(409);
    assert_eq!(
        (&problem["field"], &problem["rule"]),
        (&json!("rule"), &json!("lost"))
    );
    let delete = async {
        sleep(MS).await;
        asked.port.injector.clear();
    };
    let (answer, ()) = tokio::join!(asked.get(""), delete);
    answer.problem(404);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_too_long_is_refused() {
    let asked = Asked::new().await;
    for wrong in ["?for=8.1", "?for=-1", "?for=x", "?for=NaN"] {
        let problem = asked.get(wrong).await.problem(400);
        assert_eq!(problem["field"], "for", "{wrong}");
        assert_eq!(problem["allowed"], "seconds, from 0 to 8");
    }
    asked.get("?within=1").await.problem(400);
}
