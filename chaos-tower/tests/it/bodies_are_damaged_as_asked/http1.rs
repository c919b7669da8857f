//! HTTP/1, byte by byte.

use std::num::NonZeroU64;

use chaos_core::{
    Direction, Fault,
    fault::{Abort, BytesFault},
    plan::CutKind,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::server::{BODY, Server, on_answer};

pub(crate) async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Reads up to the empty line, and nothing after it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The head of an answer, and all that comes after it until the connection is closed.
async fn get(server: &Server, path: &str) -> (String, Vec<u8>) {
    let mut stream = connect(server).await;
    // The server has to close it of its own accord, and not because it was asked to.
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    let mut body = Vec::new();
    stream.read_to_end(&mut body).await.unwrap();
    (head, body)
}

/// What is in the chunks, and whether the last one has come.
fn dechunk(mut chunked: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = chunked.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let length = std::str::from_utf8(&chunked[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        chunked = &chunked[line + 2..];
        body.extend_from_slice(&chunked[..length]);
        assert_eq!(&chunked[length..length + 2], b"\r\n");
        chunked = &chunked[length + 2..];
        if length == 0 {
            return (body, true);
        }
    }
}

/// A chunked answer on a connection that stays.
async fn get_chunked(server: &Server) -> Vec<u8> {
    let mut stream = connect(server).await;
    let request = b"GET /streamed HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut chunked = Vec::new();
    while !chunked.ends_with(b"0\r\n\r\n") {
        chunked.push(stream.read_u8().await.unwrap());
    }
    dechunk(&chunked).0
}

/// How often what depends on timing is tried.
const TIMES: usize = 10;

#[tokio::test]
async fn truncated_it_is_shorter_than_it_says() {
    for after in [0, 1, 5_000, 19_999] {
        let server = Server::hit(on_answer(BytesFault::truncate_after(after))).await;
        for _ in 0..TIMES {
            let (head, body) = get(&server, "/sized").await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains("content-length: 20000\r\n"), "{head}");
            assert!(head.contains("x-chaos-fault: r\r\n"), "{head}");
            assert_eq!(body.len() as u64, after);
        }
    }
}

#[tokio::test]
async fn truncated_without_a_length_the_last_chunk_is_missing() {
    for after in [0, 1, 5_000, 19_999] {
        let server = Server::hit(on_answer(BytesFault::truncate_after(after))).await;
        let (head, chunked) = get(&server, "/streamed").await;
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let (body, is_whole) = dechunk(&chunked);
        assert!(body.len() as u64 == after && !is_whole, "{}", body.len());
    }
}

/// There, a body without a length ends with its connection.
#[tokio::test]
async fn truncated_over_http_1_0_it_looks_whole() {
    let server = Server::hit(on_answer(BytesFault::truncate_after(5_000))).await;
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET /streamed HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let head = read_head(&mut stream).await;
    assert!(
        !head.contains("chunked") && !head.contains("content-length"),
        "{head}"
    );
    let mut body = Vec::new();
    stream.read_to_end(&mut body).await.unwrap();
    assert_eq!(body.len(), 5_000);
}

#[tokio::test]
async fn cut_off_it_breaks_off() {
    for after in [0, 1, 5_000, 19_999] {
        let abort = Fault::abort_after(Abort::Cut(CutKind::Close), after, Direction::Response);
        let server = Server::hit(abort).await;
        for _ in 0..TIMES {
            let (head, body) = get(&server, "/sized").await;
            assert!(head.contains("content-length: 20000\r\n"), "{head}");
            assert_eq!(body.len() as u64, after);
            let (_, chunked) = get(&server, "/streamed").await;
            let (body, is_whole) = dechunk(&chunked);
            assert!(body.len() as u64 == after && !is_whole);
        }
    }
    let abort = Fault::abort_after(Abort::Cut(CutKind::Close), 20_000, Direction::Response);
    let server = Server::hit(abort).await;
    let (_, chunked) = get(&server, "/streamed").await;
    assert_eq!(dechunk(&chunked), (BODY.to_vec(), false));
}

#[tokio::test]
async fn cut_off_at_once_there_is_not_a_byte() {
    let server = Server::hit(Fault::abort(Abort::Cut(CutKind::Close))).await;
    let mut stream = connect(&server).await;
    let request = b"GET /sized HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty());
}

#[tokio::test]
async fn corrupted_its_bytes_change_and_nothing_around_them() {
    let server = Server::hit(on_answer(BytesFault::corrupt(1.0).unwrap())).await;
    let body = get_chunked(&server).await;
    assert_eq!(body.len(), BODY.len());
    assert!(body.iter().all(|byte| *byte != b'a'));
}

#[tokio::test]
async fn throttled_it_is_slow_and_whole() {
    let rate = NonZeroU64::new(100_000).unwrap();
    let server = Server::hit(on_answer(BytesFault::throttle(rate))).await;
    let clock = chaos_core::Clock::monotonic();
    assert_eq!(get_chunked(&server).await, BODY);
    let took = clock.now().as_millis();
    assert!((200..1_000).contains(&took), "{took} ms");
}
