//! The request that has to succeed before a pick is made.

use std::fmt;

use http::Uri;

/// A request that has to be answered with a certain status before a replica is picked: a service that is not well gets
/// no faults on top.
///
/// This is its description. Whoever runs the picker makes the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    url: Uri,
    status: u16,
}

impl Probe {
    pub(super) const DEFAULT_STATUS: u16 = 200;

    /// Returns `None` if it is not the URL of an HTTP server.
    pub(super) fn new(url: &str, status: u16) -> Option<Self> {
        http_url(url).map(|url| Self { url, status })
    }

    /// Returns the URL to get, which is one of `http` or `https`.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Returns the status that has to be answered, 200 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }
}

/// Returns `None` if it is not the URL of an HTTP server.
pub(super) fn http_url(url: &str) -> Option<Uri> {
    let url: Uri = url.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    (is_http && url.host().is_some_and(|host| !host.is_empty())).then_some(url)
}

impl fmt::Display for Probe {
    /// Writes what has to hold, such as `GET http://shop/health is answered with 200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {} is answered with {}", self.url, self.status)
    }
}
