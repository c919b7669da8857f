//! Payments: a provider that runs inside the shop's process, and the client that calls it over
//! HTTP.

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

/// The time limit of a payment call.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, Serialize)]
struct Charge {
    cents: i64,
}

/// The provider's response to a successful charge.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Receipt {
    pub(super) payment: String,
}

/// Returns the provider's router. It accepts any amount.
pub(super) fn provider() -> Router {
    Router::new().route("/charge", post(charge))
}

async fn charge(Json(charge): Json<Charge>) -> Json<Receipt> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let payment = format!("pay-{number}-{}", charge.cents);
    Json(Receipt { payment })
}

/// The reason why a payment failed.
#[derive(Debug)]
pub(super) enum PaymentError {
    /// The provider did not respond in time.
    TimedOut,
    /// The provider could not be reached, or its response was invalid.
    Failed(Error),
}

/// A client of the payment provider.
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
        // The site is inside the timeout, so that an injected delay counts against it as a slow
        // provider would.
        let attempt = tokio::time::timeout(TIMEOUT, self.attempt(cents));
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
