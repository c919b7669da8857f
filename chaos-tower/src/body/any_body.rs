//! Bodies that can hold any other body, so that a fault can reach them and their type can stay.

use bytes::Bytes;
use http_body::Body;

use crate::error::BoxError;

/// A body type that can hold any other: what [`SameTypes`](crate::SameTypes) asks of a stack.
///
/// Open: a stack of your own may have such a type, too.
pub trait AnyBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sized + 'static {
    /// Holds `body`.
    fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

#[cfg(feature = "axum")]
impl AnyBody for axum::body::Body {
    fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::new(body)
    }
}

#[cfg(feature = "tonic")]
impl AnyBody for tonic::body::Body {
    fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::new(body)
    }
}

impl AnyBody for http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError> {
    fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        use http_body_util::BodyExt;
        body.map_err(Into::into).boxed_unsync()
    }
}
