//! Which calls a rule applies to. A matcher compares texts with the facts of a call: its labels and,
//! for an HTTP request, its method, path, headers and query.

pub(crate) mod compiled;
pub(crate) mod exempt;
pub(crate) mod glob;
pub(crate) mod index;
pub(crate) mod mismatch;
pub(crate) mod plain;
#[cfg(test)]
mod strategies;
pub(crate) mod text;

pub use self::{
    exempt::Exemptions,
    glob::SiteGlob,
    mismatch::Mismatch,
    text::{Pattern, Route, Text},
};

use std::mem;

use http::HeaderName;

#[cfg(test)]
use crate::call::Call;

/// Conditions on a call, all of which must hold. A matcher without conditions matches every call.
///
/// ```
/// use chaos_core::{Matcher, Text};
///
/// // GET requests for an order, of users that the load generator makes.
/// let matcher = Matcher::new()
///     .method("GET")
///     .path("/v1/orders/{id}")
///     .header("x-user-id", Text::prefix("load-"));
/// # drop(matcher);
/// ```
///
/// A condition that is a text alone has the meaning that it has in the JSON of a rule: a path is a route, for
/// example, also within [`Text::Not`] and [`Text::AnyOf`]. For texts that are known at run time only, use
/// `Text::route(path)?` and similar functions, which return errors.
///
/// # Panics
/// The setter of a condition panics if JSON would refuse the text, too: a path that is not a route, as in
/// axum's `Router::route`, a method with a small letter, a host with a port, a gRPC method without a
/// service, or a prefix with which no path or gRPC method begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher {
    pub(crate) method: Option<Text>,
    pub(crate) path: Option<Text>,
    // Few rules have one of these two, and a text is larger than a box.
    pub(crate) host: Option<Box<Text>>,
    pub(crate) grpc: Option<Box<Text>>,
    pub(crate) headers: Box<[(HeaderName, Text)]>,
    pub(crate) query: Box<[(Box<str>, Text)]>,
    pub(crate) labels: Box<[(Box<str>, Text)]>,
}

impl Matcher {
    /// Creates a matcher without conditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a condition on the HTTP method, which is in capitals.
    #[must_use]
    #[track_caller]
    pub fn method(mut self, method: impl Into<Text>) -> Self {
        self.method = Some(text("method", method, plain::method));
        self
    }

    /// Sets a condition on the path of the request's target, as the layer sees it and
    /// percent-encoded.
    #[must_use]
    #[track_caller]
    pub fn path(mut self, path: impl Into<Text>) -> Self {
        self.path = Some(text("path", path, plain::path));
        self
    }

    /// Sets a condition on the host, which is in lower case and without a port.
    #[must_use]
    #[track_caller]
    pub fn host(mut self, host: impl Into<Text>) -> Self {
        self.host = Some(Box::new(text("host", host, plain::host)));
        self
    }

    /// Sets a condition on the method of a gRPC call, such as `shop.v1.Orders/Place`. A call of
    /// another protocol has no such method.
    #[must_use]
    #[track_caller]
    pub fn grpc(mut self, method: impl Into<Text>) -> Self {
        self.grpc = Some(Box::new(text("grpc", method, plain::grpc)));
        self
    }

    /// Sets the condition on a header, in place of an earlier one on that header.
    ///
    /// # Panics
    /// Panics if `name` is not the name of a header.
    #[must_use]
    #[track_caller]
    pub fn header<N>(mut self, name: N, value: impl Into<Text>) -> Self
    where
        HeaderName: TryFrom<N, Error: std::error::Error>,
    {
        let name = HeaderName::try_from(name);
        let name = name.unwrap_or_else(|error| panic!("headers: {error}"));
        set(
            &mut self.headers,
            name,
            text("headers", value, plain::value),
        );
        self
    }

    /// Sets the condition on a query parameter, percent-decoded, in place of an earlier one on that
    /// parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<Text>) -> Self {
        set(
            &mut self.query,
            name.into(),
            text("query", value, plain::value),
        );
        self
    }

    /// Sets the condition on a label of the site, as in `inject!("db.read", table = "orders")`, in
    /// place of an earlier one on that label.
    #[must_use]
    pub fn label(mut self, name: &str, value: impl Into<Text>) -> Self {
        set(
            &mut self.labels,
            name.into(),
            text("labels", value, plain::value),
        );
        self
    }

    /// Returns the size of all compiled regular expressions, in bytes.
    pub(crate) fn expressions(&self) -> u64 {
        let named = [&self.query, &self.labels].into_iter().flatten();
        let texts = [&self.method, &self.path].into_iter().flatten();
        let boxed = [&self.host, &self.grpc].into_iter().flatten();
        let texts = texts.chain(boxed.map(|text| &**text));
        let texts = texts.chain(self.headers.iter().map(|(_, text)| text));
        let texts = texts.chain(named.map(|(_, text)| text));
        texts.map(Text::expressions).sum()
    }

    /// Returns whether every condition holds for `call`. [`CompiledMatcher`](compiled::CompiledMatcher)
    /// returns the same sooner; this is what it is tested against.
    #[cfg(test)]
    pub(crate) fn matches(&self, call: &Call<'_>) -> bool {
        fn holds<'c>(text: &Option<Text>, value: impl Fn() -> Option<&'c str>) -> bool {
            (text.as_ref()).is_none_or(|text| text.matches(&|| value().into_iter()))
        }
        holds(&self.method, || call.method())
            && holds(&self.path, || call.path())
            && (self.headers.iter()).all(|(name, text)| text.matches(&|| call.header(name)))
            && (self.host.as_ref()).is_none_or(|text| text.matches(&|| call.host().into_iter()))
            && (self.labels.iter())
                .all(|(name, text)| text.matches(&|| call.label(name).into_iter()))
            && (self.query.iter()).all(|(name, text)| text.matches(&|| call.query(name)))
            && (self.grpc.as_ref()).is_none_or(|text| text.matches(&|| call.grpc().into_iter()))
    }
}

/// Returns the condition as it is compared.
///
/// # Panics
/// Panics if the field refuses it.
#[track_caller]
pub(crate) fn text(field: &str, text: impl Into<Text>, meaning: plain::Meaning) -> Text {
    match plain::resolve(text.into(), meaning) {
        Ok(text) => text,
        Err(error) => panic!("{}", error.at(field)),
    }
}

/// Replaces the condition on `name`.
fn set<N: PartialEq>(conditions: &mut Box<[(N, Text)]>, name: N, text: Text) {
    let mut all = mem::take(conditions).into_vec();
    all.retain(|(known, _)| *known != name);
    all.reserve_exact(1);
    all.push((name, text));
    *conditions = all.into();
}
