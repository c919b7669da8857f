//! What a peer asks a server for.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) headers: HeaderMap,
    /// In pieces: each a chunk of HTTP/1 (if there are more than one) or a frame of HTTP/2.
    pub(crate) body: Vec<Vec<u8>>,
    /// Whether that is all that it says it will send.
    pub(crate) is_whole: bool,
}

impl Ask {
    pub(crate) fn get(path: &'static str) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            body: Vec::new(),
            is_whole: true,
        }
    }

    pub(crate) fn post(path: &'static str, body: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            method: Method::POST,
            body: body.into_iter().collect(),
            ..Self::get(path)
        }
    }

    /// With more to come, which never does.
    pub(crate) fn unfinished(mut self) -> Self {
        self.is_whole = false;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let name = HeaderName::from_static(name);
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }
}
