//! A halt is answered, and frees what it should, although faults hold every thread of the service.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use chaos_core::{Clock, Injector, inject};
use chaos_http_admin::{Admin, Server};
use tokio::{runtime, sync::oneshot};

/// How many threads each service has.
const WORKERS: usize = 2;

/// Asks the port, from a thread that no fault holds.
fn ask(address: SocketAddr, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A service that opens its port, and then has as many calls as threads in a `block` that never ends.
struct Held {
    address: SocketAddr,
    /// Halts all injection, through the port.
    signal: oneshot::Sender<()>,
    service: JoinHandle<()>,
}

impl Held {
    fn start(mut runtime: runtime::Builder) -> Self {
        let injector = Injector::new();
        let (signal, signalled) = oneshot::channel::<()>();
        let (opened, open) = std::sync::mpsc::channel();
        let held = injector.clone();
        let service = thread::spawn(move || {
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let server: Server = Admin::new(held.clone())
                    .bind("127.0.0.1:0".parse().unwrap())
                    .unwrap()
                    .halt_on(signalled);
                let body = r#"{"site":"db.read","ttl":"never","faults":[{"block":"24h"}]}"#;
                let address = server.local_addr();
                let put = move || ask(address, "PUT /v1/rules/held", body);
                let put = tokio::task::spawn_blocking(put).await.unwrap();
                assert!(put.starts_with("HTTP/1.1 201"), "{put}");
                opened.send(address).unwrap();
                let calls: Vec<_> = (0..WORKERS)
                    .map(|_| {
                        let injector = held.clone();
                        tokio::spawn(async move { inject!(injector: &injector, "db.read") })
                    })
                    .collect();
                for call in calls {
                    call.await.unwrap().unwrap();
                }
                server.stop().await;
            });
        });
        let address = open.recv().unwrap();
        // On one thread, the second call begins when the first has ended.
        while injector.status().active == 0 {
            thread::yield_now();
        }
        Self {
            address,
            signal,
            service,
        }
    }
}

fn runtimes() -> [runtime::Builder; 2] {
    let mut many = runtime::Builder::new_multi_thread();
    many.worker_threads(WORKERS);
    [runtime::Builder::new_current_thread(), many]
}

#[test]
fn a_halt_is_answered_while_every_thread_is_blocked() {
    for runtime in runtimes() {
        let held = Held::start(runtime);
        let clock = Clock::monotonic();
        let answer = ask(held.address, "POST /v1/halt", r#"{"reason":"enough"}"#);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        held.service.join().unwrap();
        assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    }
}

#[test]
fn a_shutdown_signal_halts_while_every_thread_is_blocked() {
    for runtime in runtimes() {
        let held = Held::start(runtime);
        let clock = Clock::monotonic();
        held.signal.send(()).unwrap();
        held.service.join().unwrap();
        assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    }
}
