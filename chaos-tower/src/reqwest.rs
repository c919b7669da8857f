//! Faults in front of a [`reqwest::Client`].
//!
//! [`Client`] is a client with the methods of the plain one, whose requests pass a site:
//!
//! ```
//! use chaos_core::{Fault, Injector, Rule};
//! use chaos_tower::reqwest::Client;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let injector = Injector::new();
//! let http = Client::with_injector(reqwest::Client::new(), "http.client", &injector);
//!
//! injector.put(Rule::new("down".parse()?, "http.client".parse()?, Fault::status(503)?));
//! let response = http.get("http://stock.example/").send().await?;
//! assert_eq!(response.status(), 503);
//! # Ok(())
//! # }
//! ```
//!
//! # In a stack of tower
//!
//! [`InjectLayer::new`](crate::InjectLayer::new) wraps the client, or any service with the same request and
//! response types, and keeps all types. Above layers that make the error a [`BoxError`], such as tower's
//! `Timeout` and `Buffer`, use [`boxed_errors`](crate::InjectLayer::boxed_errors).
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
//! # With reqwest-middleware
//!
//! A client of reqwest-middleware calls the plain client below its middleware, where no layer fits. Write a
//! middleware that passes a site with [`inject_async!`](chaos_core::inject_async), and that returns
//! [`Injected::answer`](chaos_core::Injected::answer) as the response for a `status` fault. Add it last, so that a
//! retry above it sees the answer. The repository has it as a test, `examples/tests/it/a_middleware_answers.rs`.
//!
//! # What the caller sees of a fault
//!
//! | fault | what the caller sees |
//! |---|---|
//! | `latency`, `hang`, `pause` | a delayed call, or the error of a [timeout](#timeouts) |
//! | `status`, `grpc` | a [`Response`] with the URL of the request, marked `x-chaos-fault` |
//! | `error` of kind `connection_refused`, `host_unreachable`, `network_unreachable`, `network_down`, `addr_in_use` or `addr_not_available`; `abort` by `refuse` | an error that `is_connect()` |
//! | `error` of kind `timed_out` | an error that `is_timeout()`, and not `is_connect()` |
//! | `error` of any other kind, or of none; `abort` by `close` or `reset` | an error that `is_request()`, and neither `is_connect()` nor `is_timeout()` |
//! | `abort` by `h2` | an error that `is_request()`, with the `h2::Error` among its sources (feature `http2`) |
//! | faults of the response's body, and an `abort` after a number of bytes | an error from reading the body, which `is_decode()` |
//! | faults of headers | changed headers |
//!
//! Every error is a [`reqwest::Error`]: it has the URL of the request, an [`std::io::Error`] of the rule's kind
//! among its sources, and [`Injected::find`](chaos_core::Injected::find) recognises it.
//!
//! Only reqwest can make a [`reqwest::Error`], so this crate makes a private client fail. For a failure to
//! connect, the connector of that client fails, and nothing touches the network. For any other failure, the
//! client connects to a listener of this crate on 127.0.0.1, and sends a body that fails with the injected
//! error. The `hyper::Error` among the sources therefore says that a body failed (`is_user()`), where that
//! of a connection which was really closed says `is_incomplete_message()`. If the process cannot listen on
//! 127.0.0.1, or the client cannot be built, the error is one that `is_body()`.
//!
//! # Timeouts
//!
//! The timeout of a request ([`Request::timeout_mut`], `RequestBuilder::timeout`) bounds the delays of faults, as it
//! bounds a slow server: it begins when the layer is called, and includes the body of the response. When it
//! ends, the call fails with an error that `is_timeout()` and `is_request()`, or its body with one that
//! `is_timeout()`. That error is the client's own consequence of the fault, so
//! [`Injected::find`](chaos_core::Injected::find) does not recognise it.
//!
//! The timeouts of the client itself (`ClientBuilder::timeout`, `read_timeout`, `connect_timeout`) cannot be read.
//! They begin when the client is called, after the delay, so a delay does not set them off. To see what the
//! service does in time, give the request a timeout of its own, put tower's `Timeout` above this layer, or inject
//! below the client: `ConnectLayer` (feature `client`) in `ClientBuilder::connector_layer` delays the making of
//! connections.
//!
//! # What else differs for a call that a rule hits
//!
//! The request keeps its URL, version and headers, and what is left of its timeout, and the response its
//! URL, headers and extensions. The response's body is in one more box, where the cause of a failure is one source deeper. The
//! client cannot send a request again whose body has a fault, as it cannot with a stream as the body: it returns
//! a redirect as the response.

