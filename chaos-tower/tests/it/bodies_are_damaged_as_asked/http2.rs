//! HTTP/2, with many streams on one connection.

use std::num::{NonZeroU32, NonZeroU64};

use bytes::Bytes;
use chaos_core::{
    Direction, Fault,
    fault::{Abort, BytesFault, GrpcCode, GrpcStatus, StreamReason},
    plan::CutKind,
};
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request, Response, header};

use super::{
    http1,
    server::{BODY, MESSAGE, SMALL, Server, eventually, on_answer},
};

/// What came of an answer: its head, its bytes, and how it ended.
struct Got {
    head: Response<()>,
    body: Vec<u8>,
    end: Result<Option<HeaderMap>, h2::Error>,
}

async fn connect(server: &Server) -> SendRequest<Bytes> {
    let stream = http1::connect(server).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(client: &SendRequest<Bytes>, path: &str) -> ResponseFuture {
    let uri = format!("http://x{path}");
    let request = match path {
        "/grpc" => Request::post(uri).header(header::CONTENT_TYPE, "application/grpc"),
        _ => Request::get(uri),
    };
    let mut client = client.clone().ready().await.unwrap();
    let request = request.body(()).unwrap();
    client.send_request(request, true).unwrap().0
}

async fn read(answer: Response<RecvStream>) -> Got {
    let (head, mut stream) = answer.into_parts();
    let head = Response::from_parts(head, ());
    let mut body = Vec::new();
    let end = loop {
        match stream.data().await {
            Some(Ok(data)) => {
                let window = stream.flow_control();
                window.release_capacity(data.len()).unwrap();
                body.extend_from_slice(&data);
            }
            Some(Err(error)) => break Err(error),
            None => break stream.trailers().await,
        }
    };
    Got { head, body, end }
}

async fn get(client: &SendRequest<Bytes>, path: &str) -> Got {
    read(ask(client, path).await.await.unwrap()).await
}

#[tokio::test]
async fn truncated_its_stream_is_reset() {
    for after in [0, 1, 5_000, 19_999] {
        let server = Server::hit(on_answer(BytesFault::truncate_after(after))).await;
        let client = connect(&server).await;
        for path in ["/streamed", "/sized"] {
            let got = get(&client, path).await;
            assert_eq!(got.body.len() as u64, after, "{path}");
            let reason = got.end.unwrap_err().reason();
            assert_eq!(reason, Some(Reason::INTERNAL_ERROR), "{path}");
        }
    }
}

async fn cut_off(kind: CutKind, reason: Reason) {
    for after in [0, 1, 5_000, 19_999, 20_000] {
        let server = Server::hit(Fault::abort_after(
            Abort::Cut(kind),
            after,
            Direction::Response,
        ))
        .await;
        let client = connect(&server).await;
        for path in ["/streamed", "/sized", "/streamed"] {
            let got = get(&client, path).await;
            assert_eq!(got.body.len() as u64, after, "{path}");
            assert_eq!(got.end.unwrap_err().reason(), Some(reason));
        }
    }
    let server = Server::hit(Fault::abort(Abort::Cut(kind))).await;
    let client = connect(&server).await;
    for _ in 0..3 {
        let head = ask(&client, "/sized").await.await;
        assert_eq!(head.unwrap_err().reason(), Some(reason));
    }
}

#[tokio::test]
async fn cut_off_the_stream_is_reset_and_the_connection_stays() {
    cut_off(CutKind::Close, Reason::INTERNAL_ERROR).await;
}

#[tokio::test]
async fn cut_off_the_stream_is_reset_for_the_reason_that_was_asked_for() {
    cut_off(CutKind::Refuse, Reason::REFUSED_STREAM).await;
    let calm = StreamReason::from_name("enhance_your_calm").unwrap();
    cut_off(CutKind::Stream(calm), Reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test]
async fn a_grpc_stream_ends_with_a_status_after_its_messages() {
    for count in 1..=6 {
        let status = GrpcStatus::new(GrpcCode::from_name("UNAVAILABLE").unwrap(), "gone");
        let count = NonZeroU32::new(count).unwrap();
        let fault = Fault::grpc_after(status, count, Direction::Response);
        let server = Server::hit(fault).await;
        let got = get(&connect(&server).await, "/grpc").await;
        let passed = count.get().min(5) as usize;
        assert_eq!(got.body, MESSAGE.repeat(passed));
        let trailers = got.end.unwrap().unwrap();
        if count.get() > 5 {
            assert_eq!(trailers["grpc-status"], "0");
        } else {
            assert_eq!(trailers["grpc-status"], "14");
            assert_eq!(trailers["grpc-message"], "gone");
            assert_eq!(trailers["x-chaos-fault"], "r");
        }
    }
}

/// Sends messages and not the end, so that nothing is over by itself.
async fn send(
    client: &SendRequest<Bytes>,
    path: &str,
    messages: usize,
) -> (Got, SendStream<Bytes>) {
    let request = Request::post(format!("http://x{path}"));
    let request = request.header(header::CONTENT_TYPE, "application/grpc");
    let mut client = client.clone().ready().await.unwrap();
    let request = request.body(()).unwrap();
    let (answer, mut stream) = client.send_request(request, false).unwrap();
    for _ in 0..messages {
        stream.send_data(MESSAGE.into(), false).unwrap();
    }
    (read(answer.await.unwrap()).await, stream)
}

#[tokio::test]
async fn a_grpc_call_is_answered_after_the_messages_of_its_request() {
    for count in 1..=3 {
        let status = GrpcStatus::new(GrpcCode::from_name("UNAVAILABLE").unwrap(), "gone");
        let fault = Fault::grpc_after(status, NonZeroU32::new(count).unwrap(), Direction::Request);
        let server = Server::hit(fault).await;
        let client = connect(&server).await;

        // One that has begun to answer, and one that reads all first.
        let (echoed, _stream) = send(&client, "/echo", 3).await;
        assert_eq!(echoed.body, MESSAGE.repeat(count as usize));
        let trailers = echoed.end.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "14");
        assert_eq!(trailers["x-chaos-fault"], "r");

        let (uploaded, _stream) = send(&client, "/upload", 3).await;
        assert_eq!(uploaded.head.headers()["grpc-status"], "14");
        assert!(uploaded.body.is_empty());
        eventually(|| server.active() == 0).await;
    }
}

#[tokio::test]
async fn trailers_stay_with_bodies_that_are_only_slow() {
    let rate = NonZeroU64::new(1_000).unwrap();
    let server = Server::hit(on_answer(BytesFault::throttle(rate))).await;
    let got = get(&connect(&server).await, "/grpc").await;
    assert_eq!(got.body, MESSAGE.repeat(5));
    assert_eq!(got.end.unwrap().unwrap()["grpc-status"], "0");
}

/// As many streams as a connection has by default, all of them answered before one is read; and
/// fewer of larger bodies. (Of as many larger ones, the window leaves pieces so small that h2 refuses
/// them, with or without a layer.)
async fn many_at_once(server: &Server) {
    for (streams, path, body) in [(200, "/small", SMALL), (50, "/sized", BODY)] {
        let client = connect(server).await;
        for _ in 0..3 {
            let mut answers = Vec::new();
            for _ in 0..streams {
                answers.push(ask(&client, path).await);
            }
            let mut heads = Vec::new();
            for answer in answers {
                heads.push(answer.await.unwrap());
            }
            let reading: Vec<_> = heads.into_iter().map(read).map(tokio::spawn).collect();
            for got in reading {
                let got = got.await.unwrap();
                assert!(got.end.unwrap().is_none());
                assert!(got.body == body);
            }
        }
    }
}

/// If a body does not say that its last frame is the last, an empty one has to follow; for a hundred
/// of those, the peer closes the connection: `ENHANCE_YOUR_CALM`, `too_many_data_frames`.
#[tokio::test]
async fn many_streams_at_once_left_alone() {
    many_at_once(&Server::idle().await).await;
}

#[tokio::test]
async fn many_streams_at_once_throttled() {
    let rate = NonZeroU64::new(20_000).unwrap();
    many_at_once(&Server::hit(on_answer(BytesFault::throttle(rate))).await).await;
}
