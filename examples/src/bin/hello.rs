//! A minimal service with fault injection: one route, one layer, one admin port.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints its addresses")]

use axum::{Router, routing::get};
use chaos_http_admin::Admin;
use chaos_tower::InjectLayer;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), chaos_examples::MainError> {
    let mut addresses = std::env::args().skip(1);
    let mut address = |default: &str| addresses.next().unwrap_or_else(|| default.into());
    let listener = TcpListener::bind(address("127.0.0.1:3000")).await?;
    let admin = Admin::new(chaos_core::global().clone());
    let admin = admin.bind(address("127.0.0.1:9900").parse()?)?;
    println!("hello  http://{}", listener.local_addr()?);
    println!("admin  http://{}", admin.local_addr());

    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .layer(InjectLayer::new("http.server"));
    Ok(axum::serve(listener, app).await?)
}
