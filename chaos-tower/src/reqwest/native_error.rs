//! Makes `reqwest::Error`s. Only reqwest can create them, so a private client is made to fail.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    net::{Ipv4Addr, TcpListener},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
    time::Duration,
};

use chaos_core::Injected;
use http_body_util::BodyExt;
use reqwest::{Body, Client, Error};
use tower_layer::Layer;
use tower_service::Service;

use crate::{body::FaultBody, error::BoxError};

tokio::task_local! {
    /// The error with which the connector fails while a request that is to be refused is polled. A connector
    /// knows nothing of the request but its address.
    static REFUSAL: Cell<Option<BoxError>>;
}

/// The private client, or `None` if it cannot be built. It is built for the first error, because building it may
/// read all root certificates of the system.
static CLIENT: LazyLock<Option<Client>> = LazyLock::new(|| {
    let client = Client::builder()
        .no_proxy()
        // Each request connects, and leaves no connection behind in its runtime.
        .pool_max_idle_per_host(0)
        .connector_layer(RefuseLayer);
    client.build().ok()
});

/// Returns the error that the client makes of the injected one.
pub(super) async fn error(injected: BoxError) -> Error {
    let Some(client) = &*CLIENT else {
        return broken_body(injected).await;
    };
    match is_of_connecting(&injected) {
        true => refused(client, injected).await,
        false => broken(client, injected).await,
    }
}

/// Returns the error of a request whose timeout has passed.
pub(super) async fn timed_out() -> Error {
    let (Some(client), Ok((_listener, url))) = (&*CLIENT, listener()) else {
        return broken_body(io::Error::from(ErrorKind::TimedOut).into()).await;
    };
    let request = client.get(url).timeout(Duration::ZERO);
    request.send().await.expect_err("nothing answers")
}

/// Whether the error is one of making a connection.
fn is_of_connecting(error: &BoxError) -> bool {
    let kind = Injected::find(&**error).map(Injected::kind);
    matches!(
        kind,
        Some(
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrInUse
                | ErrorKind::AddrNotAvailable
        )
    )
}

/// Returns an error that `is_connect()`. Nothing touches the network.
async fn refused(client: &Client, injected: BoxError) -> Error {
    let request = client.get("http://127.0.0.1/").send();
    let result = REFUSAL.scope(Cell::new(Some(injected)), request).await;
    result.expect_err("its connector fails")
}

/// Returns an error that `is_request()` and not `is_connect()`: the connection is made, but the body to send on
/// it fails.
async fn broken(client: &Client, injected: BoxError) -> Error {
    let Ok((_listener, url)) = listener() else {
        return broken_body(injected).await;
    };
    let request = client.post(url).body(failing(injected));
    request.send().await.expect_err("its body fails")
}

/// Returns an error that `is_body()`, which reqwest makes without a client.
async fn broken_body(injected: BoxError) -> Error {
    let frame = failing(injected).frame().await;
    frame.and_then(Result::err).expect("it fails at once")
}

/// Returns a listener whose connections the system accepts, and nothing answers.
fn listener() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}/", listener.local_addr()?);
    Ok((listener, url))
}

fn failing(injected: BoxError) -> Body {
    Body::wrap(FaultBody::<Body>::cut(injected))
}

/// Makes a connector that fails with the [`REFUSAL`], if there is one.
#[derive(Clone)]
struct RefuseLayer;

impl<S> Layer<S> for RefuseLayer {
    type Service = RefuseConnector<S>;

    fn layer(&self, inner: S) -> RefuseConnector<S> {
        RefuseConnector(inner)
    }
}

#[derive(Clone)]
struct RefuseConnector<S>(S);

// The request and response types of reqwest's connector are private.
impl<S, R> Service<R> for RefuseConnector<S>
where
    S: Service<R, Error = BoxError, Future: Send + 'static>,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match REFUSAL.try_with(Cell::take) {
            Ok(Some(refusal)) => Box::pin(async { Err(refusal) }),
            _ => Box::pin(self.0.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_client_it_is_an_error_all_the_same() {
        let injected = io::Error::from(ErrorKind::ConnectionReset);
        let error = broken_body(injected.into()).await;
        assert!(error.is_body() && !error.is_connect());
        let source = std::error::Error::source(&error).unwrap();
        let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
        assert_eq!(kind, Some(ErrorKind::ConnectionReset));
    }
}
