//! The facts of one call, which matchers and keys read.

pub(crate) mod bytes;
pub(crate) mod direction;
pub(crate) mod fates;
pub(crate) mod hit_call;
mod host;
pub(crate) mod meter;
mod query;
pub(crate) mod seen;
pub(crate) mod site_kind;
pub(crate) mod stripe;

use std::{borrow::Cow, fmt, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use self::{bytes::is_visible, host::Host, query::Values};

/// A label of a call: its name, and its value on this call.
pub type Label<'a> = (&'static str, Cow<'a, str>);

/// One pass through a site, with the facts that rules can match on.
///
/// A call borrows its facts and copies none. A fact that has to be computed, such as a decoded
/// query parameter, is computed only when a rule reads it.
///
/// ```
/// use chaos_core::{Call, Fault, Injector, Rule, Text, Matcher};
///
/// let injector = Injector::new();
/// let lost = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"))
///     .matching(Matcher::new().label("table", Text::is("orders")));
/// injector.put(lost);
///
/// let site = injector.site("db.read");
/// let labels = [("table", "orders".into())];
/// assert!(site.decide(&Call::new().labels(&labels)).is_some());
/// assert!(site.decide(&Call::new()).is_none());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Call<'a> {
    http: Option<Http<'a>>,
    labels: &'a [Label<'a>],
    lazy: Option<&'a dyn LazyFacts>,
}

/// Facts of a call that are computed only if a rule reads them. A closure that returns the peer
/// implements it.
pub trait LazyFacts {
    /// Returns the IP address of the peer, if it is known.
    fn peer(&self) -> Option<IpAddr> {
        None
    }

    /// Returns the route that the service has matched, such as `/orders/{id}`, if it is known. It is
    /// called only for a call that is hit, or whose facts are kept because its site is watched.
    fn route(&self) -> Option<&str> {
        None
    }

    /// Returns which `abort` faults can cut the call off. It is called only if a rule would cut the call off
    /// at once; a rule with another abort does not fire.
    fn cuts(&self) -> Cuts {
        Cuts::All
    }
}

impl<F: Fn() -> Option<IpAddr>> LazyFacts for F {
    fn peer(&self) -> Option<IpAddr> {
        self()
    }
}

/// Which `abort` faults can cut a call off before it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Every `abort`.
    All,
    /// Only an `abort` that resets the connection.
    Resets,
    /// No `abort`, such as on a HEAD request whose connection is not known.
    None,
}

impl Cuts {
    /// Returns whether one of them is a cut that `resets` the connection, or one that does not.
    #[must_use]
    pub const fn has(self, resets: bool) -> bool {
        match self {
            Self::All => true,
            Self::Resets => resets,
            Self::None => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Http<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> Call<'a> {
    /// Creates a call without facts, such as one in plain code.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            http: None,
            labels: &[],
            lazy: None,
        }
    }

    /// Creates a call that is an HTTP or gRPC request, as the layer sees it.
    #[must_use]
    pub const fn http(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self {
            http: Some(Http {
                method,
                uri,
                headers,
            }),
            labels: &[],
            lazy: None,
        }
    }

