//! `Surface`: how a stack gets a response, an error or a body that its own service did not make.
//!
//! There are two questions: does the error type stay, and do the body types stay? axum requires that both
//! do; clients want boxed errors. A [`Surface`] answers both, as one type.

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

/// Selects what a stack gets in place of its response `T` and its error `E`.
///
/// A surface is a choice between types, of which no value exists: it adds nothing to the size of a service,
/// and no cost where it changes nothing. [`SameTypes`], [`BoxErrors`] and [`WrapBodies`] implement it; the
/// trait is sealed.
pub trait Surface<T, E>: Sealed {
    /// The response that the wrapped service returns.
    type Response;
    /// The error that the wrapped service returns.
    type Error;
    /// Whether the error type can hold an injected error.
    const HOLDS_ERRORS: bool;

    /// Converts the result of the inner service. Part of the idle path.
    ///
    /// # Errors
    ///
    /// Returns the error of the inner service, converted.
    fn pass(result: Result<T, E>) -> Result<Self::Response, Self::Error>;

    /// Converts a poll of the inner service's future. Part of the idle path: a surface that changes no type
    /// returns `poll`, so that nothing is moved.
    #[inline(always)]
    fn pass_poll(poll: Poll<Result<T, E>>) -> Poll<Result<Self::Response, Self::Error>> {
        poll.map(Self::pass)
    }

    /// Converts the error of an inner service that will not become ready. Part of the idle path.
    fn not_ready(error: E) -> Self::Error;

    /// Converts an injected error into the error type of the stack.
    ///
    /// # Errors
    ///
    /// Returns `error` if the error type cannot hold it. The layer then responds with a status instead.
    fn fail(error: BoxError) -> Result<Self::Error, BoxError>;
}

/// Selects what a stack gets in place of a body `B`. Sealed, like [`Surface`].
pub trait Bodies<B>: Sealed {
    /// The body in place of `B`.
    type Body;

    /// Converts a request that no fault changes. Part of the idle path.
    fn pass_request(request: Request<B>) -> Request<Self::Body>;

    /// Converts a body that a fault may change.
    fn take(body: FaultBody<B>) -> Self::Body;
}

/// The body in place of a request's body `A`, for the inner service.
pub type RequestBody<M, A> = <<M as Sealed>::Requests as Bodies<A>>::Body;

/// Keeps the error type and the body types, which axum requires and every server accepts.
///
/// A service that cannot fail (axum's error is `Infallible`) cannot be made to fail: an `error` fault is a
/// response with status 500, and an `abort` fault cuts the response's body. The body types must be able to
/// hold any other body, as axum's and tonic's are: [`AnyBody`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SameTypes;

/// Keeps the body types, and makes the error a [`BoxError`]: for clients such as tonic's `Channel`.
///
/// The body types must be able to hold any other body: [`AnyBody`].
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxErrors;

/// Makes bodies [`FaultBody`]s, and treats errors as the surface `E` does: for services and clients of
/// hyper, and for bodies that another layer has changed.
///
/// `R` selects whether the bodies of requests are wrapped, too, or stay as they are, as with
/// [`WrapResponses`].
#[derive(Debug, Default)]
pub struct WrapBodies<E = SameTypes, R = WrapRequests>(PhantomData<fn() -> (E, R)>);

/// Makes the body of a response a [`FaultBody`], and keeps that of the request, which must be able to hold any
/// other body: for stacks of axum with layers that change the body of the response, such as compression.
pub type WrapResponses<E = SameTypes> = WrapBodies<E, SameTypes>;

/// Makes the bodies of requests [`FaultBody`]s: the default of [`WrapBodies`].
#[derive(Clone, Copy, Debug, Default)]
pub struct WrapRequests;

/// A body that a fault can damage: it consists of [`Bytes`] and fails with an error that can be boxed.
///
/// Every such body implements this trait, which names the bounds and nothing else.
pub trait HttpBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B> HttpBody for B where B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

/// A surface for a service that takes requests with a body `A` and returns a `Response<B>` or an error
/// `E`.
///
/// [`SameTypes`], [`BoxErrors`] and [`WrapBodies`] implement this trait, which names the bounds and
/// nothing else. It is not implemented if a body type has to stay and cannot hold another body. Use
/// [`InjectLayer::wrapped_bodies`](crate::InjectLayer::wrapped_bodies) then.
pub trait HttpSurface<A, B, E>:
    Sealed<Requests: Bodies<A>>
    + Bodies<B>
    + Surface<Response<B>, E, Response = Response<<Self as Bodies<B>>::Body>>
    + 'static
{
}

impl<M, A, B, E> HttpSurface<A, B, E> for M where
    M: Sealed<Requests: Bodies<A>>
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

pub(crate) mod sealed {
    pub trait Sealed {
        /// The surface that converts the bodies of requests.
        type Requests;
        /// Whether errors are boxed, which clients do.
        const BOXES_ERRORS: bool;
        /// Whether only clients are wrapped like this. Servers of hyper take boxed errors with wrapped bodies.
        const IS_OF_CLIENTS: bool = false;
    }
}

impl Sealed for SameTypes {
    type Requests = Self;
    const BOXES_ERRORS: bool = false;
}

impl Sealed for BoxErrors {
    type Requests = Self;
    const BOXES_ERRORS: bool = true;
    const IS_OF_CLIENTS: bool = true;
}

impl Sealed for WrapRequests {
    type Requests = Self;
    const BOXES_ERRORS: bool = false;
}

impl<E: Sealed, R> Sealed for WrapBodies<E, R> {
    type Requests = R;
    const BOXES_ERRORS: bool = E::BOXES_ERRORS;
}

impl<B: AnyBody, E> Surface<Response<B>, E> for SameTypes {
    type Response = Response<B>;
    type Error = E;
    const HOLDS_ERRORS: bool = false;

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
    const HOLDS_ERRORS: bool = true;

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

impl<B, E, R> Surface<Response<B>, E> for WrapBodies<SameTypes, R>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<FaultBody<B>>;
    type Error = E;
    const HOLDS_ERRORS: bool = false;

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

impl<B, E, R> Surface<Response<B>, E> for WrapBodies<BoxErrors, R>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Response = Response<FaultBody<B>>;
    type Error = BoxError;
    const HOLDS_ERRORS: bool = true;

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

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Bodies<B> for WrapRequests {
    type Body = FaultBody<B>;

    #[inline(always)]
    fn pass_request(request: Request<B>) -> Request<FaultBody<B>> {
        request.map(FaultBody::pass)
    }

    fn take(body: FaultBody<B>) -> FaultBody<B> {
        body
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>, E: Sealed, R> Bodies<B> for WrapBodies<E, R> {
    type Body = FaultBody<B>;

    #[inline(always)]
    fn pass_request(request: Request<B>) -> Request<FaultBody<B>> {
        request.map(FaultBody::pass)
    }

    fn take(body: FaultBody<B>) -> FaultBody<B> {
        body
    }
}
