//! The waits of requests and their bodies, over HTTP/1, where a server may not notice that its client has gone.

use std::time::Duration;

use chaos_core::{Clock, wire};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::until_let_go;
use crate::support::{
    app::{TEXT, echo},
    ask::Ask,
    axum_server,
    http1::Http1,
    hyper_server, itself,
    server::{SITE, SOON, Server},
};

/// A request of which not all comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    PartOfLength,
    PartOfChunks,
    /// More than a socket holds that nobody reads.
    PartOfMuch,
    /// Of all that was announced, nothing: the client waits to be told.
    Expect,
    /// More than the request: the first byte of the next.
    Post,
    Get,
}

impl Sent {
    fn bytes(self, path: &str) -> Vec<u8> {
        if self == Self::Get {
            return format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\nG").into_bytes();
        }
        let (fields, body) = match self {
            Self::Post => ("content-length: 4", "bodyG".to_owned()),
            Self::Get => unreachable!("it has no body"),
            Self::PartOfLength => ("content-length: 10", "half".to_owned()),
            Self::PartOfChunks => ("transfer-encoding: chunked", "5\r\nhello\r\n".to_owned()),
            Self::PartOfMuch => ("content-length: 1000000", "a".repeat(300_000)),
            Self::Expect => ("content-length: 10\r\nexpect: 100-continue", String::new()),
        };
        format!("POST {path} HTTP/1.1\r\nhost: test\r\n{fields}\r\n\r\n{body}").into_bytes()
    }
}

/// Checks that calls are let go when their clients go, and not before.
async fn let_go(server: &Server, fault: &Value, path: &str, sent: &[Sent]) {
    server.aim(json!([fault]));
    go(server, &fault.to_string(), path, sent).await;
}

async fn go(server: &Server, fault: &str, path: &str, sent: &[Sent]) {
    let mut clients = Vec::new();
    for sent in sent {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(&sent.bytes(path)).await.unwrap();
        clients.push(client);
    }
    server.until_active(sent.len() as u64).await;
    let heard = join_all(clients.iter_mut().map(async |client| {
        let heard = timeout(Duration::from_millis(600), client.read_u8());
        heard.await.ok()
    }));
    let heard = heard.await;
    assert!(
        heard.iter().all(Option::is_none),
        "{fault}: {heard:?} of {sent:?}"
    );
    assert_eq!(
        server.active(),
        sent.len() as u64,
        "{fault}: they are there"
    );
    drop(clients);
    let let_go = until_let_go(&server.injector).await;
    let left = server.active();
    assert!(let_go, "{fault}: {left} of {sent:?} are still active");
}

/// Tries servers of both kinds at once. The second argument says whether their layer knows the connections.
async fn for_each_server(test: impl AsyncFn(&Server, bool)) {
    let servers = [
        (axum_server::start().await, false),
        (
            axum_server::start_with_addresses().await,
            cfg!(target_os = "linux"),
        ),
        (axum_server::start_with_handles().await, true),
        (hyper_server::start().await, true),
    ];
    let tests = servers
        .iter()
        .map(|(server, knows)| Box::pin(test(server, *knows)));
    join_all(tests).await;
}

#[tokio::test]
async fn a_call_in_a_wait_ends_with_its_client() {
    for_each_server(async |server, knows| {
        let sent = [Sent::PartOfLength, Sent::PartOfChunks, Sent::PartOfMuch];
        // Here the layer has to look.
        let unread = [Sent::Expect, Sent::Post, Sent::Get].into_iter();
        let sent: Vec<_> = (sent.into_iter().chain(unread.filter(|_| knows))).collect();
        for fault in [
            json!({"hang": "20s"}),
            json!({"latency": "20s"}),
            json!({"pause": {"max": "20s"}}),
        ] {
            let_go(server, &fault, "/echo", &sent).await;
        }
        assert_eq!(server.calls.count(), 0, "nobody is there to be served");
    })
    .await;
}

/// Here nobody reads the request: `POST /` is not allowed in axum, and answered in hyper.
/// Who leaves by himself has not failed.
#[tokio::test]
async fn clients_that_go_while_they_wait_trip_no_guard_rail() {
    for_each_server(async |server, _| {
        let rail = json!({"site": SITE, "error_ratio": 0.1, "window": "60s", "at_least": 2});
        let rule = json!({"site": SITE, "faults": [{"latency": "20s"}], "guards": [rail]});
        let rule = wire::rule_from_value(rule, Some("r")).unwrap();
        server.injector.put(rule);
        let sent = [Sent::PartOfLength, Sent::PartOfChunks, Sent::PartOfMuch];
        go(server, "they go", "/echo", &sent).await;
        assert!(server.injector.status().breaches.is_empty());
    })
    .await;
}

/// Here a process of its own runs out of descriptors.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_cannot_be_looked_at_is_there() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    if !itself::is_server() {
        let test = "the_gone_are_let_go::at_http::a_client_that_cannot_be_looked_at_is_there";
        let output = itself::output(test).await;
        return assert!(output.status.success(), "{output:?}");
    }
    let server = axum_server::start_with_addresses().await;
    server.aim(json!([{"hang": "20s"}]));
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client
        .write_all(&Sent::Expect.bytes("/echo"))
        .await
        .unwrap();
    server.until_active(1).await;
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    setrlimit(Resource::Nofile, none).unwrap();
    sleep(Duration::from_millis(600)).await;
    assert_eq!(server.active(), 1, "it is there");
    setrlimit(Resource::Nofile, limit).unwrap();
    drop(client);
    assert!(until_let_go(&server.injector).await);
}

