//! Which calls a rule matches, in JSON.

use http::HeaderName;

use super::{
    document::document,
    scalar::HEADER_NAMES,
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
            matcher.method = Some(text(method, plain::method, "method")?);
        }
        if let Some(path) = self.path {
            matcher.path = Some(text(path, plain::path, "path")?);
        }
        if let Some(host) = self.host {
            matcher.host = Some(Box::new(text(host, plain::host, "host")?));
        }
        if let Some(grpc) = self.grpc {
            matcher.grpc = Some(Box::new(text(grpc, plain::grpc, "grpc")?));
        }
        for (name, doc) in self.headers.unwrap_or_default().0 {
            let problem = |_| Self::refuse("headers", format_args!("{name:?} is no header name"));
            let header = HeaderName::try_from(&name).map_err(problem)?;
            if matcher.headers.iter().any(|(known, _)| *known == header) {
                return Err(Self::refuse(
                    "headers",
                    format_args!("{name:?} occurs twice"),
                ));
            }
            let value = text(doc, plain::value, &format!("headers.{name}"))?;
            matcher = matcher.header(header, value);
        }
        for (name, doc) in self.query.unwrap_or_default().0 {
            let value = text(doc, plain::value, &format!("query.{name}"))?;
            matcher = matcher.query(&name, value);
        }
        for (name, doc) in self.labels.unwrap_or_default().0 {
            let value = text(doc, plain::value, &format!("labels.{name}"))?;
            matcher = matcher.label(&name, value);
        }
        Ok(matcher)
    }
}

/// Reads the condition on a field.
fn text(doc: TextDoc, meaning: plain::Meaning, field: &str) -> Result<Text, RuleError> {
    let text = doc.into_text();
    let text = text.and_then(|text| plain::resolve(text, meaning));
    text.map_err(at(field))
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
            host: matcher.host.as_deref().map(TextDoc::from),
            grpc: matcher.grpc.as_deref().map(TextDoc::from),
            headers: texts(headers.map(|(name, text)| (name.as_str(), text)).collect()),
            query: named(&matcher.query),
            labels: named(&matcher.labels),
        }
    }
}
