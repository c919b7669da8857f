//! What is done to bodies, as real peers see it: to the byte, and with the connection around it as
//! it should be. That the deeds keep their times is told by the tests beside them, with paused time.

mod http1;
mod http2;
mod server;

use std::{num::NonZeroU64, time::Duration};

use chaos_core::{Direction, Fault, fault::BytesFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use http1::{connect, read_head};
use server::{BODY, Server, eventually, on_answer};

/// Longer than any test: what waits for this waits for something else.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

fn on_request(fault: BytesFault) -> Fault {
    Fault::Body(fault, Direction::Request)
}

/// What the handler of an upload says that it has read.
async fn upload(server: &Server, body: &[u8]) -> String {
    let mut stream = connect(server).await;
    let head = format!(
        "POST /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn uploads_are_damaged_too() {
    let cut_short = Server::hit(on_request(BytesFault::truncate_after(1_000))).await;
    let failed = upload(&cut_short, BODY).await;
    assert!(failed.contains("body cut short"), "{failed}");

    let rate = NonZeroU64::new(100_000).unwrap();
    let slow = Server::hit(on_request(BytesFault::throttle(rate))).await;
    let clock = chaos_core::Clock::monotonic();
    assert_eq!(upload(&slow, BODY).await, "20000 bytes, 0 changed");
    assert!(clock.now() >= Duration::from_millis(200));

    let corrupt = Server::hit(on_request(BytesFault::corrupt(1.0).unwrap())).await;
    assert_eq!(upload(&corrupt, BODY).await, "20000 bytes, 20000 changed");
}

#[tokio::test]
async fn wrapped_and_left_alone_they_stay_whole() {
    let server = Server::idle().await;
    assert_eq!(upload(&server, BODY).await, "20000 bytes, 0 changed");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_injection() {
    let rate = NonZeroU64::new(1).unwrap();
    let stall = BytesFault::stall_after(10, FOREVER).unwrap();
    for fault in [BytesFault::throttle(rate), stall] {
        let server = Server::hit(on_answer(fault)).await;
        let mut stream = connect(&server).await;
        let request = b"GET /sized HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        read_head(&mut stream).await;
        assert_eq!(server.active(), 1);
        drop(stream);
        eventually(|| server.active() == 0).await;
    }
}

#[tokio::test]
async fn a_halt_lets_a_body_go_on_at_once() {
    let rate = NonZeroU64::new(1).unwrap();
    let faults = [
        (BytesFault::throttle(rate), 0),
        (BytesFault::stall_after(777, FOREVER).unwrap(), 777),
        (BytesFault::first_byte(FOREVER).unwrap(), 0),
        (BytesFault::each_chunk(FOREVER).unwrap(), 0),
    ];
    for (fault, passes) in faults {
        let server = Server::hit(on_answer(fault)).await;
        let mut stream = connect(&server).await;
        let request = b"GET /sized HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        // The head comes at once, and so do the bytes that pass.
        let head = read_head(&mut stream).await;
        assert!(head.contains("content-length: 20000"), "{head}");
        let mut body = vec![0; passes];
        stream.read_exact(&mut body).await.unwrap();

        server.injector.halt("enough");
        stream.read_to_end(&mut body).await.unwrap();
        assert!(body == BODY, "{} bytes", body.len());
        eventually(|| server.active() == 0).await;
    }
}
