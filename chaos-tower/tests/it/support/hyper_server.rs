//! A plain hyper service behind hyper-util's server for both protocols, with the layer around it.

use std::{convert::Infallible, fmt::Display, pin::pin};

use bytes::Bytes;
use chaos_tower::{AddConnection, InjectLayer, InjectListener};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tower::{Layer, service_fn};

use crate::support::{
    app::{self, SLOW, TEXT},
    server::{Parts, SITE, Server, stopped},
};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn full(bytes: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(bytes.into()).boxed_unsync())
}

async fn answer<B>(request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Display>,
{
    match request.uri().path() {
        "/" => {
            let mut answer = full(TEXT);
            if let Some(asked) = request.headers().get("x-ask") {
                answer.headers_mut().insert("x-heard", asked.clone());
            }
            answer
        }
        "/slow" => {
            tokio::time::sleep(SLOW).await;
            full(TEXT)
        }
        "/big" => full(app::big()),
        "/page" => full(app::page()),
        "/stream" => Response::new(app::stream_body().boxed_unsync()),
        "/messages" => {
            let mut answer = Response::new(app::messages_body().boxed_unsync());
            let grpc = HeaderValue::from_static("application/grpc");
            answer.headers_mut().insert(CONTENT_TYPE, grpc);
            answer
        }
        "/echo" => match app::read_and_echo(request.into_body()).await {
            Ok(echo) => full(echo),
            Err(error) => {
                let mut answer = full(error);
                *answer.status_mut() = http::StatusCode::BAD_REQUEST;
                answer
            }
        },
        path => panic!("nothing is served at {path}"),
    }
}

async fn serve(parts: Parts) {
    let Parts {
        listener,
        injector,
        calls,
        stop,
    } = parts;
    let service = service_fn(move |request| {
        calls.note();
        async move { Ok::<_, Infallible>(answer(request).await) }
    });
    let layer = InjectLayer::with_injector(SITE, &injector);
    let service = layer.boxed_errors().wrapped_bodies().layer(service);
    let listener = InjectListener::with_injector(listener, "tcp", &injector);
    let builder = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stopped(injector, stop));
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            () = &mut stop => break,
        };
        let service = AddConnection::new(service.clone(), stream.handle());
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        // What became of it is for its client to say.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    graceful.shutdown().await;
}

pub(crate) async fn start() -> Server {
    Server::start(serve).await
}
