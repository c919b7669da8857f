//! Calls of [`reqwest::Client`], which takes requests, answers and fails in types of its own.
//!
//! [`InjectLayer::new`](crate::InjectLayer::new) goes around the client, or around any service that
//! takes and gives the same; the types stay as they are. Above layers that have made the error a
//! [`BoxError`], such as tower's `Timeout` and `Buffer`, it is
//! [`boxed_errors`](crate::InjectLayer::boxed_errors).
//!
//! ```
//! use chaos_core::{Fault, Injector, Rule};
//! use chaos_tower::InjectLayer;
//! use tower::{Service, ServiceBuilder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let injector = Injector::new();
//! let mut client = ServiceBuilder::new()
//!     .layer(InjectLayer::with_injector("http.client", &injector))
//!     .service(reqwest::Client::new());
//!
//! let refused = Fault::io_error(std::io::ErrorKind::ConnectionRefused, "nobody is there");
//! injector.put(Rule::new("down".parse()?, "http.client".parse()?, refused));
//! let request = reqwest::Request::new(reqwest::Method::GET, "http://stock.example/".parse()?);
//! let error: reqwest::Error = client.call(request).await.unwrap_err();
//! assert!(error.is_connect());
//! assert_eq!(chaos_core::Injected::find(&error).unwrap().rule().as_str(), "down");
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of a fault
//!
//! | fault | what the caller sees |
//! |---|---|
//! | `latency`, `hang`, `pause` | a later call; the client's own timeouts begin when it is asked, so they do not count a delay before that, and a `Timeout` above does |
//! | `status`, `grpc` | a [`Response`] with the URL of the request, marked `x-chaos-fault` |
//! | `error` of kind `connection_refused`, `host_unreachable`, `network_unreachable`, `network_down`, `addr_in_use` or `addr_not_available`; `abort` by `refuse` | an error that `is_connect()` |
//! | `error` of kind `timed_out` | an error that `is_timeout()`, and does not `is_connect()` |
//! | `error` of any other kind, or of none; `abort` by `close` or `reset` | an error that `is_request()`, and does neither of these |
//! | `abort` by `h2` | the same, with the `h2::Error` among its sources (feature `http2`) |
//! | faults of the answer's body, and an `abort` after so many bytes | what reading the body gives: `is_decode()` |
//! | faults of headers | changed headers |
//!
//! Every error is one of the client's own: it has the URL of the request, [`std::io::Error`] of the
//! rule's kind among its sources, and [`Injected::find`](chaos_core::Injected::find) recognises it.
//!
//! Nothing but reqwest can make a [`reqwest::Error`], so a private client is made to fail. If it is to
//! fail before it has a connection, its connector does, and nothing touches the network. Else it is
//! given a connection to a listener of ours on 127.0.0.1, and a body that fails with what was injected.
//! Its `hyper::Error` therefore says that a body failed (`is_user()`), where that of a connection
//! which was really closed says `is_incomplete_message()`.
//! Where loopback cannot be listened on, or no client can be built, the error is one that `is_body()`.
//!
//! # What else is different for a call that is hit
//!
//! The request keeps its URL, version, timeout and headers, and the answer its URL, headers and
//! extensions. The answer's body is in one more box, where the cause of a failure is one source deeper.
//! A request whose body is damaged or held up by a `hang` or a `pause` cannot be sent again by the
//! client itself, as one with a stream for a body cannot be: it is given a redirect as the answer.

mod exchange;
mod native_error;
mod sync_body;

use std::{
    mem,
    task::{Context, Poll},
};

use chaos_core::{Call, Decision};
use http::Uri;
use reqwest::{Body, Request, Response};
use tower_service::Service;

use crate::{
    boxed_future::boxed_future,
    error::BoxError,
    execute::execute,
    future::ResponseFuture,
    service::Inject,
    surface::{BoxErrors, SameTypes, Surface},
};
use exchange::{Exchange, InnerError};

impl Surface<Response, reqwest::Error> for SameTypes {
    type Response = Response;
    type Error = reqwest::Error;

    #[inline(always)]
    fn pass(result: Result<Response, reqwest::Error>) -> Result<Response, reqwest::Error> {
        result
    }

    #[inline(always)]
    fn pass_poll(
        poll: Poll<Result<Response, reqwest::Error>>,
    ) -> Poll<Result<Response, reqwest::Error>> {
        poll
    }

    #[inline(always)]
    fn not_ready(error: reqwest::Error) -> reqwest::Error {
        error
    }

    fn fail(error: BoxError) -> Result<reqwest::Error, BoxError> {
        error.downcast().map(|error| *error)
    }
}

impl<E: Into<BoxError>> Surface<Response, E> for BoxErrors {
    type Response = Response;
    type Error = BoxError;

    #[inline(always)]
    fn pass(result: Result<Response, E>) -> Result<Response, BoxError> {
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

impl<S, M> Service<Request> for Inject<S, M>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + Sync + 'static,
    M: Surface<Response, S::Error, Response = Response> + 'static,
{
    type Response = Response;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::not_ready)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        if self.site_ref.is_armed() {
            call_armed(self, request)
        } else {
            ResponseFuture::pass(self.inner.call(request))
        }
    }
}

/// Cold: only calls of an armed site come here. Only here is the URL made into one that rules read.
#[cold]
#[inline(never)]
fn call_armed<S, M>(service: &mut Inject<S, M>, request: Request) -> ResponseFuture<S::Future, M>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + Sync + 'static,
    M: Surface<Response, S::Error, Response = Response> + 'static,
{
    let decided = Uri::try_from(request.url().as_str()).ok().and_then(|uri| {
        let call = Call::http(request.method(), &uri, request.headers());
        let decision = service.site_ref.decide(&call)?;
        Some((uri, decision))
    });
    let Some((uri, decision)) = decided else {
        // What is no URI, the client refuses by itself.
        return ResponseFuture::pass(service.inner.call(request));
    };
    // As for any other request: the one that was polled ready is the one to call, or to drop.
    let clone = service.inner.clone();
    let ready = mem::replace(&mut service.inner, clone);
    ResponseFuture::boxed(boxed_future(answer::<S, M>(ready, request, uri, decision)))
}

/// Carries the decision out on the request in the types of `http`, and what comes of it in those of
/// reqwest again.
async fn answer<S, M>(
    inner: S,
    request: Request,
    uri: Uri,
    decision: Decision,
) -> Result<Response, M::Error>
where
    S: Service<Request, Response = Response> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + Sync + 'static,
    M: Surface<Response, S::Error, Response = Response> + 'static,
{
    let url = request.url().clone();
    let (exchange, request) = Exchange::new(inner, request, uri);
    let result = execute::<_, BoxErrors, Body, Body>(exchange, request, decision).await;
    let error = match result {
        Ok(answer) => return Ok(exchange::into_response(answer, url)),
        Err(error) => error,
    };
    let error = match error.downcast::<InnerError<S::Error>>() {
        Ok(served) => return M::pass(Err(served.0)),
        Err(injected) => native_error::error(injected).await.with_url(url),
    };
    let error = M::fail(error.into());
    Err(error
        .unwrap_or_else(|_| unreachable!("each surface of a client takes the client's errors")))
}
