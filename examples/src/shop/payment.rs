//! Paying: a provider that the shop runs for itself, and the client that calls it over the network.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{Json, Router, routing::post};
use chaos_core::{Injected, inject_async};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How long a customer is kept waiting for the provider.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, Serialize)]
struct Charge {
    cents: i64,
}

/// What the provider gives for money.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Receipt {
    pub(super) payment: String,
}

/// The provider: a service of its own, which takes any amount.
pub(super) fn provider() -> Router {
    Router::new().route("/charge", post(charge))
}

async fn charge(Json(charge): Json<Charge>) -> Json<Receipt> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let payment = format!("pay-{number}-{}", charge.cents);
    Json(Receipt { payment })
}

/// Why there is no receipt.
#[derive(Debug)]
pub(super) enum PaymentError {
    /// It took too long.
    TimedOut,
    /// It could not be reached, or did not answer as it should.
    Failed(Error),
}

/// The shop's client of the provider.
#[derive(Clone, Debug)]
pub(super) struct Payments {
    client: reqwest::Client,
    host: String,
    charge: String,
}

impl Payments {
    pub(super) fn new(provider: SocketAddr) -> Result<Self, Error> {
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            host: provider.ip().to_string(),
            charge: format!("http://{provider}/charge"),
        })
    }

    pub(super) async fn charge(&self, cents: i64) -> Result<Receipt, PaymentError> {
        // The site is inside the timeout, so that an injected delay is what a real one would be:
        // time that the provider takes.
        let attempt = tokio::time::timeout(PATIENCE, self.attempt(cents));
        attempt.await.unwrap_or(Err(PaymentError::TimedOut))
    }

    async fn attempt(&self, cents: i64) -> Result<Receipt, PaymentError> {
        inject_async!("http.client", host = self.host).await?;
        let request = self.client.post(&self.charge).json(&Charge { cents });
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }
}

impl From<Injected> for PaymentError {
    fn from(injected: Injected) -> Self {
        if injected.kind() == io::ErrorKind::TimedOut {
            Self::TimedOut
        } else {
            Self::Failed(injected.into())
        }
    }
}

impl From<reqwest::Error> for PaymentError {
    fn from(error: reqwest::Error) -> Self {
        Self::Failed(error.into())
    }
}
