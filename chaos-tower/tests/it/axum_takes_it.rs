//! One layer in every place where axum takes one, with axum's own types unchanged.

use axum::{Router, body::Body, routing::get};
use chaos_core::{Fault, Injector, Matcher, Rule, Text};
use chaos_tower::{FAULT_HEADER, InjectLayer};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};

const SITE: &str = "axum";

fn status_503_on(path: &str) -> Injector {
    let injector = Injector::new();
    let fault = Fault::status(503).unwrap();
    let matcher = Matcher::new().path(Text::route(path).unwrap());
    let rule = Rule::new("down".parse().unwrap(), SITE.parse().unwrap(), fault);
    injector.put(rule.matching(matcher));
    injector
}

async fn ask<S, E: std::fmt::Debug>(service: S, path: &str) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E>,
{
    let request = Request::get(path).body(Body::empty()).unwrap();
    service.oneshot(request).await.unwrap()
}

async fn check<S, E: std::fmt::Debug>(place: &str, service: S)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E> + Clone,
{
    let hit = ask(service.clone(), "/products/7").await;
    assert_eq!(hit.status(), StatusCode::SERVICE_UNAVAILABLE, "{place}");
    assert_eq!(hit.headers()[FAULT_HEADER], "down", "{place}");
    let body = hit.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        body, "503 Service Unavailable by chaos rule down\n",
        "{place}"
    );
    let free = ask(service, "/products").await;
    assert_eq!(free.status(), StatusCode::OK, "{place}");
    assert!(!free.headers().contains_key(FAULT_HEADER), "{place}");
}

fn app() -> Router {
    Router::new()
        .route("/products", get(async || "all"))
        .route("/products/{id}", get(async || "one"))
}

#[tokio::test]
async fn router_layer_route_layer_method_router_and_around() {
    let injector = status_503_on("/products/{id}");
    let layer = InjectLayer::with_injector(SITE, &injector);
    check("Router::layer", app().layer(layer)).await;
    check("Router::route_layer", app().route_layer(layer)).await;
    check("around the Router", layer.layer(app())).await;
    check("twice", app().layer(layer).layer(layer)).await;

    let routes = Router::new()
        .route("/products", get(async || "all").layer(layer))
        .route("/products/{id}", get(async || "one").layer(layer));
    check("MethodRouter::layer", routes).await;
    assert_eq!(injector.counts("down").unwrap().injected, 5);
    assert_eq!(
        injector.sites().len(),
        1,
        "however often the layer is applied"
    );
}

#[tokio::test]
async fn a_nested_router_sees_the_path_its_handlers_see() {
    let injector = status_503_on("/products/{id}");
    let layer = InjectLayer::with_injector(SITE, &injector);
    let nested = Router::new().nest("/api", app().layer(layer));
    let hit = ask(nested, "/api/products/7").await;
    assert_eq!(hit.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_error_fault_is_a_500_where_nothing_can_fail() {
    let injector = Injector::new();
    let fault = Fault::error("the disk is full");
    injector.put(Rule::new(
        "full".parse().unwrap(),
        SITE.parse().unwrap(),
        fault,
    ));
    let layer = InjectLayer::with_injector(SITE, &injector);
    let answer = ask(app().layer(layer), "/products").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()[FAULT_HEADER], "full");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "the disk is full (injected at axum by rule full)\n");
}

#[tokio::test]
async fn an_answer_that_has_no_body_has_none() {
    for code in [204, 205, 304] {
        let injector = Injector::new();
        let fault = Fault::status(code).unwrap();
        injector.put(Rule::new(
            "empty".parse().unwrap(),
            SITE.parse().unwrap(),
            fault,
        ));
        let layer = InjectLayer::with_injector(SITE, &injector);
        let answer = ask(app().layer(layer), "/products").await;
        assert_eq!(answer.status().as_u16(), code);
        assert!(!answer.headers().contains_key("content-type"));
        assert!(
            answer
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn host_and_headers_and_query_are_matched() {
    let injector = Injector::new();
    let matcher = Matcher::new()
        .host(Text::is("shop.example"))
        .header("x-tenant", "acme")
        .query("beta", Text::is("a b"));
    let rule = Rule::new(
        "r".parse().unwrap(),
        SITE.parse().unwrap(),
        Fault::status(503).unwrap(),
    );
    injector.put(rule.matching(matcher));
    let app = app().layer(InjectLayer::with_injector(SITE, &injector));
    let ask = async |uri: &str, host: Option<&str>, tenant: &str| {
        let mut request = Request::get(uri).header("x-tenant", tenant);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(Body::empty()).unwrap();
        app.clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let path = "/products?beta=a%20b";
    assert_eq!(ask(path, Some("Shop.Example:3000"), "acme").await, 503);
    assert_eq!(
        ask("http://shop.example/products?beta=a+b", None, "acme").await,
        503
    );
    assert_eq!(ask(path, Some("shop.example"), "zed").await, 200);
    assert_eq!(ask(path, Some("other.example"), "acme").await, 200);
    assert_eq!(
        ask("/products?beta=2", Some("shop.example"), "acme").await,
        200
    );
    assert_eq!(ask(path, None, "acme").await, 200);
}

#[tokio::test]
async fn an_injection_names_the_route_that_axum_has_matched() {
    let injector = status_503_on("/products/7");
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    injector.observe({
        let told = std::sync::Arc::clone(&told);
        move |injection: &chaos_core::Injection| {
            told.lock().unwrap().push(injection.call.route.clone());
        }
    });
    let layer = InjectLayer::with_injector(SITE, &injector);
    ask(app().layer(layer), "/products/7").await;
    // Around the router, nothing is matched yet.
    ask(layer.layer(app()), "/products/7").await;
    assert_eq!(*told.lock().unwrap(), [Some("/products/{id}".into()), None]);
}
