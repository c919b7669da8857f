//! A small axum service, with a layer, a site and an admin port as its features say.
#![forbid(unsafe_code)]

use axum::{Router, routing::get};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    #[cfg(feature = "port")]
    let _port = {
        let admin = chaos_http_admin::Admin::new(chaos_core::global().clone());
        admin.bind("127.0.0.1:9900".parse()?)?
    };
    let router = Router::new().route("/", get(answer));
    #[cfg(feature = "layer")]
    let router = router.layer(chaos_tower::InjectLayer::new("http.server"));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn answer() -> Result<&'static str, String> {
    #[cfg(feature = "layer")]
    chaos_core::inject_async!("db.read")
        .await
        .map_err(|injected| injected.to_string())?;
    Ok("served\n")
}
