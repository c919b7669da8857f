//! The upstream service. It has one price and doesn't fail by itself.

use std::net::Ipv4Addr;

use axum::{Router, routing::get};
use reqwest::Url;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::Error;

/// A running upstream service. Dropping this stops it.
#[derive(Debug)]
pub struct Upstream {
    url: Url,
    server: JoinHandle<std::io::Result<()>>,
}

impl Upstream {
    /// Starts the service on a free port of the loopback interface.
    ///
    /// # Errors
    /// Returns an error if no port can be bound.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?).parse()?;
        let app = Router::new().route("/price", get(async || "42 EUR"));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, server })
    }

    /// Returns the service's URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}
