//! The status and the rules say whose they are, since when, and what was measured; so a client can show it.

use axum::{
    body::Body,
    http::{Request, header},
};
use chaos_core::{
    Call, Fault, GuardRail, Injector, Rate, Rule, audit::Actor, rule::Change, testing::ManualClock,
};
use chaos_http_admin::{AccessTokens, Admin, Role};
use serde_json::{Value, json};

use crate::support::{document::Document, port::Port};

const EVE: &str = "eve-may-only-look-at-it";
const ANN: &str = "ann-may-do-everything-here";

#[tokio::test]
async fn who_asks_is_told_name_and_role() {
    let injector = Injector::with_clock(ManualClock::new());
    let tokens = AccessTokens::new()
        .token("eve", Role::Observe, EVE)
        .and_then(|tokens| tokens.token("ann", Role::Arm, ANN));
    let admin = Admin::new(injector.clone()).access_tokens(tokens.unwrap());
    let router = admin.router();
    let port = Port { injector, router };
    let document = Document::new();
    for (secret, name, role) in [(EVE, "eve", "observe"), (ANN, "ann", "arm")] {
        let ask = async |path: &str| {
            let bearer = format!("Bearer {secret}");
            let request = Request::get(path).header(header::AUTHORIZATION, bearer);
            let answer = port.send(request, Body::empty()).await.expect(200);
            document.assert_said(&document.0["paths"][path]["get"], &answer);
            answer.json()
        };
        let you = json!({ "name": name, "role": role });
        assert_eq!(ask("/v1/whoami").await, you);
        assert_eq!(ask("/v1/status").await["you"], you);
    }
    port.get("/v1/whoami").await.problem(401);
    let anyone = Port::new().get("/v1/whoami").await.expect(200).json();
    assert_eq!(anyone, json!({ "name": "anyone", "role": "arm" }));
}

#[tokio::test]
async fn the_process_has_a_name_an_id_and_an_age() {
    let port = Port::new();
    let status = async || port.get("/v1/status").await.expect(200).json();
    let first = status().await;
    let service = first["service"].as_str().unwrap();
    assert!(service.starts_with("it-"), "the program's file: {service}");
    let audit = port.get("/v1/audit").await.json();
    assert_eq!(first["run"], audit["run"]);
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert!(first["since"].as_str().unwrap().ends_with('Z'));
    port.injector.set_service("shop");
    assert_eq!(status().await["service"], "shop");
}

#[tokio::test]
async fn a_rule_says_who_armed_it_and_when_it_ends() {
    let port = Port::new();
    let rule = |ttl: &str| json!({ "site": "db.read", "ttl": ttl, "faults": [{ "error": "x" }] });
    let put = async |ttl: &str| {
        let made = port.write("PUT", "/v1/rules/r", rule(ttl)).await;
        made.json()["stats"].clone()
    };
    let stats = put("5m").await;
    assert_eq!(stats["armed_by"], "anyone");
    let time = |field: &str| -> jiff::Timestamp { stats[field].as_str().unwrap().parse().unwrap() };
    let life = time("deadline").duration_since(time("since"));
    assert_eq!(life.as_secs(), 300);
    assert_eq!(put("never").await["deadline"], Value::Null);
    let alice = port.injector.as_actor(Actor::new("alice"));
    let other = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::error("x"),
    );
    alice.apply(Change::Put(other), None).unwrap();
    let shown = &port.rules().await["rules"][0];
    assert_eq!(shown["stats"]["armed_by"], "alice");
}

#[tokio::test]
async fn a_breach_is_shown_in_numbers_until_it_is_acknowledged() {
    let port = Port::new();
    let rail = GuardRail::new()
        .error_ratio(Rate::new(0.1).unwrap())
        .at_least(4);
    let rule = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::error("x"),
    );
    port.injector.put(rule.guard(rail));
    let site = port.injector.site("s");
    for n in 0..4 {
        let mut call = site.measure(&Call::new(), None).expect("it is measured");
        call.end(n > 1);
    }
    let document = Document::new();
    let status = port.get("/v1/status").await.expect(200);
    document.assert_said(&document.0["paths"]["/v1/status"]["get"], &status);
    let breaches = status.json()["breaches"].clone();
    let [breach] = breaches.as_array().unwrap().as_slice() else {
        panic!("{breaches}")
    };
    let mut breach = breach.clone();
    let fields = breach.as_object_mut().unwrap();
    let (at, text) = (fields.remove("at").unwrap(), fields.remove("text").unwrap());
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    let text = text.as_str().unwrap();
    assert!(text.starts_with("error ratio at s is "), "{text}");
    let calls = breach["calls"].as_u64().unwrap();
    assert!((3..=4).contains(&calls), "{breach}");
    assert!(breach["measured"].as_f64().unwrap() > 0.1, "{breach}");
    assert_eq!(
        [&breach["rule"], &breach["measure"], &breach["quantile"]],
        [&json!("r"), &json!("error_ratio"), &Value::Null]
    );
    assert_eq!(
        (&breach["allowed"], &breach["window"]),
        (&json!(0.1), &json!(10.0))
    );

    let reason = json!({ "reason": "seen" });
    let answer = port.write("POST", "/v1/acknowledge", reason).await;
    assert_eq!(answer.expect(200).json()["breaches"], json!([]));
}
