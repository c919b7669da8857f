//! tonic's channel: every fault is a status, the one that its client makes of a real one.

use axum::body::Bytes;
use chaos_core::Clock;
use http::uri::PathAndQuery;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};
use tower::Layer;

use super::{
    DELAY, assert_injected, hit_by,
    peer::{self, Peer},
};

/// Messages as they are.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        use bytes::Buf;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What a fault makes of a call to the peer there.
async fn call(fault: &str, peer: std::net::SocketAddr) -> Result<Bytes, Status> {
    let (injector, layer) = hit_by(fault);
    let channel = Endpoint::try_from(format!("http://{peer}"))
        .unwrap()
        .connect_lazy();
    let mut client = Grpc::new(layer.boxed_errors().layer(channel));
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Test/Hello");
    let result = client
        .unary(Request::new(Bytes::from_static(b"Ada")), path, Plain)
        .await;
    assert_eq!(injector.counts("r").unwrap().injected, 1);
    result.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_status_is_exactly_what_was_written() {
    let peer = Peer::start().await;
    let written = r#"{ "grpc": { "code": "FAILED_PRECONDITION", "message": "50 % too l\u00e4te ", "details": "CAkSAm5v" } }"#;
    let status = call(written, peer.address).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "50 % too l\u{e4}te ");
    assert_eq!(status.details(), b"\x08\x09\x12\x02no");
    assert_eq!(status.metadata().get("x-chaos-fault").unwrap(), "r");

    let written = r#"{ "grpc": { "code": 8, "metadata": { "grpc-retry-pushback-ms": "-1", "quota-bin": "CA4" } } }"#;
    let status = call(written, peer.address).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let metadata = status.metadata();
    assert_eq!(metadata.get("grpc-retry-pushback-ms").unwrap(), "-1");
    let quota = metadata.get_bin("quota-bin").unwrap().to_bytes().unwrap();
    assert_eq!(quota, b"\x08\x0e"[..]);

    let status = call(r#"{ "status": 503 }"#, peer.address)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "injected 503")
    );
    assert_eq!(status.metadata().get("x-chaos-fault").unwrap(), "r");
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn failures_of_connections_have_the_codes_of_real_ones() {
    let peer = Peer::start().await;
    for (real, faults) in [
        (
            peer::refusing().await,
            [
                r#"{ "error": { "kind": "connection_refused" } }"#,
                r#"{ "abort": "refuse" }"#,
            ],
        ),
        (
            peer::resetting().await,
            [
                r#"{ "error": { "kind": "connection_reset" } }"#,
                r#"{ "abort": "reset" }"#,
            ],
        ),
        (
            peer::closing().await,
            [
                r#"{ "error": { "kind": "connection_aborted" } }"#,
                r#"{ "abort": "close" }"#,
            ],
        ),
    ] {
        // Hit, but harmlessly, so that what fails is the peer.
        let real = call(r#"{ "latency": "0s" }"#, real).await.unwrap_err();
        for fault in faults {
            let status = call(fault, peer.address).await.unwrap_err();
            assert_eq!(
                status.code(),
                real.code(),
                "{fault}: {status:?}, and not {real:?}"
            );
            assert_injected(&status);
        }
    }
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn errors_have_the_code_of_their_kind() {
    let peer = Peer::start().await;
    for (fault, code) in [
        (
            r#"{ "error": { "kind": "connection_refused" } }"#,
            Code::Unavailable,
        ),
        (
            r#"{ "error": { "kind": "connection_reset" } }"#,
            Code::Unknown,
        ),
        (r#"{ "error": { "kind": "timed_out" } }"#, Code::Cancelled),
        (r#"{ "error": "out of luck" }"#, Code::Unknown),
        (r#"{ "abort": "close" }"#, Code::Unknown),
        (r#"{ "abort": "reset" }"#, Code::Unknown),
        (r#"{ "abort": "refuse" }"#, Code::Unavailable),
        (
            r#"{ "abort": { "h2": "refused_stream" } }"#,
            Code::Unavailable,
        ),
        (r#"{ "abort": { "h2": "cancel" } }"#, Code::Cancelled),
        (
            r#"{ "abort": { "h2": "enhance_your_calm" } }"#,
            Code::ResourceExhausted,
        ),
        (r#"{ "abort": { "h2": "internal_error" } }"#, Code::Internal),
    ] {
        let status = call(fault, peer.address).await.unwrap_err();
        assert_eq!(status.code(), code, "{fault}: {status:?}");
        assert_injected(&status);
    }
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn a_delayed_call_is_served() {
    let peer = Peer::start().await;
    let start = Clock::monotonic();
    let message = call(r#"{ "latency": "100ms" }"#, peer.address)
        .await
        .unwrap();
    assert!(start.now() >= DELAY);
    assert_eq!(message, "hello");
    assert_eq!(peer.asked(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unknown() {
    let peer = Peer::start().await;
    let cut = r#"{ "abort": "close", "after": "3B" }"#;
    let status = call(cut, peer.address).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown, "{status:?}");
    assert_injected(&status);
    assert_eq!(peer.asked(), 1);
}
