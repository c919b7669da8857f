//! What a condition that is a text alone means: equality, a route, or all methods of a service. JSON and code
//! have it from here.

use http::Method;

use crate::{error::RuleError, matcher::text::Text};

/// Converts a value into a condition of a [`Matcher`](crate::Matcher): a [`Text`], or a `&str`, which has the
/// meaning that it has in the JSON of a rule.
///
/// A path is a route in axum's syntax, such as `/orders/{id}`; `shop.v1.Orders/*` is every method of a gRPC
/// service; a host is compared in lower case; anything else is compared byte for byte.
pub trait IntoText: private::Sealed {
    #[doc(hidden)]
    fn into_text(self, plain: fn(&str) -> Result<Text, RuleError>) -> Result<Text, RuleError>;
}

/// How a text alone is read.
pub(crate) type Plain = fn(&str) -> Result<Text, RuleError>;

mod private {
    pub trait Sealed {}
    impl Sealed for super::Text {}
    impl Sealed for &str {}
    impl Sealed for &String {}
}

impl IntoText for Text {
    fn into_text(self, _: Plain) -> Result<Text, RuleError> {
        Ok(self)
    }
}

impl IntoText for &str {
    fn into_text(self, plain: Plain) -> Result<Text, RuleError> {
        plain(self)
    }
}

impl IntoText for &String {
    fn into_text(self, plain: Plain) -> Result<Text, RuleError> {
        plain(self)
    }
}

pub(crate) fn value(text: &str) -> Result<Text, RuleError> {
    Ok(Text::is(text))
}

pub(crate) fn path(path: &str) -> Result<Text, RuleError> {
    Text::route(path)
}

pub(crate) fn method(name: &str) -> Result<Text, RuleError> {
    let is_method = Method::from_bytes(name.as_bytes()).is_ok();
    if is_method && !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Ok(Text::is(name));
    }
    Err(error(format_args!("{name:?} is no HTTP method")))
}

pub(crate) fn host(name: &str) -> Result<Text, RuleError> {
    let port = !name.starts_with('[') && name.contains(':') || name.contains("]:");
    let is_sent = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    if port || name.is_empty() || !is_sent {
        return Err(error(format_args!("{name:?} is no host")));
    }
    Ok(Text::is(&name.to_ascii_lowercase()))
}

pub(crate) fn grpc(name: &str) -> Result<Text, RuleError> {
    let is_name = |part: &str| !part.is_empty() && !part.contains(['/', '*']);
    match name.split_once('/') {
        Some((service, "*")) if is_name(service) => Ok(Text::prefix(&format!("{service}/"))),
        Some((service, method)) if is_name(service) && is_name(method) => Ok(Text::is(name)),
        _ => Err(error(format_args!("{name:?} is no gRPC method"))),
    }
}

/// An error of a value that does not know its field.
fn error(problem: std::fmt::Arguments<'_>) -> RuleError {
    RuleError::new("", problem, "")
}
