//! Changes to the headers of a request or a response, and the headers that no fault may touch.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::RuleError;

/// The headers that say where a message ends, or that belong to its connection (RFC 9110, 7.6.1). A
/// server or client derives them from the body that it sends. A fault that changed one would make the
/// peer read the next message from within this one.
const FRAMING: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Checks that a fault may set or remove a header.
pub(crate) fn may_change(name: &HeaderName) -> Result<(), RuleError> {
    if !FRAMING.contains(name) {
        return Ok(());
    }
    let problem = format!("{name} frames the message");
    Err(RuleError::new(
        "headers",
        problem,
        "a header that does not frame the message",
    ))
}

/// A change of headers. Headers are removed first; those that are set replace all values of their
/// name.
///
/// ```
/// use chaos_core::{Direction, Fault, fault::HeaderEdit};
/// use http::{HeaderName, HeaderValue};
///
/// // The client may cache the response for ever, and cannot revalidate it.
/// let cached = HeaderValue::from_static("max-age=31536000, immutable");
/// let edit = HeaderEdit::new()
///     .set(HeaderName::from_static("cache-control"), cached)?
///     .remove(HeaderName::from_static("etag"))?;
/// let fault = Fault::Headers(edit, Direction::Response);
/// # drop(fault);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// The headers that frame a message cannot be changed: `connection`, `content-length`,
/// `http2-settings`, `keep-alive`, `proxy-connection`, `te`, `trailer`, `transfer-encoding` and
/// `upgrade`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdit(Arc<Edits>);

/// Shared by the calls that a rule hits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Edits {
    set: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl HeaderEdit {
    /// Creates an edit that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header to one value.
    ///
    /// # Errors
    /// Returns an error if the header frames the message.
    pub fn set(mut self, name: HeaderName, value: HeaderValue) -> Result<Self, RuleError> {
        may_change(&name)?;
        Arc::make_mut(&mut self.0).set.push((name, value));
        Ok(self)
    }

    /// Removes all values of a header.
    ///
    /// # Errors
    /// Returns an error if the header frames the message.
    pub fn remove(mut self, name: HeaderName) -> Result<Self, RuleError> {
        may_change(&name)?;
        Arc::make_mut(&mut self.0).remove.push(name);
        Ok(self)
    }

    /// Sorts the headers that are set by name.
    #[cfg(feature = "token")]
    pub(crate) fn sort(&mut self) {
        let set = &mut Arc::make_mut(&mut self.0).set;
        set.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    }

    /// Returns the headers that are set, in order.
    pub(crate) fn added(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.set
    }

    /// Returns the headers that are removed, in order.
    pub(crate) fn removed(&self) -> &[HeaderName] {
        &self.0.remove
    }

    /// Applies the edit to `headers`.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in self.removed() {
            headers.remove(name);
        }
        for (name, value) in self.added() {
            headers.insert(name.clone(), value.clone());
        }
    }
}
