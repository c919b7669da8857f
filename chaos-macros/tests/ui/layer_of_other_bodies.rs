use std::{
    convert::Infallible,
    future::{Ready, ready},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use chaos_tower::InjectLayer;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower_layer::Layer;
use tower_service::Service;

/// Bodies such as hyper's.
struct Incoming;

/// A body that a layer has changed.
struct CompressionBody<B>(PhantomData<B>);

#[derive(Clone)]
struct App;

impl<A> Service<Request<A>> for App {
    type Response = Response<CompressionBody<Incoming>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<A>) -> Self::Future {
        ready(Ok(Response::new(CompressionBody(PhantomData))))
    }
}

fn serve<A>(_: impl Service<Request<A>>) {}

fn main() {
    let layer = InjectLayer::new("http.server");
    serve::<Incoming>(layer.layer(App));
    serve::<Incoming>(layer.wrapped_bodies().layer(App));
}

macro_rules! empty {
    () => {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }
    };
}

impl Body for Incoming {
    empty! {}
}

impl<B> Body for CompressionBody<B> {
    empty! {}
}
