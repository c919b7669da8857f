//! `AnyBody`: body types that can hold any other body, so that a faulty body has the type of the real one.

use bytes::Bytes;
use http_body::Body;

use crate::error::BoxError;

/// A body type that can hold any other body: [`SameTypes`](crate::SameTypes) and
/// [`BoxErrors`](crate::BoxErrors) require it, because they put a faulty body in the place of the real one.
///
/// The bodies of axum, tonic and reqwest implement it (with the feature of that name), and so does
/// [`UnsyncBoxBody`](http_body_util::combinators::UnsyncBoxBody). Implement it for a body type of your own
/// that can hold any other. For all other bodies, use
/// [`wrapped_responses`](crate::InjectLayer::wrapped_responses) or
/// [`wrapped_bodies`](crate::InjectLayer::wrapped_bodies).
#[diagnostic::on_unimplemented(
    message = "the body type `{Self}` cannot hold another body",
    label = "`{Self}` does not implement `AnyBody`",
    note = "in axum, call `.wrapped_responses()` on the `InjectLayer`, which leaves the body of the request as it is",
    note = "with other servers and clients, call `.wrapped_bodies()`, which makes every body a `FaultBody`; with those \
            of hyper, `.boxed_errors().wrapped_bodies()`",
    note = "the bodies of axum, tonic and reqwest can hold another with the feature of chaos-tower of that name"
)]
pub trait AnyBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sized + 'static {
    /// Makes a body that returns the frames of `body`.
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
