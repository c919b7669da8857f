//! What the servers under test serve: a small text, slow and large bodies, gRPC messages, an echo.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};

/// `GET /`: with its length.
pub(crate) const TEXT: &[u8] = b"hello from behind\n";

/// `GET /slow`: the text, after so long.
pub(crate) const SLOW: Duration = Duration::from_millis(1000);

/// `GET /big`: so many bytes, with their length.
pub(crate) const BIG: usize = 100_000;

/// `GET /page`: more than one frame that no peer calls small, and not much more.
pub(crate) fn page() -> Vec<u8> {
    vec![b'p'; 300]
}

/// `GET /stream`: without its length, in pieces of ten bytes, each so long after the one before.
pub(crate) const PIECES: usize = 5;
pub(crate) const PIECE_GAP: Duration = Duration::from_millis(10);

pub(crate) fn big() -> Vec<u8> {
    vec![b'b'; BIG]
}

/// All that is streamed.
pub(crate) fn streamed() -> Vec<u8> {
    b"0123456789".repeat(PIECES)
}

/// The body of `GET /stream`.
pub(crate) fn stream_body() -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let pieces = (0..PIECES).map(|_| Frame::data(Bytes::from_static(b"0123456789")));
    spaced(pieces.collect())
}

/// One gRPC message as it travels: no compression, its length, its bytes.
pub(crate) const MESSAGE: &[u8] = b"\0\0\0\0\x05hello";

/// The body of `POST /messages`: gRPC messages, and OK in its trailers.
pub(crate) fn messages_body() -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let message = || Frame::data(Bytes::from_static(MESSAGE));
    let mut frames: Vec<_> = (0..PIECES).map(|_| message()).collect();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    frames.push(Frame::trailers(trailers));
    spaced(frames)
}

fn spaced(
    frames: Vec<Frame<Bytes>>,
) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    StreamBody::new(stream::unfold(frames.into_iter(), async |mut frames| {
        let frame = frames.next()?;
        tokio::time::sleep(PIECE_GAP).await;
        Some((Ok(frame), frames))
    }))
}

/// What `POST /echo` answers to a body: how long it was, and how many of its bytes were no `a`.
pub(crate) fn echo(body: &[u8]) -> String {
    let others = body.iter().filter(|byte| **byte != b'a').count();
    format!("{} {others}", body.len())
}

/// Reads the body whole, and echoes it; or says what was wrong with it.
pub(crate) async fn read_and_echo<B>(body: B) -> Result<String, String>
where
    B: Body<Data = Bytes, Error: std::fmt::Display>,
{
    match body.collect().await {
        Ok(whole) => Ok(echo(&whole.to_bytes())),
        Err(error) => Err(error.to_string()),
    }
}
