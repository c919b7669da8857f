//! A stock `axum::serve` with the layer around its router.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    middleware::{Next, from_fn},
    routing::{get, post},
};
use chaos_core::Injector;
use chaos_tower::{InjectLayer, InjectListener, WithConnection};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use tower::{ServiceBuilder, util::MapRequestLayer};
use tower_http::{
    compression::CompressionLayer, cors::CorsLayer, timeout::TimeoutLayer, trace::TraceLayer,
};

use crate::support::{
    app::{self, SLOW, TEXT},
    server::{Calls, Parts, SITE, SOON, Server, stopped},
};

async fn text(headers: HeaderMap) -> ([(&'static str, HeaderValue); 1], &'static [u8]) {
    let heard = headers.get("x-ask").cloned();
    let heard = heard.unwrap_or(HeaderValue::from_static(""));
    ([("x-heard", heard)], TEXT)
}

async fn slow() -> &'static [u8] {
    tokio::time::sleep(SLOW).await;
    TEXT
}

async fn messages() -> ([(HeaderName, &'static str); 1], Body) {
    let grpc = [(CONTENT_TYPE, "application/grpc")];
    (grpc, Body::new(app::messages_body()))
}

/// The routes, with the layer around them.
fn app(injector: &Injector, calls: Calls) -> Router {
    routes(calls).layer(InjectLayer::with_injector(SITE, injector))
}

fn routes(calls: Calls) -> Router {
    let note = move |request| {
        calls.note();
        request
    };
    Router::new()
        .route("/", get(text))
        .route("/slow", get(slow))
        .route("/big", get(async || app::big()))
        .route("/page", get(async || app::page()))
        .route("/stream", get(async || Body::new(app::stream_body())))
        .route("/messages", post(messages))
        .route("/echo", post(async |body: Bytes| app::echo(&body)))
        .layer(MapRequestLayer::new(note))
}

/// Without anything that knows connections.
pub(crate) async fn start() -> Server {
    Server::start(async |parts: Parts| {
        let app = app(&parts.injector, parts.calls);
        let stop = stopped(parts.injector, parts.stop);
        let serving = axum::serve(parts.listener, app).with_graceful_shutdown(stop);
        serving.await.unwrap();
    })
    .await
}

/// Without anything that knows connections, and with a layer above others that change the body of the response.
pub(crate) async fn start_above_others() -> Server {
    Server::start(async |parts: Parts| {
        let stack = ServiceBuilder::new()
            .layer(InjectLayer::with_injector(SITE, &parts.injector).wrapped_responses())
            .layer(CompressionLayer::new())
            .layer(TraceLayer::new_for_http())
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                SOON,
            ))
            .layer(from_fn(async |request, next: Next| next.run(request).await));
        let app = routes(parts.calls).layer(stack);
        let stop = stopped(parts.injector, parts.stop);
        let serving = axum::serve(parts.listener, app).with_graceful_shutdown(stop);
        serving.await.unwrap();
    })
    .await
}

/// Without anything that knows connections, and with a layer between others, of which those above it need a body
/// that has a default.
pub(crate) async fn start_amid_others() -> Server {
    Server::start(async |parts: Parts| {
        let stack = ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                SOON,
            ))
            .layer(CorsLayer::permissive())
            .layer(InjectLayer::with_injector(SITE, &parts.injector).wrapped_responses())
            .layer(CompressionLayer::new())
            .layer(from_fn(async |request, next: Next| next.run(request).await));
        let app = routes(parts.calls).layer(stack);
        let stop = stopped(parts.injector, parts.stop);
        let serving = axum::serve(parts.listener, app).with_graceful_shutdown(stop);
        serving.await.unwrap();
    })
    .await
}

/// With the addresses of its peers, which is all that it knows of connections.
pub(crate) async fn start_with_addresses() -> Server {
    Server::start(async |parts: Parts| {
        let app = app(&parts.injector, parts.calls);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(parts.listener, app).await.unwrap();
    })
    .await
}

/// With a listener and a make-service of ours, so that each request has a handle of its connection.
pub(crate) async fn start_with_handles() -> Server {
    Server::start(async |parts: Parts| {
        let app = app(&parts.injector, parts.calls);
        let listener = InjectListener::with_injector(parts.listener, "tcp", &parts.injector);
        let app = WithConnection::new(app.into_make_service());
        axum::serve(listener, app).await.unwrap();
    })
    .await
}
