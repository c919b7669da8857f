//! What a condition means for the field that it is on: a text alone is equality, a route, or all methods of a
//! service, and a prefix must be one that a value can have. JSON and code have it from here.

use http::Method;

use crate::{error::RuleError, matcher::text::Text};

/// What one condition, without others inside, means for a field.
pub(crate) type Meaning = fn(Text) -> Result<Text, RuleError>;

/// Returns the condition as it is compared: each that it consists of has its meaning.
pub(crate) fn resolve(text: Text, meaning: Meaning) -> Result<Text, RuleError> {
    Ok(match text {
        Text::Not(text) => Text::Not(Box::new(resolve(*text, meaning)?)),
        Text::AnyOf(texts) => {
            let texts = texts.into_iter().map(|text| resolve(text, meaning));
            Text::AnyOf(texts.collect::<Result<_, _>>()?)
        }
        text => meaning(text)?,
    })
}

pub(crate) fn value(text: Text) -> Result<Text, RuleError> {
    Ok(match text {
        Text::Plain(value) => Text::Is(value),
        text => text,
    })
}

pub(crate) fn path(text: Text) -> Result<Text, RuleError> {
    match text {
        Text::Plain(path) => Text::route(&path),
        // The path of `OPTIONS *` is `*`.
        Text::Prefix(prefix) if !prefix.is_empty() && !prefix.starts_with(['/', '*']) => {
            Err(error(format_args!(
                "{prefix:?} begins no path: a path begins with `/`"
            )))
        }
        text => Ok(text),
    }
}

pub(crate) fn method(text: Text) -> Result<Text, RuleError> {
    let Text::Plain(name) = text else {
        return Ok(text);
    };
    let is_method = Method::from_bytes(name.as_bytes()).is_ok();
    if is_method && !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Ok(Text::Is(name));
    }
    Err(error(format_args!("{name:?} is no HTTP method")))
}

/// A host is compared in lower case.
pub(crate) fn host(text: Text) -> Result<Text, RuleError> {
    Ok(match text {
        Text::Plain(name) => {
            let port = !name.starts_with('[') && name.contains(':') || name.contains("]:");
            let is_sent = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
            if port || name.is_empty() || !is_sent {
                return Err(error(format_args!("{name:?} is no host")));
            }
            Text::is(&name.to_ascii_lowercase())
        }
        Text::Prefix(prefix) => Text::prefix(&prefix.to_ascii_lowercase()),
        Text::Suffix(suffix) => Text::suffix(&suffix.to_ascii_lowercase()),
        text => text,
    })
}

pub(crate) fn grpc(text: Text) -> Result<Text, RuleError> {
    match text {
        Text::Plain(name) => grpc_method(name),
        Text::Prefix(prefix) if prefix.starts_with('/') || prefix.matches('/').count() > 1 => {
            Err(error(format_args!(
                "{prefix:?} begins no gRPC method: one is its service, `/` and its name"
            )))
        }
        text => Ok(text),
    }
}

fn grpc_method(name: Box<str>) -> Result<Text, RuleError> {
    let is_name = |part: &str| !part.is_empty() && !part.contains(['/', '*']);
    match name.split_once('/') {
        Some((service, "*")) if is_name(service) => Ok(Text::prefix(&format!("{service}/"))),
        Some((service, method)) if is_name(service) && is_name(method) => Ok(Text::Is(name)),
        _ => Err(error(format_args!("{name:?} is no gRPC method"))),
    }
}

/// An error of a value that does not know its field.
fn error(problem: std::fmt::Arguments<'_>) -> RuleError {
    RuleError::new("", problem, "")
}
