//! Which of a site's calls a rule is about. Pure: a function of the rule and the call's facts.

pub(crate) mod exempt;
pub(crate) mod glob;
pub(crate) mod index;
pub(crate) mod text;

use http::HeaderName;

use crate::{call::Call, matcher::text::Text};

/// Conditions on a call; all that are given must hold, and an empty matcher takes every call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher {
    pub(crate) method: Option<Text>,
    pub(crate) path: Option<Text>,
    pub(crate) host: Option<Text>,
    pub(crate) grpc: Option<Text>,
    pub(crate) headers: Vec<(HeaderName, Text)>,
    pub(crate) query: Vec<(Box<str>, Text)>,
    pub(crate) labels: Vec<(Box<str>, Text)>,
}

impl Matcher {
    /// Takes every call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The HTTP method, in capitals.
    #[must_use]
    pub fn method(mut self, method: Text) -> Self {
        self.method = Some(method);
        self
    }

    /// The path of the request's target as the layer sees it, still percent-encoded.
    #[must_use]
    pub fn path(mut self, path: Text) -> Self {
        self.path = Some(path);
        self
    }

    /// The host in lower case, without its port.
    #[must_use]
    pub fn host(mut self, host: Text) -> Self {
        self.host = Some(host);
        self
    }

    /// The method of a gRPC call, as in `shop.v1.Orders/Place`; a call of another protocol has none.
    #[must_use]
    pub fn grpc(mut self, method: Text) -> Self {
        self.grpc = Some(method);
        self
    }

    /// A header. A second condition on the same header replaces the first; so with the next two.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: Text) -> Self {
        set(&mut self.headers, name, value);
        self
    }

    /// A query parameter, percent-decoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: Text) -> Self {
        set(&mut self.query, name.into(), value);
        self
    }

    /// A label that the site gives, as in `inject!("db.read", table = "orders")`.
    #[must_use]
    pub fn label(mut self, name: &str, value: Text) -> Self {
        set(&mut self.labels, name.into(), value);
        self
    }

    /// Whether the call is one of those meant. The cheap conditions are asked first.
    pub(crate) fn matches(&self, call: &Call<'_>) -> bool {
        fn holds<'c>(text: &Option<Text>, value: impl Fn() -> Option<&'c str>) -> bool {
            (text.as_ref()).is_none_or(|text| text.matches(&|| value().into_iter()))
        }
        holds(&self.method, || call.method())
            && holds(&self.path, || call.path())
            && (self.host.as_ref()).is_none_or(|text| text.matches(&|| call.host().into_iter()))
            && (self.labels.iter())
                .all(|(name, text)| text.matches(&|| call.label(name).into_iter()))
            && (self.headers.iter()).all(|(name, text)| text.matches(&|| call.header(name)))
            && (self.query.iter()).all(|(name, text)| text.matches(&|| call.query(name)))
            && (self.grpc.is_none() || self.takes_grpc(call))
    }

    /// Out of the way of those that say nothing of gRPC.
    #[cold]
    fn takes_grpc(&self, call: &Call<'_>) -> bool {
        let grpc = self.grpc.as_ref();
        grpc.is_none_or(|text| text.matches(&|| call.grpc().into_iter()))
    }
}

fn set<N: PartialEq>(conditions: &mut Vec<(N, Text)>, name: N, text: Text) {
    conditions.retain(|(known, _)| *known != name);
    conditions.push((name, text));
}
