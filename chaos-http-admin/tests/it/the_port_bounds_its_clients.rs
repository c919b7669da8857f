//! A port of its own holds out against clients that are slow, idle, greedy or many, and stops when
//! it is told to.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use chaos_core::{Clock, Injector};
use chaos_http_admin::{Admin, ServeError, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tower::ServiceExt;

use crate::support::wire::{LONG, open_files};

const LOOPBACK: &str = "127.0.0.1:0";

fn start(injector: &Injector) -> Server {
    let admin = Admin::new(injector.clone());
    admin.bind(LOOPBACK.parse().unwrap()).unwrap()
}

struct Client(TcpStream);

impl Client {
    async fn connect(server: &Server) -> Self {
        Self(TcpStream::connect(server.local_addr()).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes until the server closes.
    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        // A reset after the answer is an end too.
        drop(self.0.read_to_end(&mut bytes).await);
        String::from_utf8(bytes).unwrap()
    }

    /// One answer of a connection that stays open.
    async fn answer(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"ok\n") {
            assert_ne!(self.0.read_buf(&mut bytes).await.unwrap(), 0, "closed");
        }
        String::from_utf8(bytes).unwrap()
    }
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn it_is_not_opened_to_other_machines() {
    let admin = Admin::new(Injector::new());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let address = address.parse().unwrap();
        let error = admin.bind(address).unwrap_err();
        assert!(matches!(error, ServeError::NotLoopback(at) if at == address));
        assert!(error.to_string().contains("loopback address"), "{error}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_says_so() {
    let server = start(&Injector::new());
    let error = Admin::new(Injector::new())
        .bind(server.local_addr())
        .unwrap_err();
    assert!(error.to_string().contains(&server.local_addr().to_string()));
    assert!(std::error::Error::source(&error).is_some());
}

// Elsewhere, the other loopback addresses have to be set up first.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn any_loopback_address_answers_to_itself() {
    for address in ["127.0.0.1:0", "127.0.0.2:0"] {
        let admin = Admin::new(Injector::new());
        let server = admin.bind(address.parse().unwrap()).unwrap();
        let address = server.local_addr();
        let mut client = Client(TcpStream::connect(address).await.unwrap());
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
        client.send(&request).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 OK"));
    }
}

#[tokio::test]
async fn host_is_checked_on_the_wire() {
    let server = start(&Injector::new());
    for (head, expected) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost:1234",
            "HTTP/1.1 200",
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: evil.example",
            "HTTP/1.1 421",
        ),
        ("GET / HTTP/1.1\r\nHost: evil.example", "HTTP/1.1 421"),
        ("GET /healthz HTTP/1.1\r\nAccept: */*", "HTTP/1.1 400"),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
            "HTTP/1.1 400",
        ),
        (
            "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost",
            "HTTP/1.1 421",
        ),
        (
            "GET /healthz HTTP/1.0\r\nHost: evil.example",
            "HTTP/1.0 421",
        ),
        ("GET /healthz HTTP/1.0\r\nAccept: */*", "HTTP/1.0 400"),
    ] {
        let mut client = Client::connect(&server).await;
        client
            .send(&format!("{head}\r\nConnection: close\r\n\r\n"))
            .await;
        let answer = timeout(LONG, client.rest()).await.unwrap();
        assert!(answer.starts_with(expected), "{head}: {answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_cut_off_at_its_limit() {
    let injector = Injector::new();
    let server = start(&injector);
    let mut client = Client::connect(&server).await;
    client
        .send(
            "PUT /v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n",
        )
        .await;
    // Nothing says how much is to come; it would never end.
    let (mut read, mut write) = client.0.into_split();
    let flood = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        let mut sent: usize = 0;
        while write.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 0x10000;
        }
        sent
    });
    let mut answer = vec![0; 12];
    timeout(LONG, read.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    let sent = timeout(LONG, flood)
        .await
        .expect("the server hangs up")
        .unwrap();
    assert!(sent > 1024 * 1024);
    assert_eq!(injector.status().generation, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let injector = Injector::new();
    let server = start(&injector);
    let mut client = Client::connect(&server).await;
    let body = r#"{"rules":[]}"#;
    client
        .send(&format!(
            "PUT /v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len() + 1,
        ))
        .await;
    client.0.shutdown().await.unwrap();
    timeout(LONG, client.rest()).await.unwrap();
    assert_eq!(injector.status().generation, 0);
}

// With the clock paused, time jumps to the next timer whenever every task waits.

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let injector = Injector::new();
    let request = Request::put("/v1/rules")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json");
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = request.body(Body::from_stream(never)).unwrap();
    let clock = Clock::monotonic();
    let answer = Admin::new(injector.clone())
        .router()
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(clock.now().as_secs(), 10);
    assert_eq!(injector.status().generation, 0);
}

#[tokio::test]
async fn one_connection_too_many_takes_the_place_of_the_one_idle_longest() {
    let server = start(&Injector::new());
    let mut held = Vec::new();
    // A port keeps to a quarter of the descriptors, some of which are for other things.
    for _ in 0..256.min(open_files() / 4 - 5) {
        let mut client = Client::connect(&server).await;
        client.send(HEALTH).await;
        client.answer().await;
        held.push(client);
    }
    // The second is now the one idle longest.
    held[0].send(HEALTH).await;
    held[0].answer().await;
    let mut client = Client::connect(&server).await;
    client.send(HEALTH).await;
    let answer = timeout(LONG, client.answer()).await.expect("a place");
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(timeout(LONG, held.remove(1).rest()).await.unwrap(), "");
    for mut client in held {
        client.send(HEALTH).await;
        timeout(LONG, client.answer()).await.expect("still there");
    }
}

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    let server = start(&Injector::new());
    let mut client = Client::connect(&server).await;
    client.send(HEALTH).await;
    client.answer().await;
    let silent = Client::connect(&server).await;
    let clock = Clock::monotonic();
    let address = server.local_addr();
    timeout(LONG, server.stop()).await.unwrap();
    assert!(clock.now() < Duration::from_secs(2), "{:?}", clock.now());
    assert_eq!(client.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

/// A request that has begun: its head is with the server, its body is not.
async fn begun(server: &Server) -> Client {
    let mut client = Client::connect(server).await;
    client
        .send(
            "POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: 14\r\n\r\n",
        )
        .await;
    // The server says this when the handler asks for the body.
    let mut go_on = [0; 25];
    client.0.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_a_stop() {
    let injector = Injector::new();
    let server = start(&injector);
    let mut client = begun(&server).await;
    let address = server.local_addr();
    let stopped = tokio::spawn(server.stop());
    // Until the port is closed, the stop has not arrived.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    client.send(r#"{"reason":"x"}"#).await;
    let answer = timeout(LONG, client.rest()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    timeout(LONG, stopped).await.unwrap().unwrap();
    assert_eq!(injector.status().state.as_str(), "halted");
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let server = start(&Injector::new());
    let address = server.local_addr();
    let idle = Client::connect(&server).await;
    drop(server);
    assert_eq!(timeout(LONG, idle.rest()).await.unwrap(), "");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
