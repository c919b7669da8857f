//! How a stack takes an answer, an error or a body that its own service did not make.
//!
//! There are two questions: does the error type stay, and do the body types stay? axum demands that
//! both do; clients want errors of their own. A [`Surface`] answers both, as one type.

use std::{marker::PhantomData, task::Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    body::{FaultBody, any_body::AnyBody},
    error::BoxError,
};
use sealed::Sealed;

/// What a stack is given in place of its own response `T` and error `E`.
///
/// It is a choice made in types, never a value: a service holds nothing of it, and where it changes
/// nothing, it costs nothing.
pub trait Surface<T, E>: Sealed {
    /// The response that comes out.
    type Response;
    /// The error that comes out.
    type Error;

    /// Passes on what the inner service answered. Part of the idle path.
    fn pass(result: Result<T, E>) -> Result<Self::Response, Self::Error>;

    /// Passes on a poll of the inner service's future. Part of the idle path; a surface that changes
    /// nothing says so here, and nothing is moved.
    #[inline(always)]
    fn pass_poll(poll: Poll<Result<T, E>>) -> Poll<Result<Self::Response, Self::Error>> {
        poll.map(Self::pass)
    }

    /// Passes on that the inner service will not become ready. Part of the idle path.
    fn not_ready(error: E) -> Self::Error;

    /// Takes an error that was made here; gives it back where the stack has no room for one.
    ///
    /// # Errors
    /// The error itself, to be said in an answer.
    fn fail(error: BoxError) -> Result<Self::Error, BoxError>;
}

/// What a stack is given in place of a body `B`.
pub trait Bodies<B>: Sealed {
    /// The body that comes out.
    type Body;

    /// Passes on a request. Part of the idle path.
    fn pass_request(request: Request<B>) -> Request<Self::Body>;

    /// Takes a body that a fault may have reached.
    fn take(body: FaultBody<B>) -> Self::Body;
}

/// Keeps the error type and the body types: what axum demands, and any server takes.
///
/// A service that cannot fail (axum's error is `Infallible`) cannot be made to: an `error` fault is
/// answered with a 500, and an abort cuts the body. The bodies must be such as can hold any other,
/// as axum's and tonic's can: an [`AnyBody`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SameTypes;

/// Keeps the body types, and makes the error a [`BoxError`]: for clients such as tonic's `Channel`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxErrors;

/// Makes every body a [`FaultBody`], whatever it was, and treats errors as `E` does: for plain hyper
/// services and clients, and for bodies that another layer has changed.
#[derive(Debug, Default)]
pub struct WrapBodies<E = SameTypes>(PhantomData<fn() -> E>);

/// A body that a fault can damage: it consists of [`Bytes`] and fails with an error that can be boxed.
///
/// Every such body implements this trait, which names the bounds and nothing else.
pub trait HttpBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B> HttpBody for B where B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

/// A surface for a service that takes requests with a body `A` and returns a `Response<B>` or an error
/// `E`.
///
/// [`SameTypes`], [`BoxErrors`] and [`WrapBodies`] implement this trait, which names the bounds and
/// nothing else. It is not implemented if a body type has to stay and cannot hold another, which
/// [`InjectLayer::wrapped_bodies`](crate::InjectLayer::wrapped_bodies) solves.
pub trait HttpSurface<A, B, E>:
    Bodies<A>
    + Bodies<B>
    + Surface<Response<B>, E, Response = Response<<Self as Bodies<B>>::Body>>
    + 'static
{
}

impl<M, A, B, E> HttpSurface<A, B, E> for M where
    M: Bodies<A>
        + Bodies<B>
        + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>
        + 'static
{
}

/// A service that a layer can wrap: each call that a rule hits is served by a clone, in a boxed future.
///
/// Every such service implements this trait, which names the bounds and nothing else.
pub trait InnerService<R>:
    Service<R, Future: Send + 'static, Error: Send> + Clone + Send + 'static
{
}

impl<S, R> InnerService<R> for S where
    S: Service<R, Future: Send + 'static, Error: Send> + Clone + Send + 'static
{
}

mod sealed {
    pub trait Sealed {}
}

impl Sealed for SameTypes {}
impl Sealed for BoxErrors {}
impl<E> Sealed for WrapBodies<E> {}

impl<B: AnyBody, E> Surface<Response<B>, E> for SameTypes {
    type Response = Response<B>;
    type Error = E;

    #[inline(always)]
    fn pass(result: Result<Response<B>, E>) -> Result<Response<B>, E> {
        result
    }

    #[inline(always)]
    fn pass_poll(poll: Poll<Result<Response<B>, E>>) -> Poll<Result<Response<B>, E>> {
        poll
    }

    #[inline(always)]
    fn not_ready(error: E) -> E {
        error
    }

    fn fail(error: BoxError) -> Result<E, BoxError> {
        Err(error)
    }
}

impl<B: AnyBody, E: Into<BoxError>> Surface<Response<B>, E> for BoxErrors {
    type Response = Response<B>;
    type Error = BoxError;

    #[inline(always)]
    fn pass(result: Result<Response<B>, E>) -> Result<Response<B>, BoxError> {
        result.map_err(Into::into)
    }

    #[inline(always)]
    fn not_ready(error: E) -> BoxError {
        error.into()
    }

    fn fail(error: BoxError) -> Result<BoxError, BoxError> {
        Ok(error)
    }
}

impl<B, E> Surface<Response<B>, E> for WrapBodies<SameTypes>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<FaultBody<B>>;
    type Error = E;

    #[inline(always)]
    fn pass(result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        result.map(|response| response.map(FaultBody::pass))
    }

    #[inline(always)]
    fn not_ready(error: E) -> E {
        error
    }

    fn fail(error: BoxError) -> Result<E, BoxError> {
        Err(error)
    }
}

impl<B, E> Surface<Response<B>, E> for WrapBodies<BoxErrors>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Response = Response<FaultBody<B>>;
    type Error = BoxError;

    #[inline(always)]
    fn pass(result: Result<Response<B>, E>) -> Result<Self::Response, BoxError> {
        let passed = result.map(|response| response.map(FaultBody::pass));
        passed.map_err(Into::into)
    }

    #[inline(always)]
    fn not_ready(error: E) -> BoxError {
        error.into()
    }

    fn fail(error: BoxError) -> Result<BoxError, BoxError> {
        Ok(error)
    }
}

impl<B: AnyBody> Bodies<B> for SameTypes {
    type Body = B;

    #[inline(always)]
    fn pass_request(request: Request<B>) -> Request<B> {
        request
    }

    fn take(body: FaultBody<B>) -> B {
        B::from_body(body)
    }
}

impl<B: AnyBody> Bodies<B> for BoxErrors {
    type Body = B;

    #[inline(always)]
    fn pass_request(request: Request<B>) -> Request<B> {
        request
    }

    fn take(body: FaultBody<B>) -> B {
        B::from_body(body)
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>, E> Bodies<B> for WrapBodies<E> {
    type Body = FaultBody<B>;

    #[inline(always)]
    fn pass_request(request: Request<B>) -> Request<FaultBody<B>> {
        request.map(FaultBody::pass)
    }

    fn take(body: FaultBody<B>) -> FaultBody<B> {
        body
    }
}
