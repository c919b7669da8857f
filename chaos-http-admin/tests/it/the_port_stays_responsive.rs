//! Whatever is thrown at the port, by however many, a good client is answered within two seconds, and
//! the service beside it, on the same runtime, does not notice.

use std::time::Duration;

use axum::{Router, routing::get};
use chaos_core::{Clock, Injector};
use chaos_http_admin::Admin;
use chaos_tower::InjectLayer;
use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::support::wire::{self, ANN, Asking, BOB, LONG, Running, open_files, request, tokens};

/// A port that is asked by a good client over and over, and a service beside it that has its own.
struct Busy {
    port: Running,
    good: Asking,
    service: Asking,
}

impl Busy {
    async fn start() -> Self {
        let injector = Injector::new();
        let layer = InjectLayer::with_injector("http.server", &injector);
        let app = Router::new()
            .route("/", get(async || "served"))
            .layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        let plain = request("GET /", "Host: localhost\r\n", "");
        let service = Asking::start("the service", address, plain);

        let admin = Admin::new(injector.clone()).access_tokens(tokens());
        let port = Running::start(&injector, admin).await;
        let headers = format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n");
        let status = request("GET /v1/status", &headers, "");
        let good = Asking::start("the good client", port.address, status);
        Self {
            port,
            good,
            service,
        }
    }

    /// Nobody was kept waiting, nobody was failed, and nothing was changed.
    async fn unharmed(self) {
        let (good, service) = (self.good.end().await, self.service.end().await);
        assert!(good > 0 && service > 0, "{good}, {service}");
        let status = self.port.injector.status();
        assert_eq!((status.generation, status.state.as_str()), (0, "idle"));
        timeout(LONG, self.port.server.stop()).await.unwrap();
    }
}

