//! The error responses. A client gets a short message and never the internal error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chaos_core::Injected;
use serde_json::json;

use crate::{Error, shop::payment::PaymentError};

/// The reason why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    NoSuchProduct(i64),
    Database(Error),
    Payment(PaymentError),
    /// The payment succeeded, but the order could not be recorded.
    NotRecorded {
        payment: String,
        error: Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<PaymentError> for Failure {
    fn from(error: PaymentError) -> Self {
        Self::Payment(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NoSuchProduct(id) => (StatusCode::NOT_FOUND, format!("there is no product {id}")),
            Self::Database(error) => {
                log("the database", &*error);
                let message = "the database does not answer".into();
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
            Self::Payment(PaymentError::TimedOut) => {
                let message = "the payment provider took too long; nothing was ordered".into();
                (StatusCode::GATEWAY_TIMEOUT, message)
            }
            Self::Payment(PaymentError::Failed(error)) => {
                log("the payment provider", &*error);
                let message = "the payment provider failed; nothing was ordered".into();
                (StatusCode::BAD_GATEWAY, message)
            }
            Self::NotRecorded { payment, error } => {
                log("the database", &*error);
                let message = format!("paid as {payment}, but the order was not recorded");
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}

/// Logs a failure. An injected one is logged as such, at a lower level, so that nobody investigates
/// it as a real one.
fn log(what: &str, error: &(dyn std::error::Error + 'static)) {
    match Injected::find(error) {
        Some(injected) => {
            tracing::info!(rule = %injected.rule(), "{what} failed with an injected error");
        }
        None => tracing::warn!("{what} failed: {error}"),
    }
}
