//! The OpenAPI document, the front page and the port agree: what a route takes and what it answers is
//! what the document says, for good requests and for bad ones.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, header},
};
use chaos_core::{Injector, audit::Actor, rule::Change, testing::ManualClock, token::TokenKey};
use chaos_http_admin::{AccessTokens, Admin, Role};
use serde_json::{Value, json};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing, json_request},
};

/// A port that can sign, with a rule `standing` that can be foreseen, and is observed.
async fn port() -> Port {
    let injector = Injector::with_clock(ManualClock::new());
    let key = TokenKey::new(b"this secret is of 32 bytes, fine").unwrap();
    let router = Admin::new(injector.clone()).token_key(key).router();
    let port = Port { injector, router };
    let _ = port.injector.site("db.read");
    let mut rule = failing("db.*");
    rule["seed"] = json!(7);
    port.write("PUT", "/v1/rules/standing", rule)
        .await
        .expect(201);
    let observed = port.injector.observe_outcomes("standing", ["db.read"]);
    observed.expect("it can be observed");
    port
}

fn path(path: &str) -> String {
    path.replace("{id}", "standing")
        .replace("{name}", "db.read")
}

/// A body that the operation takes: the first example of its schema.
fn body(document: &Document, operation: &Value) -> Option<Value> {
    let content = operation["requestBody"]["content"].as_object()?;
    let (_, content) = content.iter().next()?;
    let example = &document.resolved(&content["schema"])["examples"][0];
    assert!(!example.is_null(), "a body without an example: {content}");
    Some(example.clone())
}

/// The simplest request that an operation says it takes.
async fn ask(port: &Port, document: &Document, operation: &(String, String, Value)) -> Answer {
    let (method, template, said) = operation;
    let request = Request::builder().method(&**method).uri(path(template));
    match body(document, said) {
        Some(body) => {
            let request = request.header(header::CONTENT_TYPE, "application/json");
            port.send(request, body.to_string()).await
        }
        None => port.send(request, Body::empty()).await,
    }
}

#[tokio::test]
async fn the_front_page_the_port_and_the_document_have_the_same_routes() {
    let document = Document::new();
    let documented = document
        .operations()
        .into_iter()
        .map(|(method, path, said)| {
            let does = said["summary"].as_str().unwrap();
            let role = said["security"].pointer("/1/bearer/0");
            let role = role.map_or("none", |role| role.as_str().unwrap());
            format!("{method} {path}` | {role} | {does} |")
        });
    let documented: BTreeSet<_> = documented.collect();
    let front_page = include_str!("../../docs/api.md").lines();
    let front_page = front_page.filter_map(|line| line.strip_prefix("| `"));
    let front_page: BTreeSet<_> = front_page.map(str::to_owned).collect();
    assert_eq!(documented, front_page);

    // What the port itself says it has.
    let problem = Port::new().get("/none").await.problem(404);
    let served: BTreeSet<_> = problem["allowed"].as_str().unwrap().split(", ").collect();
    let documented = document.operations();
    let documented: Vec<_> = documented
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(
        documented
            .iter()
            .map(|route| &**route)
            .collect::<BTreeSet<_>>(),
        served
    );

    let ids = document.operations();
    let ids: BTreeSet<_> = ids
        .iter()
        .map(|(.., said)| said["operationId"].as_str())
        .collect();
    assert_eq!(ids.len(), documented.len());
}

#[tokio::test]
async fn each_route_answers_a_good_request_as_it_says() {
    let document = Document::new();
    for operation in document.operations() {
        let port = port().await;
        let answer = ask(&port, &document, &operation).await;
        let (method, path, said) = &operation;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {}",
            answer.text()
        );
        document.assert_said(said, &answer);
    }
    // The other success of a route that has two.
    let port = port().await;
    let made = port
        .write("PUT", "/v1/rules/new", failing("db.read"))
        .await
        .expect(201);
    document.assert_said(&document.0["paths"]["/v1/rules/{id}"]["put"], &made);
}

