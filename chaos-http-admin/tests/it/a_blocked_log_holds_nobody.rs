//! A subscriber that blocks, as one does that writes to a pipe that nobody reads, holds neither the port nor the
//! audit file nor a webhook.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{Clock, Injector, State};
use chaos_http_admin::{Admin, AuditFile, Webhook};
use serde_json::Value;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

use crate::support::alone::is_alone;

static IS_BLOCKED: AtomicBool = AtomicBool::new(false);
static EVENTS: AtomicUsize = AtomicUsize::new(0);

/// Blocks each thread that comes to it while `IS_BLOCKED`.
struct Blocking;

impl<S: Subscriber> Layer<S> for Blocking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "chaos" {
            return;
        }
        EVENTS.fetch_add(1, Ordering::Relaxed);
        while IS_BLOCKED.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Asks for something as a client of its own, which waits for a second at most.
fn ask(address: SocketAddr, line: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    serde_json::from_str(body).unwrap()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !is_so() {
        assert!(clock.now() < Duration::from_secs(20), "{what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// The halt was in force, but its answer never came, nor did any later one.
#[test]
fn a_halt_is_answered_while_the_log_is_blocked() {
    // It needs the subscriber of the whole process, and blocks its only thread for the log.
    if !is_alone("a_blocked_log_holds_nobody::a_halt_is_answered_while_the_log_is_blocked") {
        return;
    }
    tracing::subscriber::set_global_default(registry().with(Blocking)).unwrap();
    let injector = Injector::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let hook = Webhook::json(&url)
        .unwrap()
        .within(Duration::from_millis(50));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let file = AuditFile::open(&injector, &path).unwrap();
    let admin = Admin::new(injector.clone()).audit_file(&file).webhook(hook);
    let server = admin.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = server.local_addr();

    let reason = r#"{"reason":"an incident"}"#;
    ask(port, "POST /v1/halt", reason);
    until("an event", || EVENTS.load(Ordering::Relaxed) > 0);
    IS_BLOCKED.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        ask(port, "POST /v1/resume", reason);
        ask(port, "POST /v1/halt", reason);
    }
    assert!(matches!(injector.status().state, State::Halted { .. }));
    let rule = r#"{"site":"db.read","faults":[{"error":"x"}]}"#;
    ask(port, "PUT /v1/rules/a", rule);
    // The file and the webhook begin to fail, which is logged, and go on.
    fs::remove_dir_all(folder.path()).unwrap();
    ask(port, "POST /v1/resume", reason);
    until("the file fails", || file.status().error.is_some());
    fs::create_dir(folder.path()).unwrap();
    until("the file is written", || file.status().error.is_none());
    ask(port, "PUT /v1/rules/b", rule);
    until("the file is written", || {
        file.status().written == injector.audit().last()
    });
    until("the webhook fails", || {
        let status = ask(port, "GET /v1/status", "");
        status["webhooks"][0]["failed"].as_u64() > Some(5)
    });
    // One thread is blocked.
    let before = EVENTS.load(Ordering::Relaxed);
    // More than a thousand lines do not wait.
    for _ in 0..600 {
        ask(port, "POST /v1/halt", reason);
        ask(port, "POST /v1/resume", reason);
    }
    assert_eq!(EVENTS.load(Ordering::Relaxed), before);
    IS_BLOCKED.store(false, Ordering::Relaxed);
    until("the lines that waited", || {
        EVENTS.load(Ordering::Relaxed) > before + 1000
    });
    thread::park_timeout(Duration::from_millis(100));
    let events = EVENTS.load(Ordering::Relaxed) - before;
    assert!(events < 1010, "{events}");
}
