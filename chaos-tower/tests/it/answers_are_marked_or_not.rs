//! An answer that was changed says by which rule, in HTTP and in gRPC; switched off, it says nothing.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
    routing::get,
};
use chaos_core::{Injector, wire};
use chaos_tower::{FAULT_HEADER, InjectLayer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::support::echo::{self, Echo, Kind, armed};

/// Faults, whether the answer is still read whole, and its body, marked and not.
fn http_rows() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({ "status": 503 }),
            "503 Service Unavailable by chaos rule r\n",
            "503 Service Unavailable\n",
        ),
        (
            json!({ "status": { "code": 404, "body": "lost" } }),
            "lost",
            "lost",
        ),
        (
            json!({ "grpc": { "code": "NOT_FOUND", "message": "no such order" } }),
            "no such order\n",
            "no such order\n",
        ),
        (
            json!({ "error": "broken" }),
            "broken (injected at http.server by rule r)\n",
            "broken\n",
        ),
        (
            json!({ "headers": { "set": { "x-a": "1" } } }),
            "served",
            "served",
        ),
        (json!({ "body": { "chunk": "1ms" } }), "served", "served"),
    ]
}

#[tokio::test]
async fn over_axum() {
    let injector = Injector::new();
    let layer = InjectLayer::with_injector("http.server", &injector);
    let app = Router::new()
        .route("/", get(async || "served"))
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    for (fault, marked, unmarked) in http_rows() {
        let rule = json!({ "site": "http.server", "faults": [fault.clone()] });
        injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
        for (mark, expected) in [(true, marked), (false, unmarked), (true, marked)] {
            // It holds for the layer that serves already: the site remembers.
            layer.site().mark(mark);
            let answer = client.get(&url).send().await.unwrap();
            let header = answer.headers().get(FAULT_HEADER).cloned();
            assert_eq!(header.is_some_and(|rule| rule == "r"), mark, "{fault}");
            assert_eq!(answer.text().await.unwrap(), expected, "{fault}");
        }
    }
    assert_eq!(injector.status().injected, 18, "all were hit, and counted");
}

/// At once, in the place of an answer, and in the trailers of one that has begun.
#[tokio::test]
async fn over_tonic() {
    let unavailable = |after: Value| {
        let mut fault = json!({ "grpc": { "code": "UNAVAILABLE", "message": "gone" } });
        if !after.is_null() {
            fault["grpc"]["after_messages"] = after;
        }
        fault
    };
    let rows = [
        (unavailable(Value::Null), 0, "gone", "gone"),
        (unavailable(json!(2)), 2, "gone", "gone"),
        (
            json!({ "error": "broken" }),
            0,
            "broken (injected at grpc.server by rule r)",
            "broken",
        ),
    ];
    for (fault, replies, marked, unmarked) in rows {
        let injector = armed(fault.clone());
        let address = Echo::default().serve(&injector).await;
        let channel = echo::channel(address).await;
        for (mark, message) in [(true, marked), (false, unmarked)] {
            injector.site(echo::SITE).mark(mark);
            let given = echo::call(&channel, Kind::Server, &["3"]).await;
            assert_eq!(given.replies.len(), replies, "{fault}");
            let (_, said, rule) = given.refusal();
            assert_eq!((said, rule), (message, mark.then_some("r")), "{fault}");
        }
    }
}

#[test]
fn the_layer_stays_as_large_as_a_reference() {
    assert_eq!(size_of::<InjectLayer>(), size_of::<&()>());
}

/// The text of an error is made once for a rule. It names the site, and a rule may aim at several.
#[tokio::test]
async fn an_error_names_the_site_of_each_call() {
    let injector = Injector::new();
    let rule = json!({ "site": "http.*", "faults": [{ "error": "broken" }] });
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    for site in ["http.one", "http.two", "http.one"] {
        let app = Router::new()
            .route("/", get(async || "served"))
            .layer(InjectLayer::with_injector(site, &injector));
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[FAULT_HEADER], "r");
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; charset=utf-8"
        );
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, format!("broken (injected at {site} by rule r)\n"));
    }
}
