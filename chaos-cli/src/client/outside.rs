//! Servers that are no admin ports: what probes ask, and who is told by webhooks.

use std::time::Duration;

use chaos_core::{Clock, WithCauses};
use reqwest::{Client, RequestBuilder, Url};
use tokio::time::timeout;

use crate::{
    client::causes,
    failure::{Exit, Failure},
};

/// The longest body that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// What a server has answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    #[cfg_attr(
        not(feature = "gameday"),
        expect(dead_code, reason = "picks ask for a status")
    )]
    pub(crate) body: String,
    /// The time from the request to the end of the body.
    #[cfg_attr(
        not(feature = "gameday"),
        expect(dead_code, reason = "picks ask for a status")
    )]
    pub(crate) latency: Duration,
}

/// Returns a client of the servers at these URLs. As everywhere in `chaosctl`, proxies of the environment are not used, and
/// redirects not followed.
pub(crate) fn client(urls: impl IntoIterator<Item: AsRef<str>>) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("chaosctl/", env!("CARGO_PKG_VERSION")));
    let is_plain = |url: &str| Url::parse(url).is_ok_and(|url| url.scheme() == "http");
    if urls.into_iter().all(|url| is_plain(url.as_ref())) {
        // Without this, there is no client on a machine without certificates of authorities.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        let problem = format!("TLS cannot be set up: {}", WithCauses(&error));
        Failure::new(Exit::Refused, problem)
    })
}

/// Sends a request, and reads the whole answer. Returns why there is none, without the URL, which may hold a secret.
pub(crate) async fn ask(request: RequestBuilder, patience: Duration) -> Result<Answered, String> {
    let answered = timeout(patience, answer(request)).await;
    answered.unwrap_or_else(|_| {
        let patience = humantime::format_duration(patience);
        Err(format!("no answer within {patience}"))
    })
}

async fn answer(request: RequestBuilder) -> Result<Answered, String> {
    let failed = |error: reqwest::Error| causes(&error.without_url());
    let clock = Clock::monotonic();
    let mut response = request.send().await.map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > MAX_BYTES {
            return Err("the answer has more than 1 MiB".to_owned());
        }
    }
    Ok(Answered {
        status: response.status().as_u16(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
        latency: clock.now(),
    })
}
