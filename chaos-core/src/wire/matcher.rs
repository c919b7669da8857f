//! Which calls a rule matches, in JSON.

use http::HeaderName;

use super::{
    document::document,
    scalar::{HEADER_NAMES, refuse},
    shape::{Documented, Shape},
    text::{TEXT_MATCHER, TextDoc, TextsDoc},
};
use crate::{
    error::RuleError,
    matcher::{Matcher, plain, text::Text},
};

document! {
    /// The calls that a rule matches. All given conditions must hold. Without conditions, every call
    /// matches.
    MatchDoc as "Match";
    optional {
        /// The method of the request.
        method: TextDoc = TEXT_MATCHER.allowing("an HTTP method in capitals, or a text matcher");
        /// The path of the request.
        path: TextDoc = TEXT_MATCHER.allowing("a path such as `/products/{id}`, or a text matcher");
        /// The host of the request.
        host: TextDoc = TEXT_MATCHER.allowing("a host without its port, or a text matcher");
        /// The gRPC service and method. `shop.v1.Orders/*` is every method of a service.
        grpc: TextDoc = TEXT_MATCHER
            .allowing("a method such as `shop.v1.Orders/Place`, all of a service: `shop.v1.Orders/*`, or a text matcher");
        /// The headers of the request, by name, in lower or upper case.
        headers: TextsDoc = Shape::map(HEADER_NAMES, &TEXT_MATCHER)
            .allowing("an object of header names and text matchers, each name once");
        /// The parameters of the query, by name.
        query: TextsDoc = Shape::map("", &TEXT_MATCHER)
            .allowing("an object of parameter names and text matchers");
        /// The labels of the call, by name.
        labels: TextsDoc = Shape::map("", &TEXT_MATCHER)
            .allowing("an object of label names and text matchers");
    }
}

impl MatchDoc {
    /// Returns how many regular expressions it would have compiled.
    pub(super) fn expressions(&self) -> usize {
        let one = [&self.method, &self.path, &self.host, &self.grpc];
        let one = one.into_iter().flatten();
        let named = [&self.headers, &self.query, &self.labels];
        let named = named
            .into_iter()
            .flatten()
            .flat_map(|texts| texts.0.values());
        one.chain(named).map(TextDoc::expressions).sum()
    }

    pub(super) fn into_matcher(self) -> Result<Matcher, RuleError> {
        let mut matcher = Matcher::new();
        if let Some(method) = self.method {
            matcher = matcher.method(method.into_text(&plain::method).map_err(at("method"))?);
        }
        if let Some(path) = self.path {
            let path = path.into_text(&plain::path);
            let path = path.and_then(|path| with_prefixes(path, &path_prefix));
            matcher = matcher.path(path.map_err(at("path"))?);
        }
        if let Some(host) = self.host {
            let host = host.in_lower_case().into_text(&plain::host);
            matcher = matcher.host(host.map_err(at("host"))?);
        }
        if let Some(grpc) = self.grpc {
            let grpc = grpc.into_text(&plain::grpc);
            let grpc = grpc.and_then(|grpc| with_prefixes(grpc, &grpc_prefix));
            matcher = matcher.grpc(grpc.map_err(at("grpc"))?);
        }
        for (name, text) in self.headers.unwrap_or_default().0 {
            let problem = |_| Self::refuse("headers", format_args!("{name:?} is no header name"));
            let header = HeaderName::try_from(&name).map_err(problem)?;
            if matcher.headers.iter().any(|(known, _)| *known == header) {
                return Err(Self::refuse(
                    "headers",
                    format_args!("{name:?} occurs twice"),
                ));
            }
            let text = text.into_text(&plain::value);
            matcher = matcher.header(header, text.map_err(at(&format!("headers.{name}")))?);
        }
        for (name, text) in self.query.unwrap_or_default().0 {
            let text = text.into_text(&plain::value);
            matcher = matcher.query(&name, text.map_err(at(&format!("query.{name}")))?);
        }
        for (name, text) in self.labels.unwrap_or_default().0 {
            let text = text.into_text(&plain::value);
            matcher = matcher.label(&name, text.map_err(at(&format!("labels.{name}")))?);
        }
        Ok(matcher)
    }
}

/// Puts an error at a field, whatever form of it was wrong. What is allowed is said by the form, or else
/// by the field.
fn at(field: &str) -> impl Fn(RuleError) -> RuleError + '_ {
    move |error| match (error.allowed(), MatchDoc::SHAPE.part(Some(field))) {
        ("", Some(shape)) => RuleError::new(field, error.problem(), shape.allowed()),
        ("", None) => RuleError::new(field, error.problem(), TEXT_MATCHER.allowed()),
        (allowed, _) => RuleError::new(field, error.problem(), allowed),
    }
}

/// Checks each prefix in a text matcher: one that no value can have would match nothing.
fn with_prefixes(
    text: Text,
    check: &dyn Fn(&str) -> Result<(), RuleError>,
) -> Result<Text, RuleError> {
    fn walk(text: &Text, check: &dyn Fn(&str) -> Result<(), RuleError>) -> Result<(), RuleError> {
        match text {
            Text::Prefix(prefix) => check(prefix),
            Text::Not(text) => walk(text, check),
            Text::AnyOf(texts) => texts.iter().try_for_each(|text| walk(text, check)),
            _ => Ok(()),
        }
    }
    walk(&text, check).map(|()| text)
}

fn path_prefix(prefix: &str) -> Result<(), RuleError> {
    // The path of `OPTIONS *` is `*`.
    if prefix.is_empty() || prefix.starts_with(['/', '*']) {
        return Ok(());
    }
    Err(refuse(format_args!(
        "{prefix:?} begins no path: a path begins with `/`"
    )))
}

fn grpc_prefix(prefix: &str) -> Result<(), RuleError> {
    if !prefix.starts_with('/') && prefix.matches('/').count() <= 1 {
        return Ok(());
    }
    Err(refuse(format_args!(
        "{prefix:?} begins no gRPC method: one is its service, `/` and its name"
    )))
}

impl From<&Matcher> for MatchDoc {
    fn from(matcher: &Matcher) -> Self {
        let texts = |texts: Vec<(&str, &Text)>| {
            let pairs = texts.into_iter();
            let pairs = pairs.map(|(name, text)| (name.to_owned(), TextDoc::from(text)));
            let texts: std::collections::BTreeMap<_, _> = pairs.collect();
            (!texts.is_empty()).then_some(super::form::Names(texts))
        };
        let named = |pairs: &[(Box<str>, Text)]| -> Option<TextsDoc> {
            texts(pairs.iter().map(|(name, text)| (&**name, text)).collect())
        };
        let headers = matcher.headers.iter();
        Self {
            method: matcher.method.as_ref().map(TextDoc::from),
            path: matcher.path.as_ref().map(TextDoc::from),
            host: matcher.host.as_ref().map(TextDoc::from),
            grpc: matcher.grpc.as_ref().map(TextDoc::from),
            headers: texts(headers.map(|(name, text)| (name.as_str(), text)).collect()),
            query: named(&matcher.query),
            labels: named(&matcher.labels),
        }
    }
}
