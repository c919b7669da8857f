//! Outgoing calls with retries and a timeout for each attempt: a client that asks an upstream service
//! for a price.
//!
//! It has one site, `http.client`, which each attempt passes once.

mod tries;
mod upstream;

use std::time::Duration;

use chaos_core::Injected;
use chaos_tower::{Inject, InjectLayer};
use reqwest::{Method, Request, Response, Url};
use tower::{Service, ServiceBuilder, ServiceExt, retry::Retry, timeout::Timeout};

use crate::Error;
use tries::Tries;
pub use upstream::Upstream;

/// The time limit of one attempt.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A client of the price service.
#[derive(Clone, Debug)]
pub struct Prices {
    upstream: Url,
    client: Retry<Tries, Timeout<Inject<reqwest::Client>>>,
}

impl Prices {
    /// Creates a client of the service at `upstream`.
    ///
    /// # Errors
    /// Returns an error if the HTTP client cannot be created.
    pub fn at(upstream: Url) -> Result<Self, Error> {
        let client = ServiceBuilder::new()
            .retry(Tries::default())
            .timeout(TIMEOUT)
            // Inside both: each attempt is decided on separately, and a delay counts against the
            // attempt's timeout.
            .layer(InjectLayer::new("http.client"))
            .service(reqwest::Client::builder().no_proxy().build()?);
        Ok(Self { upstream, client })
    }

    /// Asks for the price, with at most three attempts.
    ///
    /// # Errors
    /// Returns the error of the last attempt.
    pub async fn price(&mut self) -> Result<String, Error> {
        let url = self.upstream.join("/price")?;
        let request = Request::new(Method::GET, url);
        let answer: Response = self.client.ready().await?.call(request).await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// Describes an error in one line: the injected error if there is one among its sources, and the
/// innermost source otherwise.
#[must_use]
pub fn in_short(error: &Error) -> String {
    if let Some(injected) = Injected::find(&**error) {
        return injected.to_string();
    }
    let mut deepest: &(dyn std::error::Error + 'static) = &**error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
