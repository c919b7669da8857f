//! Time limits of a port, on a paused clock: time jumps to the next timer whenever every task waits. So the
//! port runs in the runtime of the test here, and not on its own thread.

use std::{net::SocketAddr, time::Duration};

use chaos_core::{Clock, Fault, Injector, Rule};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    admin::Admin,
    server::{listener::Listener, port_thread::Served, serve_all},
};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn start(injector: &Injector) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let Served { router, feed, .. } = Admin::new(injector.clone()).served();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let ended = tokio::spawn(serve_all(Listener::Tcp(listener), router, feed, stopped));
    Running {
        address,
        stop,
        ended,
    }
}

async fn connect(running: &Running, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

/// What comes until the server closes. A reset after the answer is an end too.
async fn rest(mut client: TcpStream) -> String {
    let mut bytes = Vec::new();
    drop(client.read_to_end(&mut bytes).await);
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_ends_the_connection() {
    let running = start(&Injector::new()).await;
    for head in ["", "GET /healthz HTTP/1.1\r\nHost: loc"] {
        let client = connect(&running, head).await;
        let clock = Clock::monotonic();
        let answer = rest(client).await;
        assert!(!answer.contains("200"), "{answer}");
        let waited = clock.now();
        assert!((9..=11).contains(&waited.as_secs()), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let running = start(&Injector::new()).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let client = connect(&running, request).await;
    let clock = Clock::monotonic();
    let answer = rest(client).await;
    assert!(answer.ends_with("ok\n"), "{answer}");
    let waited = clock.now();
    assert!((9..=11).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_cannot_hold_up_a_stop() {
    let running = start(&Injector::new()).await;
    let mut client = connect(
        &running,
        "POST /v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: 14\r\n\r\n",
    )
    .await;
    // The server says this when the handler asks for the body.
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let clock = Clock::monotonic();
    running.stop.send(()).unwrap();
    running.ended.await.unwrap();
    let waited = clock.now();
    assert!(waited <= Duration::from_millis(5_010), "{waited:?}");
    assert_eq!(rest(client).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_loses_its_place() {
    let injector = Injector::new();
    let running = start(&injector).await;
    // Answers far larger than what the system holds on the way.
    let (id, site) = ("a".parse().unwrap(), "db.read".parse().unwrap());
    let rule = Rule::new(id, site, Fault::error("broken"));
    injector.put(rule.because("x".repeat(100_000)));
    let request = "GET /v1/rules HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let client = connect(&running, &request).await;
    let clock = Clock::monotonic();
    tokio::time::sleep(Duration::from_secs(400)).await;
    let answers = rest(client).await;
    assert!(answers.matches("HTTP/1.1 200").count() < 200);
    assert!(clock.now() >= Duration::from_secs(305));
}
