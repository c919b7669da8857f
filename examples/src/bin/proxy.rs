//! A reverse proxy: axum answers with what a client of hyper-util gets from the service behind. Both are sites.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints its addresses")]

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        StatusCode, Uri,
        uri::{Authority, Scheme},
    },
    response::{IntoResponse, Response},
};
use chaos_http_admin::Admin;
use chaos_tower::{InjectClient, InjectLayer};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

#[derive(Clone)]
struct Proxy {
    client: InjectClient<Client<HttpConnector, Body>>,
    behind: Authority,
}

/// Forwards a request to the service behind.
async fn forward(State(proxy): State<Proxy>, mut request: Request) -> Result<Response, StatusCode> {
    let mut uri = request.uri().clone().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(proxy.behind);
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| StatusCode::BAD_REQUEST)?;
    let answer = proxy.client.oneshot(request).await;
    Ok(answer.map_err(|_| StatusCode::BAD_GATEWAY)?.into_response())
}

#[tokio::main]
async fn main() -> Result<(), chaos_examples::MainError> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.into());
    let behind = argument("127.0.0.1:3000").parse()?;
    let listener = TcpListener::bind(argument("127.0.0.1:3001")).await?;
    let admin = Admin::new(chaos_core::global().clone());
    let admin = admin.bind(argument("127.0.0.1:9901").parse()?)?;
    println!("proxy  http://{}", listener.local_addr()?);
    println!("admin  http://{}", admin.local_addr());

    let client = Client::builder(TokioExecutor::new()).build_http();
    let layer = InjectLayer::new("http.client");
    let client = layer.boxed_errors().wrapped_responses().layer(client);
    let app = Router::new()
        .fallback(forward)
        .with_state(Proxy { client, behind })
        .layer(InjectLayer::new("http.server"));
    Ok(axum::serve(listener, app).await?)
}