#[tokio::test]
async fn a_response_in_a_wait_ends_with_its_client() {
    for_each_server(async |server, knows| {
        // A client that has sent more than its socket holds cannot say that it has gone.
        let sent = [Sent::PartOfLength, Sent::PartOfChunks, Sent::Expect];
        for fault in [
            json!({"latency": "20s", "when": "after"}),
            json!({"latency": {"at_least": "20s"}}),
        ] {
            if knows {
                let_go(server, &fault, "/", &sent).await;
            }
        }
    })
    .await;
}

/// The head of the answer has been received, the body is held back, and nobody has read the request.
#[tokio::test]
async fn an_answer_in_a_wait_ends_with_its_client() {
    answers_end_with_their_clients(json!([])).await;
}

#[tokio::test]
async fn an_answer_that_a_guard_rail_measures_ends_with_its_client() {
    let rail =
        json!({"site": SITE, "error_ratio": 0.1, "latency_to_end": {"p50": "1h"}, "at_least": 1});
    answers_end_with_their_clients(json!([rail])).await;
}

async fn answers_end_with_their_clients(guards: Value) {
    let stall = json!({"body": {"stall_after": "2B", "for": "20s"}});
    for fault in [
        json!([stall]),
        json!([{"body": {"first_byte": "20s"}}]),
        json!([{"body": {"throttle": "1B/s"}}]),
        // The outermost is done before the stall.
        json!([stall, {"body": {"first_byte": "300ms"}}]),
    ] {
        let server = hyper_server::start().await;
        let rule = json!({"site": SITE, "faults": fault, "guards": guards});
        let rule = wire::rule_from_value(rule, Some("r")).unwrap();
        server.injector.put(rule);
        let mut clients = Vec::new();
        for sent in [Sent::PartOfLength, Sent::PartOfChunks, Sent::Expect] {
            let mut client = TcpStream::connect(server.address).await.unwrap();
            client.write_all(&sent.bytes("/")).await.unwrap();
            clients.push(client);
        }
        server.until_active(3).await;
        sleep(Duration::from_millis(600)).await;
        assert_eq!(server.active(), 3, "{fault}: they are there");
        drop(clients);
        let let_go = until_let_go(&server.injector).await;
        assert!(let_go, "{fault}: {} are still active", server.active());
        assert!(server.injector.status().breaches.is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn an_upload_in_a_wait_ends_with_its_client() {
    for_each_server(async |server, _| {
        let sent = [Sent::PartOfLength, Sent::PartOfChunks, Sent::PartOfMuch];
        for fault in [
            json!({"stall_after": "0B", "for": "20s"}),
            json!({"stall_after": "2B", "for": "20s"}),
            json!({"first_byte": "20s"}),
            json!({"chunk": "20s"}),
            json!({"throttle": "1B/s"}),
        ] {
            let fault = json!({"body": fault, "on": "request"});
            let_go(server, &fault, "/echo", &sent).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_hung_server_does_not_say_to_continue() {
    const HELD: Duration = Duration::from_millis(350);
    for fault in [
        json!({"hang": "350ms"}),
        json!({"latency": "350ms"}),
        json!({"pause": {"max": "350ms"}}),
        json!({"body": {"stall_after": "0B", "for": "350ms"}, "on": "request"}),
    ] {
        for_each_server(async |server, _| {
            server.aim(json!([fault]));
            let clock = Clock::monotonic();
            let mut client = TcpStream::connect(server.address).await.unwrap();
            let head = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n";
            client.write_all(head.as_bytes()).await.unwrap();
            let mut interim = [0; 25];
            let read = timeout(SOON, client.read_exact(&mut interim)).await;
            read.unwrap().unwrap();
            assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
            assert!(clock.now() >= HELD, "{fault}: {:?}", clock.now());
            client.write_all(&[b'a'; 10]).await.unwrap();
            let mut answer = [0; 12];
            let read = timeout(SOON, client.read_exact(&mut answer)).await;
            read.unwrap().unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        })
        .await;
    }
}

/// Every byte, whatever was read before it was asked for.
#[tokio::test]
async fn a_client_that_stays_is_served_whole() {
    for fault in [
        json!({"latency": "300ms"}),
        json!({"pause": {"max": "300ms"}}),
        json!({"body": {"first_byte": "300ms"}, "on": "request"}),
        json!({"body": {"stall_after": "70kB", "for": "300ms"}, "on": "request"}),
    ] {
        for_each_server(async |server, _| {
            server.aim(json!([fault]));
            for (pieces, length) in [
                (1, 10),
                (1, 1_000_000),
                (2, 5_000),
                (2_000, 100),
                (2_000, 1),
            ] {
                let ask = Ask::post("/echo", vec![vec![b'a'; length]; pieces]);
                let mut peer = Http1::connect(server.address).await;
                let heard = timeout(SOON, peer.ask(&ask)).await.unwrap();
                heard.is_served(echo(&vec![b'a'; length * pieces]).as_bytes());
                // The connection goes on.
                sleep(Duration::from_millis(10)).await;
                let heard = timeout(SOON, peer.ask(&Ask::get("/"))).await.unwrap();
                heard.is_served(TEXT);
            }
        })
        .await;
    }
}
