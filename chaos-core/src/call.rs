//! The facts of one call: what a matcher can ask about it.

pub(crate) mod direction;
pub(crate) mod site_kind;

use std::{borrow::Cow, fmt, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

/// A label of a call: its name, and its value at this call.
pub type Label<'a> = (&'static str, Cow<'a, str>);

/// One pass through a site, with what is known about it.
///
/// It borrows everything and copies nothing; a fact is worked out only when a rule asks for it.
#[derive(Clone, Copy, Default)]
pub struct Call<'a> {
    http: Option<Http<'a>>,
    labels: &'a [Label<'a>],
    peer: Option<&'a dyn Fn() -> Option<IpAddr>>,
}

#[derive(Clone, Copy, Debug)]
struct Http<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> Call<'a> {
    /// A call of which nothing is known: a site in plain code.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            http: None,
            labels: &[],
            peer: None,
        }
    }

    /// A call that is an HTTP request.
    #[must_use]
    pub const fn http(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self {
            http: Some(Http {
                method,
                uri,
                headers,
            }),
            labels: &[],
            peer: None,
        }
    }

    /// Adds labels.
    #[must_use]
    pub const fn labels(mut self, labels: &'a [Label<'a>]) -> Self {
        self.labels = labels;
        self
    }

    /// Says who made the call, if a rule wants to know.
    #[must_use]
    pub const fn peer_of(mut self, peer: &'a dyn Fn() -> Option<IpAddr>) -> Self {
        self.peer = Some(peer);
        self
    }

    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer?()
    }

    /// The trace id of the W3C's `traceparent`: `version-trace-parent-flags`, in lower case.
    pub(crate) fn trace(&self) -> Option<&'a str> {
        let header = self.http?.headers.get("traceparent")?.to_str().ok()?;
        let trace = header.get(3..35)?;
        let fits = |id: &str, length: usize| {
            id.len() == length && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_set = |id: &str| id.bytes().any(|b| b != b'0');
        let mut parts = header.split('-');
        let (version, id, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_valid = fits(version, 2)
            && version != "ff"
            // Later versions may have more to say.
            && (version != "00" || parts.next().is_none())
            && (id == trace && fits(id, 32) && is_set(id))
            && (fits(parent, 16) && is_set(parent))
            && fits(flags, 2);
        is_valid.then_some(trace)
    }

    pub(crate) fn method(&self) -> Option<&'a str> {
        self.http.map(|http| http.method.as_str())
    }

    pub(crate) fn path(&self) -> Option<&'a str> {
        self.http.map(|http| http.uri.path())
    }

    /// `package.Service/Method`, of a gRPC call.
    pub(crate) fn grpc(&self) -> Option<&'a str> {
        let http = self.http?;
        let content_type = http.headers.get(header::CONTENT_TYPE)?;
        let is_grpc = content_type.as_bytes().starts_with(b"application/grpc");
        http.uri.path().strip_prefix('/').filter(|_| is_grpc)
    }

    /// The host in lower case and without its port: of the target (HTTP/2, proxies), else of the
    /// `Host` header.
    pub(crate) fn host(&self) -> Option<Bytes<'a>> {
        let http = self.http?;
        let host = http.uri.host().or_else(|| {
            let host = http.headers.get(header::HOST)?.to_str().ok()?;
            match host.rsplit_once(':') {
                // The colons of a bare IPv6 address are inside its brackets.
                Some((host, port)) if !port.contains(']') => Some(host),
                _ => Some(host),
            }
        })?;
        Some(Bytes(match host.bytes().any(|b| b.is_ascii_uppercase()) {
            true => host.to_ascii_lowercase().into(),
            false => host.into(),
        }))
    }

    pub(crate) fn header(&self, name: &HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        let values = self.http.map(|http| http.headers.get_all(name).iter());
        values.into_iter().flatten()
    }

    pub(crate) fn query(&self, name: &str) -> impl Iterator<Item = Bytes<'a>> {
        let query = self.http.and_then(|http| http.uri.query()).unwrap_or("");
        form_urlencoded::parse(query.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| Bytes(value))
    }

    pub(crate) fn label(&self, name: &str) -> Option<&'a str> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| value.as_ref())
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("http", &self.http)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// A text that was worked out, as matchers look at it.
pub(crate) struct Bytes<'a>(Cow<'a, str>);

impl<'a> Bytes<'a> {
    pub(crate) fn into_text(self) -> Cow<'a, str> {
        self.0
    }
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
