//! A change of headers in JSON, and names and values of headers wherever a fault has some.

use http::{HeaderName, HeaderValue};

use super::direction::{self, DIRECTION, DIRECTIONS};
use crate::{
    call::direction::Direction,
    error::RuleError,
    fault::Fault,
    plan::headers::{HeaderEdit, may_change},
    wire::{
        document::document,
        form::Names,
        scalar::{HEADER_NAMES, meaning, refuse},
        shape::{Documented, Shape},
    },
};

/// The value of a header.
pub(super) const VALUE: Shape = Shape::text(
    "the value of a header",
    "",
    r"^[^\u0000-\u0008\u000a-\u001f\u007f]*$",
);

/// Names of headers and their values.
pub(super) const HEADERS: Shape = Shape::map(HEADER_NAMES, &VALUE).allowing(
    "an object of header names and values, each name once, and none that frames the message",
);

document! {
    /// A change of headers: those to set, and those to remove.
    HeadersDoc as "HeadersFault", "set, remove or both";
    optional {
        /// The headers to set, each with its value.
        set: Names<String> = HEADERS;
        /// The names of the headers to remove.
        remove: Vec<String> = Shape::list(&NAME, 0, usize::MAX).allowing("a list of header names, and none that frames the message");
        /// The message whose headers change. The default is `response`.
        on: String = DIRECTION;
    }
}

const NAME: Shape = Shape::text("the name of a header", "", HEADER_NAMES);

pub(super) fn fault(doc: HeadersDoc, beside: Option<Direction>) -> Result<Fault, RuleError> {
    let (set, remove) = (doc.set.unwrap_or_default(), doc.remove.unwrap_or_default());
    if set.0.is_empty() && remove.is_empty() {
        return Err(refuse("the object is empty"));
    }
    let mut edit = HeaderEdit::new();
    for (name, value) in pairs(set).map_err(HeadersDoc::within("set"))? {
        edit = edit.set(name, value)?;
    }
    for name in &remove {
        edit = edit.remove(header_name(name).map_err(HeadersDoc::within("remove"))?)?;
    }
    let inside = doc.on.as_deref().map(|on| meaning(DIRECTIONS, on));
    let inside = inside.transpose().map_err(HeadersDoc::within("on"))?;
    let on = inside.or(beside).unwrap_or(Direction::Response);
    Ok(Fault::Headers(edit, on))
}

pub(super) fn doc(edit: &HeaderEdit, on: Direction) -> HeadersDoc {
    let remove: Vec<_> = edit.removed().iter().map(ToString::to_string).collect();
    HeadersDoc {
        set: named(edit.added().iter().map(|(name, value)| (name, value))),
        remove: (!remove.is_empty()).then_some(remove),
        on: direction::doc(on),
    }
}

pub(super) fn pairs(names: Names<String>) -> Result<Vec<(HeaderName, HeaderValue)>, RuleError> {
    let mut pairs: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(names.0.len());
    for (name, value) in names.0 {
        let name = header_name(&name)?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(refuse(format_args!("{name:?} occurs twice")));
        }
        pairs.push((name, header_value(&value)?));
    }
    Ok(pairs)
}

/// Reads the name of a header that a fault may change.
fn header_name(name: &str) -> Result<HeaderName, RuleError> {
    let name = parsed_name(name)?;
    may_change(&name).map_err(|error| refuse(error.problem()))?;
    Ok(name)
}

/// Reads the name of any header.
pub(super) fn parsed_name(name: &str) -> Result<HeaderName, RuleError> {
    let parsed = HeaderName::try_from(name);
    parsed.map_err(|_| refuse(format_args!("{name:?} is no header name")))
}

pub(super) fn header_value(value: &str) -> Result<HeaderValue, RuleError> {
    let parsed = HeaderValue::try_from(value);
    parsed.map_err(|_| refuse(format_args!("{value:?} is no header value")))
}

pub(super) fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Writes headers as an object, unless there are none.
pub(super) fn named<'a>(
    pairs: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> Option<Names<String>> {
    let pairs = pairs.into_iter();
    let names: std::collections::BTreeMap<_, _> = pairs
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    (!names.is_empty()).then_some(Names(names))
}