    /// Sets the labels of the call, in place of those it had.
    #[must_use]
    pub const fn labels(mut self, labels: &'a [Label<'a>]) -> Self {
        self.labels = labels;
        self
    }

    /// Sets the facts that are computed only if a rule reads them.
    #[must_use]
    pub const fn lazy_facts(mut self, facts: &'a dyn LazyFacts) -> Self {
        self.lazy = Some(facts);
        self
    }

    /// Returns the call without the facts of a request.
    pub(crate) fn without_request(self) -> Self {
        Self { http: None, ..self }
    }

    /// Returns which faults can cut the call off.
    pub(crate) fn cuts(&self) -> Cuts {
        self.lazy.map_or(Cuts::All, LazyFacts::cuts)
    }

    /// Returns whether this is a call of gRPC-Web, whose messages are not counted.
    pub(crate) fn is_grpc_web(&self) -> bool {
        let content_type = self
            .http
            .and_then(|http| http.headers.get(header::CONTENT_TYPE));
        content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc-web"))
    }

    /// Returns whether the integration looks for the address of the peer.
    pub(crate) fn tells_peer(&self) -> bool {
        self.lazy.is_some()
    }

    /// Returns the IP address of the peer, if it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.lazy?.peer()
    }

    /// Returns the route that the service has matched, if it is known.
    pub(crate) fn route(&self) -> Option<&'a str> {
        self.lazy?.route()
    }

    /// Returns the trace id of the W3C's `traceparent` header, if the header is valid: 32
    /// lower-case hexadecimal digits of `version-trace-parent-flags`.
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
            // Versions above 00 may append further fields.
            && (version != "00" || parts.next().is_none())
            && (id == trace && fits(id, 32) && is_set(id))
            && (fits(parent, 16) && is_set(parent))
            && fits(flags, 2);
        is_valid.then_some(trace)
    }

    /// Returns the HTTP method.
    pub(crate) fn method(&self) -> Option<&'a str> {
        self.http_method().map(Method::as_str)
    }

    /// Returns the HTTP method as it was parsed.
    #[inline(always)]
    pub(crate) fn http_method(&self) -> Option<&'a Method> {
        self.http.map(|http| http.method)
    }

    /// Returns all headers.
    #[inline(always)]
    pub(crate) fn headers(&self) -> Option<&'a HeaderMap> {
        self.http.map(|http| http.headers)
    }

    /// Returns the path of the request's target, percent-encoded.
    pub(crate) fn path(&self) -> Option<&'a str> {
        self.http.map(|http| http.uri.path())
    }

    /// Returns `package.Service/Method` if this is a gRPC call.
    pub(crate) fn grpc(&self) -> Option<&'a str> {
        let http = self.http?;
        let content_type = self.first_header(&header::CONTENT_TYPE)?;
        let is_grpc = content_type.as_bytes().starts_with(b"application/grpc");
        http.uri.path().strip_prefix('/').filter(|_| is_grpc)
    }

    /// Returns the host in lower case and without its port: that of the request's target (HTTP/2,
    /// proxies), or else that of the `Host` header.
    pub(crate) fn host(&self) -> Option<Host<'a>> {
        match self.http?.uri.host() {
            Some(host) => Host::of(host.as_bytes()),
            None => Host::of(self.first_header(&header::HOST)?.as_bytes()),
        }
    }

    /// Returns the first value of a header.
    #[inline]
    pub(crate) fn first_header(&self, name: &HeaderName) -> Option<&'a HeaderValue> {
        let headers = self.http?.headers;
        if !are_few(headers) {
            return headers.get(name);
        }
        for (other, value) in headers {
            if other == name {
                return Some(value);
            }
        }
        None
    }

    /// Calls `each` with the values of a header, in order, until it returns `None`.
    #[inline]
    pub(crate) fn each_header(
        &self,
        name: &HeaderName,
        mut each: impl FnMut(&'a HeaderValue) -> Option<()>,
    ) -> Option<()> {
        let Some(Http { headers, .. }) = self.http else {
            return Some(());
        };
        // Most requests have no header twice, and the first value is found sooner than all of them.
        if headers.len() == headers.keys_len() {
            return self.first_header(name).map_or(Some(()), each);
        }
        headers.get_all(name).iter().try_for_each(&mut each)
    }

    /// Returns the values of a header, in order.
    pub(crate) fn header(&self, name: &HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        let values = self.http.map(|http| http.headers.get_all(name).iter());
        values.into_iter().flatten()
    }

    /// Returns the values of a query parameter, percent-decoded and in order.
    #[inline(always)]
    pub(crate) fn query<'n>(&self, name: &'n str) -> Values<'a, 'n> {
        let query = self.http.and_then(|http| http.uri.query());
        Values::new(query.unwrap_or(""), name)
    }

    /// Returns the value of a label.
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

/// Cuts the text of a header at [`MAX_LENGTH`]. Returns `None` if it is no text.
#[inline(always)]
pub(crate) fn cut_header(value: &HeaderValue) -> Option<&[u8]> {
    let value = value.as_bytes();
    is_visible(value).then(|| &value[..value.len().min(MAX_LENGTH)])
}

/// Returns whether a request has so few headers that to compare their names one by one takes less than to hash
/// one.
#[inline(always)]
pub(crate) fn are_few(headers: &HeaderMap) -> bool {
    headers.len() <= 8
}

/// How many bytes of a key, or of a text that is kept, count, since nothing else bounds the length of a value.
const MAX_LENGTH: usize = 256;

/// Cuts a text at [`MAX_LENGTH`], between characters.
#[inline]
pub(crate) fn cut(value: Cow<'_, str>) -> Cow<'_, str> {
    if value.len() <= MAX_LENGTH {
        return value;
    }
    let is_boundary = |end: &usize| value.is_char_boundary(*end);
    let end = (0..=MAX_LENGTH).rev().find(is_boundary).unwrap_or(0);
    match value {
        Cow::Borrowed(value) => value[..end].into(),
        Cow::Owned(mut value) => {
            value.truncate(end);
            value.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = "ä".repeat(MAX_LENGTH);
        let (borrowed, owned) = (cut(Cow::Borrowed(&long)), cut(long.clone().into()));
        assert_eq!(borrowed, owned);
        assert_eq!(borrowed.len(), MAX_LENGTH);
        assert_eq!(cut("short".into()), "short");
        let odd = format!("a{long}");
        assert_eq!(cut(odd.into()).len(), MAX_LENGTH - 1);
    }
}