#[tokio::test]
async fn what_is_shown_in_other_states_is_as_it_says() {
    let document = Document::new();
    let port = port().await;
    let get = async |path: &str| {
        let answer = port.get(path).await.expect(200);
        let template = path.split('?').next().unwrap().replace("standing", "{id}");
        document.assert_said(&document.0["paths"][template]["get"], &answer);
        answer
    };
    let halt = json!({ "reason": "enough seen" });
    port.write("POST", "/v1/halt", halt).await.expect(200);
    assert_eq!(get("/v1/status").await.json()["state"], "halted");
    let off = json!({ "enabled": false });
    port.write("PATCH", "/v1/rules/standing", off)
        .await
        .expect(200);
    let rule = get("/v1/rules/standing").await.json();
    assert_eq!(rule["stats"]["expires_in"], Value::Null);
    get("/v1/rules/standing/injections?at_least=0&within=0").await;
    let mut keyed = failing("db.read");
    keyed["key"] = json!("label:user");
    port.write("PUT", "/v1/rules/standing", keyed)
        .await
        .expect(200);
    let log = get("/v1/rules/standing/decisions").await.json();
    assert_eq!(log, json!({ "keys": [], "dropped": 0 }));
    let fleet = port.injector.as_actor(Actor::new("fleet"));
    let leash = port.injector.leash(Duration::from_secs(1));
    let standing = port.injector.rules().rules()[0].as_ref().clone();
    let put = fleet.on_leash(&leash).apply(Change::Put(standing), None);
    put.unwrap();
    let stats = get("/v1/rules/standing").await.json()["stats"].take();
    assert!(stats["leash"].as_f64() > Some(0.0) && stats["leash"].as_f64() <= Some(1.0));
    assert!(stats["expires_in"].as_f64() <= Some(1.0));
    leash.end();
    let stats = get("/v1/rules/standing").await.json()["stats"].take();
    assert_eq!([&stats["leash"], &stats["expires_in"]], [&json!(0.0); 2]);
}

type Headers = Vec<(&'static str, &'static str)>;

/// The status that it gets, its method, the template of its path, its headers and its body.
type BadRequest = (u16, &'static str, &'static str, Headers, String);

