//! Changes to the headers of a request or a response.

use http::{HeaderMap, HeaderName, HeaderValue};

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
///     .set(HeaderName::from_static("cache-control"), cached)
///     .remove(HeaderName::from_static("etag"));
/// let fault = Fault::Headers(edit, Direction::Response);
/// # drop(fault);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdit {
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    pub(crate) remove: Vec<HeaderName>,
}

impl HeaderEdit {
    /// Creates an edit that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header to one value.
    #[must_use]
    pub fn set(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.set.push((name, value));
        self
    }

    /// Removes all values of a header.
    #[must_use]
    pub fn remove(mut self, name: HeaderName) -> Self {
        self.remove.push(name);
        self
    }

    /// Applies the edit to `headers`.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
    }
}