mod client;
mod deadline;
mod exchange;
mod native_error;
mod request_builder;
mod sync_body;

use std::{
    mem,
    task::{Context, Poll},
};

use chaos_core::{Call, Decision, decision::WatchedCall};
use http::Uri;
use reqwest::{Body, Request, Response};
use tower_service::Service;

use crate::{
    boxed_future::boxed_future,
    error::BoxError,
    execute::{
        deadline::{Deadline, DeadlinePassed},
        execute_plans, measure,
    },
    future::ResponseFuture,
    service::Inject,
    surface::{BoxErrors, InnerService, SameTypes, Surface},
};
use deadline::deadline;
use exchange::{Exchange, InnerError};

pub use self::{client::Client, request_builder::RequestBuilder};

impl Surface<Response, reqwest::Error> for SameTypes {
    type Response = Response;
    type Error = reqwest::Error;
    const HOLDS_ERRORS: bool = true;

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
    const HOLDS_ERRORS: bool = true;

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
    S: InnerService<Request, Response = Response>,
    S::Error: Sync + 'static,
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

/// Serves a call of an armed site. Cold, so that the idle path is laid out as the common one; only here is the
/// URL converted into the type that rules read.
#[cold]
#[inline(never)]
fn call_armed<S, M>(service: &mut Inject<S, M>, request: Request) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request, Response = Response>,
    S::Error: Sync + 'static,
    M: Surface<Response, S::Error, Response = Response> + 'static,
{
    let decided = Uri::try_from(request.url().as_str()).ok().and_then(|uri| {
        let call = Call::http(request.method(), &uri, request.headers());
        let decision = service.site_ref.decide(&call);
        let measured = service.site_ref.measure(&call, decision.as_ref());
        let nothing = || (measured.as_ref()).map(|_| service.site_ref.decide_nothing());
        let decision = decision.or_else(nothing)?;
        Some((uri, decision, measured))
    });
    let Some((uri, decision, measured)) = decided else {
        // The client itself refuses a URL that is no URI.
        return ResponseFuture::pass(service.inner.call(request));
    };
    // `inner` was polled ready, so it is the one to call, or to drop.
    let clone = service.inner.clone();
    let ready = mem::replace(&mut service.inner, clone);
    let deadline = deadline(&request);
    ResponseFuture::boxed(boxed_future(execute_exchange::<S, M>(
        ready, request, uri, decision, measured, deadline,
    )))
}

/// Executes the decision on the request in the types of `http`, and converts the result into those of reqwest.
async fn execute_exchange<S, M>(
    inner: S,
    request: Request,
    uri: Uri,
    decision: Decision,
    measured: Option<WatchedCall>,
    deadline: Option<Deadline>,
) -> Result<Response, M::Error>
where
    S: Service<Request, Response = Response> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + Sync + 'static,
    M: Surface<Response, S::Error, Response = Response> + 'static,
{
    let url = request.url().clone();
    let (exchange, request) = Exchange::new(inner, request, uri, deadline);
    let report = measure::report(measured.as_ref());
    let result = execute_plans::<_, BoxErrors, Body, Body>(exchange, request, decision, report);
    // Within what guard rails measure: a call that is out of time has failed.
    let result = async { Deadline::bound(deadline.as_ref(), result).await? };
    let error = match measure::over(measured, result).await {
        Ok(answer) => return Ok(exchange::into_response(answer, url, deadline)),
        Err(error) => error,
    };
    let error = match error.downcast::<InnerError<S::Error>>() {
        Ok(served) => return M::pass(Err(served.0)),
        Err(error) if error.is::<DeadlinePassed>() => native_error::timed_out().await,
        Err(injected) => native_error::error(injected).await,
    };
    let error = error.with_url(url);
    let error = M::fail(error.into());
    Err(error
        .unwrap_or_else(|_| unreachable!("each surface of a client holds the client's errors")))
}
