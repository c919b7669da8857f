//! A port that is nested into a service is not hit by the faults of that service, whatever the rule: the kill
//! switch would be hit by the rule that it is to stop.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
    routing::get,
};
use chaos_core::{Injector, Overlay, Rule, State, wire};
use chaos_http_admin::Admin;
use chaos_tower::InjectLayer;
use serde_json::json;
use tower::ServiceExt;

fn service(injector: &Injector) -> Router {
    let admin = Admin::new(injector.clone());
    Router::new()
        .route("/", get(async || "hello"))
        .route("/chaosx", get(async || "hello"))
        .merge(admin.nest_at("/chaos"))
        .layer(InjectLayer::with_injector("http.server", injector))
}

async fn ask(app: &Router, method: Method, path: &str, body: &str) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_owned())).unwrap();
    app.clone().oneshot(request).await.unwrap().status()
}

fn rule(fields: serde_json::Value) -> Rule {
    let mut rule = json!({"site": "http.server", "ttl": "never"});
    for (name, value) in fields.as_object().unwrap() {
        rule[name] = value.clone();
    }
    wire::rule_from_value(rule, Some("r")).unwrap()
}

#[tokio::test]
async fn the_kill_switch_is_not_hit_by_what_it_stops() {
    let injector = Injector::new();
    let app = service(&injector);
    for fields in [
        json!({"faults": [{"status": 503}]}),
        json!({"faults": [{"hang": "1h"}]}),
        json!({"faults": [{"abort": "close"}]}),
        json!({"faults": [{"headers": {"set": {"content-type": "text/x"}}}, {"status": 500}]}),
        json!({"faults": [{"status": 503}], "match": {"path": {"prefix": "/chaos"}}}),
        json!({"faults": [{"status": 503}], "guards": [{"error_ratio": 0.01, "at_least": 1}]}),
    ] {
        injector.put(rule(fields.clone()));
        for path in [
            "/chaos/healthz",
            "/chaos/v1/status",
            "/chaos/v1/rules?limit=1",
        ] {
            assert_eq!(
                ask(&app, Method::GET, path, "").await,
                200,
                "{fields} {path}"
            );
        }
        let reason = r#"{"reason":"enough"}"#;
        assert_eq!(
            ask(&app, Method::POST, "/chaos/v1/halt", reason).await,
            200,
            "{fields}"
        );
        assert!(matches!(injector.status().state, State::Halted { .. }));
        assert_eq!(
            ask(&app, Method::POST, "/chaos/v1/resume", reason).await,
            200,
            "{fields}"
        );
    }
    assert_eq!(injector.status().injected, 0);
}

#[tokio::test]
async fn what_is_beside_it_is_hit() {
    let injector = Injector::new();
    let app = service(&injector);
    injector.put(rule(json!({"faults": [{"status": 503}]})));
    for (path, status) in [
        ("/", 503),
        ("/chaosx", 503),
        ("/chaos%2Fhealthz", 503),
        ("/%63haos/healthz", 503),
        ("/CHAOS/healthz", 503),
        ("/x/chaos/healthz", 503),
        // Below the prefix, whether there is a route or not.
        ("/chaos/", 404),
        ("/chaos/nothing", 404),
        ("/chaos", 200),
    ] {
        assert_eq!(ask(&app, Method::GET, path, "").await, status, "{path}");
    }
    // Nor do the rules of an overlay hit it.
    injector.clear();
    let overlay = Overlay::new(&injector);
    let down = overlay.arm(rule(json!({"faults": [{"status": 503}]})));
    let inside = overlay.run(async {
        let status = ask(&app, Method::GET, "/chaos/v1/status", "").await;
        (status, ask(&app, Method::GET, "/", "").await)
    });
    assert_eq!(
        inside.await,
        (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE)
    );
    down.assert_injected(1);
}

/// Nested once more, the layers outside see a longer path.
#[tokio::test]
async fn nested_twice_the_whole_path_is_exempted_by_name() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone());
    let ops = Router::new().merge(admin.nest_at("/chaos/"));
    let app = Router::new()
        .nest("/ops", ops)
        .layer(InjectLayer::with_injector("http.server", &injector));
    injector.put(rule(json!({"faults": [{"status": 503}]})));
    let status = async || ask(&app, Method::GET, "/ops/chaos/v1/status", "").await;
    assert_eq!(status().await, 503);
    injector.exempt_path("/ops/chaos");
    assert_eq!(status().await, 200);
}

#[test]
fn a_path_that_would_exempt_everything_or_nothing_is_refused() {
    for path in ["", "/", "//", "chaos", "/{tenant}/chaos"] {
        let injector = Injector::new();
        let nest = || drop(Admin::new(injector.clone()).nest_at(path));
        let nested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(nest));
        assert!(nested.is_err(), "{path}");
    }
}

#[tokio::test]
async fn a_service_goes_on_without_its_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let admin = Admin::new(Injector::new());
    assert!(admin.bind_or_warn(address).is_none());
    // Nor is a port opened to everyone.
    assert!(admin.bind_or_warn("0.0.0.0:0".parse().unwrap()).is_none());
    drop(taken);
    assert!(admin.bind_or_warn("127.0.0.1:0".parse().unwrap()).is_some());
}