/// Each with the status that it gets; `""` stands for no body.
fn bad_requests() -> Vec<BadRequest> {
    const RULE: &str = "/v1/rules/{id}";
    let json = || vec![("content-type", "application/json")];
    let rule = failing("db.read").to_string();
    let large = " ".repeat(1024 * 1024 + 1);
    let foreign = || {
        vec![
            ("host", "rebound.example"),
            ("content-type", "application/json"),
        ]
    };
    let mut requests = vec![
        (400, "PUT", RULE, json(), "{".to_owned()),
        (
            400,
            "PUT",
            RULE,
            json(),
            r#"{"site":"db.read","faults":[]}"#.to_owned(),
        ),
        (400, "PATCH", RULE, json(), r#"{"site":null}"#.to_owned()),
        (
            400,
            "PUT",
            "/v1/rules",
            json(),
            r#"{"rules":[{}]}"#.to_owned(),
        ),
        (400, "POST", "/v1/preview", json(), "{}".to_owned()),
        (400, "POST", "/v1/tokens", json(), "{}".to_owned()),
        (400, "POST", "/v1/halt", json(), "{}".to_owned()),
        (400, "POST", "/v1/resume", json(), "{}".to_owned()),
        (400, "DELETE", RULE, vec![("if-match", "7")], String::new()),
        (
            412,
            "PUT",
            "/v1/rules",
            with(json(), "if-match", "\"0\""),
            r#"{"rules":[]}"#.to_owned(),
        ),
        (
            412,
            "PUT",
            RULE,
            with(json(), "if-match", "\"0\""),
            rule.clone(),
        ),
        (
            412,
            "PATCH",
            RULE,
            with(json(), "if-match", "\"0\""),
            "{}".to_owned(),
        ),
        (
            412,
            "DELETE",
            RULE,
            vec![("if-match", "\"0\"")],
            String::new(),
        ),
        (
            412,
            "POST",
            "/v1/resume",
            with(json(), "if-match", "\"0\""),
            r#"{"reason":"x"}"#.to_owned(),
        ),
        (413, "PUT", RULE, json(), large),
        (
            415,
            "PUT",
            RULE,
            vec![("content-type", "text/plain")],
            rule.clone(),
        ),
        (
            415,
            "POST",
            "/v1/halt",
            vec![],
            r#"{"reason":"x"}"#.to_owned(),
        ),
        (
            415,
            "POST",
            "/v1/halt",
            vec![("content-type", "application/merge-patch+json")],
            r#"{"reason":"x"}"#.to_owned(),
        ),
    ];
    const OUTCOMES: &str = "/v1/rules/{id}/outcomes";
    for (method, path) in [
        ("GET", RULE),
        ("PATCH", RULE),
        ("DELETE", RULE),
        ("GET", "/v1/rules/{id}/injections"),
        ("GET", "/v1/rules/{id}/decisions"),
        ("GET", "/v1/rules/{id}/why"),
        ("POST", "/v1/rules/{id}/release"),
        ("GET", "/v1/sites/{name}/seen"),
        ("GET", OUTCOMES),
        ("DELETE", OUTCOMES),
    ] {
        requests.push((
            404,
            method,
            path,
            with(json(), "x-id", "none"),
            "{}".to_owned(),
        ));
    }
    requests.extend([
        (400, "POST", "/v1/undo", json(), "{}".to_owned()),
        (404, "POST", "/v1/undo", json(), r#"{"entry":9}"#.to_owned()),
        (400, "POST", "/v1/explain", json(), "{}".to_owned()),
        (
            404,
            "POST",
            "/v1/explain",
            json(),
            r#"{"site":"none"}"#.to_owned(),
        ),
    ]);
    let sites = || r#"{"sites":["db.read"]}"#.to_owned();
    requests.extend([
        (400, "PUT", OUTCOMES, json(), "{}".to_owned()),
        (404, "PUT", OUTCOMES, with(json(), "x-id", "none"), sites()),
    ]);
    const EXTEND: &str = "/v1/rules/{id}/extend";
    let by = || r#"{"by":"5m"}"#.to_owned();
    requests.extend([
        (400, "POST", EXTEND, json(), "{}".to_owned()),
        (404, "POST", EXTEND, with(json(), "x-id", "none"), by()),
        (412, "POST", EXTEND, with(json(), "if-match", "\"0\""), by()),
    ]);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1/status"),
        ("PUT", RULE),
        ("GET", "/openapi.json"),
        ("GET", "/healthz"),
    ] {
        requests.push((421, method, path, foreign(), rule.clone()));
        requests.push((
            403,
            method,
            path,
            vec![("origin", "http://evil.example")],
            String::new(),
        ));
        requests.push((400, method, path, vec![("host", "a@b")], String::new()));
    }
    requests
}

fn with(mut headers: Headers, name: &'static str, value: &'static str) -> Headers {
    headers.push((name, value));
    headers
}

#[tokio::test]
async fn each_refusal_is_one_that_the_route_says() {
    let document = Document::new();
    let mut seen = BTreeSet::new();
    for (status, method, template, headers, body) in bad_requests() {
        let port = port().await;
        let path = match headers.iter().any(|(name, _)| *name == "x-id") {
            true => template.replace("{id}", "none").replace("{name}", "none"),
            false => path(template),
        };
        let mut request = Request::builder().method(method).uri(&path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = port.send(request, body).await;
        answer.problem(status);
        let said = &document.0["paths"][template][method.to_lowercase()];
        document.assert_said(said, &answer);
        seen.insert(status);
    }
    assert_eq!(Vec::from_iter(seen), [400, 403, 404, 412, 413, 415, 421]);
}

#[tokio::test]
async fn who_may_not_is_refused_as_each_route_says() {
    const EVE: &str = "eve-may-only-look-at-it";
    const STRANGER: &str = "whoever-this-may-well-be";
    let document = Document::new();
    let guarded = || {
        let injector = Injector::with_clock(ManualClock::new());
        let tokens = AccessTokens::new()
            .token("eve", Role::Observe, EVE)
            .unwrap();
        let router = Admin::new(injector.clone()).access_tokens(tokens).router();
        Port { injector, router }
    };
    let ask = async |port: &Port, operation: &(String, String, Value), secret: &str| {
        let (method, template, said) = operation;
        let request = Request::builder().method(&**method).uri(path(template));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {secret}"));
        let answer = port.send(request, Body::empty()).await;
        document.assert_said(said, &answer);
        answer.status.as_u16()
    };
    for operation in document.operations() {
        // Of its own, because nobody is let guess for long.
        let port = guarded();
        let stranger = ask(&port, &operation, STRANGER).await;
        let eve = ask(&port, &operation, EVE).await;
        let role = operation.2["security"].pointer("/1/bearer/0");
        let holds = match role.and_then(Value::as_str) {
            None => (stranger, eve) == (200, 200),
            Some("observe") => stranger == 401 && eve != 403,
            Some(_) => (stranger, eve) == (401, 403),
        };
        assert!(holds, "{stranger} and {eve} for {operation:?}");
    }
    let operations = document.operations();
    let status = operations.iter().find(|(_, path, _)| path == "/v1/status");
    let (port, status) = (guarded(), status.unwrap());
    let mut tries = 0;
    while ask(&port, status, STRANGER).await != 429 {
        tries += 1;
        assert!(tries < 1000, "nobody tires of strangers");
    }
}

#[tokio::test]
async fn conflicts_are_said() {
    let document = Document::new();
    // No key to sign with.
    let port = Port::new();
    let sign = &document.0["paths"]["/v1/tokens"]["post"];
    let refused = port
        .write("POST", "/v1/tokens", body(&document, sign).unwrap())
        .await;
    refused.problem(409);
    document.assert_said(sign, &refused);
    // Chance decides.
    let mut rule = failing("db.read");
    rule["rate"] = json!(0.5);
    port.write("PUT", "/v1/rules/chance", rule)
        .await
        .expect(201);
    let refused = port.get("/v1/rules/chance/decisions").await;
    refused.problem(409);
    document.assert_said(
        &document.0["paths"]["/v1/rules/{id}/decisions"]["get"],
        &refused,
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_timeout_that_is_said() {
    let document = Document::new();
    let port = Port::new();
    let nothing = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let request = json_request("PUT", "/v1/rules/slow");
    let answer = port.send(request, Body::from_stream(nothing)).await;
    answer.problem(408);
    document.assert_said(&document.0["paths"]["/v1/rules/{id}"]["put"], &answer);
}

/// They belong to no operation, and still stand in the document.
#[tokio::test]
async fn where_no_route_is_the_answer_is_said_too() {
    let document = Document::new();
    let port = Port::new();
    let responses = &document.0["components"]["responses"];
    let wrong = port.write("POST", "/v1/rules", json!({})).await;
    wrong.problem(405);
    document.assert_response(&responses["MethodNotAllowed"], &wrong);
    let nothing = port.get("/v1/none").await;
    nothing.problem(404);
    document.assert_response(&responses["NotFound"], &nothing);
}

#[tokio::test]
async fn it_is_served_as_it_is_written_wherever_the_port_is() {
    let served = Port::new().get("/openapi.json").await.expect(200).json();
    assert_eq!(served, chaos_http_admin::openapi());

    let injector = Injector::new();
    let router = Router::new().nest("/ops/chaos", Admin::new(injector.clone()).router());
    let port = Port { injector, router };
    let mut nested = port.get("/ops/chaos/openapi.json").await.expect(200).json();
    assert_eq!(nested["servers"], json!([{ "url": "/ops/chaos" }]));
    nested["servers"] = served["servers"].clone();
    assert_eq!(nested, served);
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(path)) = fields.get("$ref") {
                    found.insert(path.clone());
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = Document::new();
    let mut found = BTreeSet::new();
    references(&document.0, &mut found);
    for path in &found {
        document.resolved(&json!({ "$ref": path }));
    }
    for kind in ["schemas", "responses"] {
        for name in document.0["components"][kind].as_object().unwrap().keys() {
            let path = format!("#/components/{kind}/{name}");
            // Of the answers, one belongs to no operation.
            assert!(
                found.contains(&path) || name == "MethodNotAllowed",
                "{path} is not used"
            );
        }
    }
}

#[test]
fn every_example_and_default_is_what_its_schema_says() {
    fn walk(document: &Document, schema: &Value, checked: &mut usize) {
        if let Value::Array(values) = schema {
            values
                .iter()
                .for_each(|value| walk(document, value, checked));
        }
        let Value::Object(fields) = schema else {
            return;
        };
        let mut alone = fields.clone();
        alone.remove("examples");
        let examples = fields.get("examples").and_then(Value::as_array);
        let default = fields.get("default").filter(|default| !default.is_object());
        for value in examples.into_iter().flatten().chain(default) {
            document.assert_valid(&alone.clone().into(), value);
            *checked += 1;
        }
        fields
            .values()
            .for_each(|value| walk(document, value, checked));
    }
    let document = Document::new();
    let mut checked = 0;
    for (_, schema) in document.schemas() {
        walk(&document, schema, &mut checked);
    }
    assert!(checked > 50, "{checked}");
}

/// What the schema takes, the port takes; and what the port then shows, the schema has.
#[tokio::test]
async fn rules_are_taken_and_shown_as_the_schema_says() {
    let document = Document::new();
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let examples = |name: &str| {
        let schemas = &document.0["components"]["schemas"];
        schemas[name]["examples"].as_array().unwrap().clone()
    };
    let faults = examples("Fault").into_iter();
    let faults = faults.map(|fault| json!({ "site": "**", "faults": [fault] }));
    let rules = examples("Rule").into_iter().chain(faults);
    let port = port().await;
    for rule in rules {
        document.assert_valid(&schema("Rule"), &rule);
        let written = port
            .write("PUT", "/v1/rules/standing", rule)
            .await
            .expect(200);
        document.assert_valid(&schema("ShownRule"), &written.json());
        // What was read can be written back.
        document.assert_valid(&schema("Rule"), &written.json());
        port.write("PUT", "/v1/rules/standing", written.json())
            .await
            .expect(200);
    }
    for patch in examples("RulePatch") {
        port.write("PATCH", "/v1/rules/standing", patch)
            .await
            .expect(200);
    }
}

/// The schema says in words what excludes each other; the rest, both refuse.
#[tokio::test]
async fn what_the_schema_refuses_the_port_refuses() {
    let document = Document::new();
    let rule = document.validator(&json!({ "$ref": "#/components/schemas/Rule" }));
    let port = port().await;
    let with = |field: &str, value: Value| {
        let mut rule = failing("db.read");
        rule[field] = value;
        rule
    };
    let fault = |value: Value| with("faults", json!([value]));
    let matching = |value: Value| with("match", value);
    for wrong in [
        json!([]),
        json!({ "site": "db.read" }),
        json!({ "faults": [{ "status": 503 }] }),
        with("raet", json!(1)),
        with("id", json!("a b")),
        with("id", json!("..")),
        with("site", json!("d*")),
        with("site", json!("**.a.**")),
        with("site", json!(null)),
        with("rate", json!(1.5)),
        with("rate", json!("0.5")),
        with("enabled", json!(null)),
        with("mode", json!("Inject")),
        with("seed", json!(-1)),
        with("every", json!(0)),
        with("limit", json!(0.5)),
        with("max_active", json!(4_294_967_296_u64)),
        with("key", json!("cookie:a")),
        with("ttl", json!("soon")),
        with("ttl", json!(5)),
        with("first_attempts", json!({ "n": 0, "key": "peer" })),
        with("program", json!([])),
        with("program", json!([{ "for": "1m", "rate": 2 }])),
        with("program", json!([{ "for": "1m", "rate": "0...5" }])),
        with("window", json!({ "days": "weekdays" })),
        with("window", json!({ "hours": "9-17" })),
        with("site", json!("d".repeat(257))),
        with("reason", json!("why".repeat(334))),
        with("guards", json!([{ "error_ratio": 0.5, "window": "ten" }])),
        matching(json!({ "path": { "regex": "a".repeat(1025) } })),
        matching(json!({ "path": { "full_regex": "a".repeat(1025) } })),
        fault(json!({ "grpc": { "code": 14, "metadata": { "a": " b" } } })),
        matching(json!({ "pth": "/" })),
        matching(json!({ "path": [] })),
        matching(json!({ "headers": { "a b": "c" } })),
        fault(json!({ "status": 199 })),
        fault(json!({ "grpc": 17 })),
        fault(json!({ "grpc": { "code": 14, "details": "%" } })),
        fault(json!({ "error": { "kind": "bad_luck" } })),
        fault(json!({ "abort": "Close" })),
        fault(json!({ "abort": { "h2": "nothing" } })),
        fault(json!({ "hang": 30 })),
        fault(json!({ "pause": {} })),
        fault(json!({ "latency": 200 })),
        fault(json!({ "body": { "throttle": "10KiB" } })),
        fault(json!({ "body": { "corrupt": 0 } })),
        fault(json!({ "headers": { "set": { "a": "\n" } } })),
        fault(json!({ "one_of": [{ "fault": { "status": 503 } }] })),
        fault(json!({ "status": 503, "value": null })),
        with("key", json!(null)),
    ] {
        assert!(!rule.is_valid(&wrong), "the schema takes {wrong}");
        let refused = port.write("PUT", "/v1/rules/standing", wrong.clone()).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text());
    }
    for excluded in [
        with("replay", json!({})),
        with("program", json!([{ "for": "1m" }])),
        with("budget", json!({})),
        with("window", json!({ "zone": "UTC" })),
        matching(json!({ "path": "products" })),
        matching(json!({ "method": "get" })),
        matching(json!({ "grpc": "Orders" })),
        matching(json!({ "query": { "q": { "prefix": "a", "suffix": "b" } } })),
        matching(json!({ "query": { "q": { "not": {} } } })),
        fault(json!({})),
        fault(json!({ "status": 503, "hang": "1s" })),
        fault(json!({ "status": { "code": 503, "body": "a", "json": 1 } })),
        fault(json!({ "status": { "code": 503, "headers": { "content-length": "1" } } })),
        fault(json!({ "grpc": "OK" })),
        fault(json!({ "grpc": { "code": 14, "on": "request" } })),
        fault(json!({ "grpc": { "code": 14, "metadata": { "grpc-status": "0" } } })),
        fault(json!({ "grpc": { "code": 14, "metadata": { "a-bin": "no base64!" } } })),
        with(
            "guards",
            json!([{ "error_ratio": 0.5, "max_baseline_error_ratio": 0.5 }]),
        ),
        fault(json!({ "latency": { "pareto": { "min": "1s", "alpha": 1 }, "max": "1ms" } })),
        fault(json!({ "abort": "panic", "after": "1KiB" })),
        fault(json!({ "latency": { "at_least": "1s" }, "when": "before" })),
        fault(json!({ "latency": { "p50": "1s" } })),
        fault(json!({ "status": 503, "when": "after" })),
        fault(json!({ "body": {} })),
        fault(json!({ "body": { "stall_after": "1KiB" } })),
        fault(json!({ "body": { "chunk": "1ms", "on": "request" }, "on": "request" })),
        fault(json!({ "headers": { "set": {} } })),
        fault(json!({ "burn": { "for": "1s" } })),
        fault(json!({ "burn": { "cpu": 0.5, "memory": "1B", "for": "1s" } })),
        fault(json!({ "custom": {} })),
        fault(json!({ "one_of": [
            { "fault": { "one_of": [{ "fault": { "status": 503 } }, { "fault": { "status": 503 } }] } },
            { "fault": { "status": 503 } },
        ] })),
    ] {
        assert!(rule.is_valid(&excluded), "the schema refuses {excluded}");
        let refused = port
            .write("PUT", "/v1/rules/standing", excluded.clone())
            .await;
        assert_eq!(refused.status, 400, "{excluded}: {}", refused.text());
    }
}
