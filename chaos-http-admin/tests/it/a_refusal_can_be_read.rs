//! A plain client, which sends all of its body before it reads, gets to read why the body was refused.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    time::Duration,
};

use chaos_core::{Clock, Injector};
use chaos_http_admin::{Admin, Server};

use crate::support::wire::{ANN, Answer, BOB, tokens};

const BODY: usize = 8 * 1024 * 1024;

fn start() -> Server {
    let admin = Admin::new(Injector::new()).access_tokens(tokens());
    admin.bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// Sends this head and a body of 8 MiB, without a look at what comes back, and reads when it has sent all.
fn ask(address: SocketAddr, line: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {BODY}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for part in vec![b' '; BODY].chunks(64 * 1024) {
        let sent = stream.write_all(part);
        sent.unwrap_or_else(|error| panic!("{line}, {headers}: {error}"));
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    read.unwrap_or_else(|error| panic!("{line}, {headers}: {error}"));
    Answer(answer)
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_large_body_does_not_cost_the_refusal() {
    let server = start();
    let token = |secret| format!("Host: localhost\r\nAuthorization: Bearer {secret}\r\n");
    let (ann, bob) = (token(ANN), token(BOB));
    let wrong = token("not-the-secret-of-anyone");
    for (line, headers, status) in [
        ("PUT /v1/rules", format!("{ann}{JSON}"), 413),
        ("PUT /v1/rules/a", format!("{ann}{JSON}"), 413),
        ("PATCH /v1/rules/a", format!("{ann}{JSON}"), 413),
        ("POST /v1/preview", format!("{ann}{JSON}"), 413),
        (
            "PUT /v1/rules",
            format!("{ann}Content-Type: text/plain\r\n"),
            415,
        ),
        ("PUT /v1/rules?x=1", format!("{ann}{JSON}"), 400),
        ("PUT /v1/rules", format!("{bob}{JSON}"), 403),
        ("PUT /v1/rules", format!("Host: localhost\r\n{JSON}"), 401),
        ("PUT /v1/rules", format!("{wrong}{JSON}"), 401),
        ("PUT /v1/none", format!("{ann}{JSON}"), 404),
        ("PUT /v1/status", format!("{ann}{JSON}"), 405),
        (
            "PUT /v1/rules",
            format!("Host: evil.example\r\n{JSON}"),
            421,
        ),
    ] {
        let answer = ask(server.local_addr(), line, &headers);
        answer.problem(status);
    }
    // One wrong token after the other.
    let last = (0..60).map(|_| {
        ask(
            server.local_addr(),
            "PUT /v1/rules",
            &format!("{wrong}{JSON}"),
        )
    });
    let refused = last
        .map(|answer| answer.status())
        .find(|status| *status != 401);
    assert_eq!(refused, Some(429));
}

#[test]
fn a_body_without_an_end_is_not_read_for_ever() {
    let server = start();
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    let head = "PUT /v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut sent = 0;
    let part = vec![b' '; 64 * 1024];
    while stream.write_all(&part).is_ok() {
        sent += part.len();
        assert!(sent < 64 * 1024 * 1024, "it is still read");
    }
    // One that sends now and then loses its place after two seconds.
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let clock = Clock::monotonic();
    let (_open, never) = mpsc::channel::<()>();
    while stream.write_all(b" ").is_ok() {
        assert!(clock.now() < Duration::from_secs(10), "it is still read");
        let _ = never.recv_timeout(Duration::from_millis(50));
    }
    assert!(clock.now() > Duration::from_secs(1), "{:?}", clock.now());
}
