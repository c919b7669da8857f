//! Outgoing calls as a service makes them: tries again, gives each try its time, and asks an upstream
//! for a price.
//!
//! Where faults may happen: `http.client`, once for each try.

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

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A client for prices.
#[derive(Clone, Debug)]
pub struct Prices {
    upstream: Url,
    client: Retry<Tries, Timeout<Inject<reqwest::Client>>>,
}

impl Prices {
    /// A client of that upstream.
    ///
    /// # Errors
    /// If the machine has no means to make one.
    pub fn at(upstream: Url) -> Result<Self, Error> {
        let client = ServiceBuilder::new()
            .retry(Tries::default())
            .timeout(TIMEOUT)
            // Below both, so that every try is hit anew, and a delay counts against its time.
            .layer(InjectLayer::new("http.client"))
            .service(reqwest::Client::builder().no_proxy().build()?);
        Ok(Self { upstream, client })
    }

    /// Asks for the price, up to three times.
    ///
    /// # Errors
    /// What the last try failed with.
    pub async fn price(&mut self) -> Result<String, Error> {
        let url = self.upstream.join("/price")?;
        let request = Request::new(Method::GET, url);
        let answer: Response = self.client.ready().await?.call(request).await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// An error in a few words: what went wrong at the bottom, and whether it was injected.
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