fn authorized(headers: &str) -> String {
    format!("Host: localhost\r\nAuthorization: Bearer {ANN}\r\n{headers}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_head() {
    let busy = Busy::start().await;
    let line = |length| format!("X-Long: {}\r\n", "x".repeat(length));
    let many = |number| "X-Many: 1\r\n".repeat(number);
    for (headers, expected) in [
        (line(12 * 1024), 200),
        (line(17 * 1024), 431),
        (line(1024 * 1024), 431),
        (line(1000).repeat(20), 431),
        (many(90), 200),
        (many(101), 431),
        (many(5_000), 431),
    ] {
        let answer = busy
            .port
            .ask("GET /v1/status", &authorized(&headers), "")
            .await;
        // Of one that is far too large, the client may not be done writing when it is cut off.
        let is_cut = expected == 431 && headers.len() > 20_000 && answer.status() == 0;
        assert!(
            is_cut || answer.status() == expected,
            "{}: {}",
            headers.len(),
            answer.text()
        );
    }
    let target = format!("GET /{}", "x".repeat(100_000));
    let answer = busy.port.ask(&target, &authorized(""), "").await;
    assert!(
        [0, 414, 431].contains(&answer.status()),
        "{}",
        answer.text()
    );
    // Without an end, and without a line's end.
    let mut stream = busy.port.connect().await;
    let mut sent = 0;
    while stream.write_all(&[b'x'; 1024]).await.is_ok() {
        sent += 1024;
        assert!(sent < 8 * 1024 * 1024, "it is all taken in");
        sleep(Duration::from_millis(1)).await;
    }
    busy.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_body() {
    let busy = Busy::start().await;
    let large = format!("{{\"rules\":[],\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let answer = busy
        .port
        .ask("PUT /v1/rules", &authorized(""), &large)
        .await;
    answer.problem(413);
    // In chunks, it is not announced.
    let head = authorized("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    let mut chunked =
        format!("PUT /v1/rules HTTP/1.1\r\n{head}Connection: close\r\n\r\n").into_bytes();
    for _ in 0..40 {
        chunked.extend(b"10000\r\n");
        chunked.extend([b' '; 0x10000]);
        chunked.extend(b"\r\n");
    }
    let answer = busy.port.exchange(&chunked).await;
    answer.problem(413);
    // A stranger's body is not so much as asked for.
    let headers = "Host: localhost\r\nExpect: 100-continue\r\n";
    let answer = busy.port.ask("PUT /v1/rules", headers, "").await;
    answer.problem(401);
    let announced =
        format!("{headers}Content-Type: application/json\r\nContent-Length: 1000000\r\n");
    let answer = busy.port.ask("PUT /v1/rules", &announced, "").await;
    answer.problem(401);
    let (_, refused) = busy.port.refusals().swap_remove(0);
    assert!(refused.contains("413"), "{refused}");
    busy.unharmed().await;
}

/// Sends one byte every so often, and says how long it was let.
async fn drip(mut stream: TcpStream, start: &str) -> Duration {
    let clock = Clock::monotonic();
    if stream.write_all(start.as_bytes()).await.is_ok() {
        let (mut read, mut write) = stream.split();
        let mut answer = [0; 1024];
        let write = async {
            while write.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let read = async { while read.read(&mut answer).await.is_ok_and(|read| read > 0) {} };
        tokio::select! { () = write => {}, () = read => {} }
    }
    clock.now()
}

/// More slow clients than there are places, by far, within half a second; and how long the most patient
/// of them was let.
async fn many_slow(port: &Running, start: &str) -> Duration {
    let mut slow = Vec::new();
    for _ in 0..30 {
        for _ in 0..20 {
            let (stream, start) = (port.connect().await, start.to_owned());
            slow.push(tokio::spawn(async move { drip(stream, &start).await }));
        }
        sleep(Duration::from_millis(15)).await;
    }
    let mut longest = Duration::ZERO;
    for one in slow {
        longest = longest.max(timeout(LONG, one).await.expect("an end").unwrap());
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads() {
    let busy = Busy::start().await;
    let longest = many_slow(&busy.port, "GET /v1/status HTTP/1.1\r\nX-Slow: ").await;
    // Those that kept a place had ten seconds for it.
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    busy.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies() {
    let busy = Busy::start().await;
    // From a stranger, they are not waited for; from someone who may, they are.
    let head = "PUT /v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    let longest = many_slow(&busy.port, head).await;
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    let head = authorized("Content-Type: application/json\r\nContent-Length: 1000\r\n");
    let longest = many_slow(&busy.port, &format!("PUT /v1/rules HTTP/1.1\r\n{head}\r\n")).await;
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    // Whoever was waited for to the end is written down.
    let late = busy.port.refusals().into_iter();
    let late = late
        .filter(|(who, what)| who == "ann" && what.contains("408"))
        .count();
    assert!((1..=256).contains(&late), "{late}");
    busy.unharmed().await;
}

/// 10,000 connections are made, and as many of them at once as the limit on open files allows: both
/// ends are in this process, but the port's are few.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections() {
    const ALL: usize = 10_000;
    let busy = Busy::start().await;
    let limit = open_files().saturating_sub(300).min(ALL);
    let mut held = std::collections::VecDeque::new();
    for _ in 0..ALL {
        if held.len() == limit {
            held.pop_front();
        }
        held.push_back(busy.port.connect().await);
    }
    assert!(held.len() >= limit.min(500), "{}", held.len());
    // They stay as long as they are let; the good client is there all the time.
    sleep(Duration::from_secs(1)).await;
    let mut open = 0;
    for stream in &held {
        // Of those that were closed, the end has come.
        open += usize::from(
            stream
                .try_read(&mut [0])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        );
    }
    assert!(open <= 256, "{open} hold a place");
    drop(held);
    busy.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kill_switch_gets_through() {
    let busy = Busy::start().await;
    let head = authorized("Content-Type: application/json\r\nContent-Length: 1000\r\n");
    let head = format!("POST /v1/resume HTTP/1.1\r\n{head}\r\n");
    let mut held = Vec::new();
    for number in 0..600 {
        let mut stream = busy.port.connect().await;
        if number % 2 == 0 {
            drop(stream.write_all(head.as_bytes()).await);
        }
        held.push(stream);
    }
    let stale = "Host: localhost\r\nIf-Match: \"7\"\r\n";
    let headers = format!("{stale}Authorization: Bearer {BOB}\r\n");
    let clock = Clock::monotonic();
    let answer = busy
        .port
        .ask("POST /v1/halt", &headers, r#"{"reason":"stop"}"#)
        .await;
    assert_eq!(answer.expect(200).json()["state"], "halted");
    assert!(clock.now() < Duration::from_secs(2), "{:?}", clock.now());
    drop(held);
    assert!(busy.port.injector.resume());
    busy.unharmed().await;
}

/// What is no request, with what it is answered; 0 is an end without an answer.
const MALFORMED: &[(&[u8], &[u16])] = &[
    (b"", &[0]),
    (b"\r\n\r\n\r\n", &[0, 400]),
    (b"\0\0\0\0\r\n\r\n", &[400]),
    (b"GET\r\n\r\n", &[400]),
    (b"GET /v1/status\r\n\r\n", &[400]),
    (b"GET  HTTP/1.1\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/9.9\r\nHost: localhost\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\n\r\n", &[400]),
    (b"G\x01T /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
    (b"GET /v1/\x7fstatus HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost localhost\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX\0Y: 1\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n Folded: 1\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: local host\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: user@localhost\r\n\r\n", &[400]),
    (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", &[400]),
    (b"GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", &[421]),
    (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400, 404, 405]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", &[400]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", &[400]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", &[400]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", &[400]),
    // A request in the body of another.
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /v1/halt HTTP/1.1\r\n\r\n", &[400, 401]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", &[400]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", &[400, 401]),
    (b"POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", &[400, 401]),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 400]),
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", &[0, 400]),
    (b"SSH-2.0-OpenSSH_9.9\r\n", &[0, 400]),
];

/// Sends these bytes; if they get no answer, that is all there is.
async fn poke(port: &Running, bytes: &[u8]) -> u16 {
    let mut stream = port.connect().await;
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let first = timeout(Duration::from_millis(500), stream.read_buf(&mut answer)).await;
    drop(stream.shutdown().await);
    if first.is_err() {
        let rest = timeout(LONG, stream.read_to_end(&mut answer)).await;
        drop(rest.expect("an end"));
    }
    wire::Answer(answer).status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests() {
    let busy = Busy::start().await;
    for (bytes, expected) in MALFORMED {
        let status = poke(&busy.port, bytes).await;
        assert!(
            expected.contains(&status),
            "{}: {status}",
            bytes.escape_ascii()
        );
    }
    busy.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes() {
    let busy = Busy::start().await;
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(5);
    let good = request(
        "PUT /v1/rules/a",
        &authorized(""),
        r#"{"site":"a","faults":[{"status":503}]}"#,
    );
    for round in 0..500 {
        let mut bytes = vec![0; 1 + dice.next_u32() as usize % 2000];
        dice.fill_bytes(&mut bytes);
        if round % 2 == 1 {
            // Nearly a request: one byte of its head is another. None of them must halt or change a
            // thing that it was not allowed to; the good token is left out.
            bytes = good.replace(ANN, "not-the-secret-of-anyone").into_bytes();
            let at = dice.next_u32() as usize % bytes.len();
            bytes[at] = dice.next_u32().to_le_bytes()[0];
        }
        let mut stream = busy.port.connect().await;
        drop(stream.write_all(&bytes).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        let read = timeout(LONG, stream.read_to_end(&mut answer));
        drop(read.await.expect("an end"));
        let status = wire::Answer(answer).status();
        let is_refused = status == 0 || (400..500).contains(&status);
        assert!(is_refused, "{}: {status}", bytes.escape_ascii());
    }
    busy.unharmed().await;
}
