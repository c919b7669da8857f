//! `GET /v1/events` tells what happens, in order and once, and what it could not tell.

use std::time::Duration;

use chaos_core::{Clock, Fault, Injector, Lifetime, Rule, inject};
use chaos_http_admin::Admin;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    port::{Answer, Port, failing},
    sse::{Sse, field},
    wire::LONG,
};

#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// One client of the stream.
struct Events(Sse);

impl Events {
    async fn listen(port: &Port) -> Self {
        Self::resume(port, None).await.unwrap()
    }

    async fn resume(port: &Port, last: Option<&str>) -> Result<Self, Answer> {
        Sse::open(port, "/v1/events", last).await.map(Self)
    }

    /// The next block of lines, whatever it is; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        self.0.block().await
    }

    async fn next(&mut self) -> Event {
        let block = timeout(LONG, self.block())
            .await
            .expect("an event")
            .expect("no end");
        Event {
            name: field(&block, "event"),
            id: field(&block, "id"),
            data: serde_json::from_str(&field(&block, "data")).unwrap_or_default(),
        }
    }

    async fn names(&mut self, many: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..many {
            names.push(self.next().await.name);
        }
        names
    }
}

fn rule(id: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), "db.read".parse().unwrap());
    Rule::new(id, site, Fault::error("lost"))
}

fn hit(injector: &Injector) {
    assert!(inject!(injector: injector, "db.read").is_err());
}

#[tokio::test]
async fn injections_and_changes_are_told_in_the_order_in_which_they_happened() {
    let port = Port::new();
    let mut events = Events::listen(&port).await;
    let start = events.next().await;
    assert_eq!(start.name, "start");
    assert_eq!(start.data["state"], "idle");
    assert_eq!(start.data["restarted"], false);
    // All of it before the client looks again.
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    hit(&port.injector);
    hit(&port.injector);
    port.write("POST", "/v1/halt", json!({ "reason": "x" }))
        .await
        .expect(200);
    port.write("POST", "/v1/resume", json!({ "reason": "y" }))
        .await
        .expect(200);
    hit(&port.injector);
    port.write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    let put = events.next().await;
    assert_eq!(put.name, "put");
    assert_eq!(put.data["changes"][0]["after"]["site"], "db.read");
    let injection = events.next().await;
    assert_eq!(injection.name, "injection");
    let mut data = injection.data;
    assert!(data.as_object_mut().unwrap().remove("at").is_some());
    assert_eq!(
        data,
        json!({ "number": 1, "site": "db.read", "rule": "a", "fault": "error", "delay_ms": 0.0 })
    );
    let rest = ["injection", "halt", "resume", "injection", "remove"];
    assert_eq!(events.names(5).await, rest);
    // And what comes while it waits.
    let next = tokio::spawn(async move { events.next().await });
    sleep(Duration::from_millis(20)).await;
    port.injector.put(rule("b"));
    assert_eq!(next.await.unwrap().data["actor"], "code");
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let port = Port::new();
    port.injector.put(rule("a"));
    let mut events = Events::listen(&port).await;
    let start = events.next().await;
    hit(&port.injector);
    port.injector.put(rule("b"));
    hit(&port.injector);
    let seen = [
        start.id,
        events.next().await.id,
        events.next().await.id,
        events.next().await.id,
    ];
    assert_eq!(
        seen.iter().collect::<std::collections::BTreeSet<_>>().len(),
        4
    );
    drop(events);
    // Nobody listens, but somebody did.
    hit(&port.injector);
    port.injector.halt("x");
    for (at, id) in seen.iter().enumerate() {
        let mut events = Events::resume(&port, Some(id)).await.unwrap();
        let rest: Vec<_> = ["injection", "put", "injection"]
            .into_iter()
            .skip(at)
            .collect();
        let names = events.names(rest.len() + 2).await;
        assert_eq!(names[..rest.len()], rest);
        assert_eq!(names[rest.len()..], ["injection", "halt"]);
    }
}

#[tokio::test]
async fn what_is_gone_is_counted_once() {
    let port = Port::new();
    port.injector.put(rule("a"));
    let mut events = Events::listen(&port).await;
    let start = events.next().await;
    for _ in 0..5500 {
        hit(&port.injector);
    }
    for _ in 0..1100 {
        port.injector
            .as_actor(chaos_core::audit::Actor::new("x"))
            .refuse("y");
    }
    let mut resumed = Events::resume(&port, Some(&start.id)).await.unwrap();
    for events in [&mut events, &mut resumed] {
        let dropped = events.next().await;
        assert_eq!(dropped.name, "dropped");
        assert_eq!(dropped.data, json!({ "entries": 100, "injections": 500 }));
    }
    let injection = events.next().await;
    assert_eq!(injection.data["number"], 501);
    let names = events.names(5999).await;
    assert_eq!(
        names.iter().filter(|name| *name == "injection").count(),
        4999
    );
    // Whoever comes back after it was told is not told again.
    let mut resumed = Events::resume(&port, Some(&injection.id)).await.unwrap();
    assert_eq!(resumed.next().await.data["number"], 502);
}

#[tokio::test]
async fn an_id_of_another_process_starts_anew() {
    let port = Port::new();
    port.injector.put(rule("a"));
    let run = {
        let id = Events::listen(&port).await.next().await.id;
        id.split_once('.').unwrap().0.to_owned()
    };
    let beyond = format!("{run}.7.7");
    for id in ["0123456789abcdef.1.0", "nonsense", "", &beyond] {
        let mut events = Events::resume(&port, Some(id)).await.unwrap();
        let start = events.next().await;
        assert_eq!(start.name, "start");
        assert_eq!(start.data["restarted"], true);
        assert_eq!(start.data["run"], run);
        assert_eq!(start.id, format!("{run}.1.0"));
    }
}

#[tokio::test(start_paused = true)]
async fn long_after_the_last_listener_injections_are_counted_and_not_kept() {
    let port = Port::new();
    port.injector.put(rule("a"));
    let id = Events::listen(&port).await.next().await.id;
    hit(&port.injector);
    sleep(Duration::from_secs(61)).await;
    hit(&port.injector);
    hit(&port.injector);
    let mut events = Events::resume(&port, Some(&id)).await.unwrap();
    let dropped = events.next().await;
    assert_eq!(dropped.data, json!({ "entries": 0, "injections": 3 }));
    hit(&port.injector);
    assert_eq!(events.next().await.data["number"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_has_a_heartbeat_and_an_end() {
    let port = Port::new();
    let mut events = Events::listen(&port).await;
    let clock = Clock::monotonic();
    events.next().await;
    for n in 1..16 {
        assert_eq!(events.block().await.unwrap().trim_end(), ":");
        let seconds = clock.now().as_secs();
        assert!((15 * n..15 * n + 2).contains(&seconds), "{seconds}");
    }
    assert!(events.block().await.is_none());
    assert!((239..=241).contains(&clock.now().as_secs()));
}

#[tokio::test]
async fn an_expiry_is_told_on_time_though_nobody_asks() {
    let injector = Injector::new();
    let port = Port::of(injector);
    let mut events = Events::listen(&port).await;
    let life = Lifetime::new(Duration::from_millis(300)).unwrap();
    port.injector.put(rule("a").lifetime(life));
    let clock = Clock::monotonic();
    assert_eq!(events.names(3).await, ["start", "put", "expire"]);
    assert!(clock.now() < Duration::from_secs(5), "{:?}", clock.now());
}

#[tokio::test]
async fn so_many_may_listen_and_no_more() {
    let port = Port::new();
    let listeners = (0..16).map(|_| Events::listen(&port));
    let mut listeners = join_all(listeners).await;
    let full = Events::resume(&port, None).await.err().unwrap();
    assert_eq!(full.header("retry-after"), Some("10"));
    full.problem(503);
    assert_eq!(port.get("/v1/status").await.json()["listeners"], 16);
    drop(listeners.pop());
    Events::listen(&port).await;
}

#[tokio::test]
async fn nobody_waits_for_a_listener_that_does_not_read() {
    let port = Port::new();
    let mut events = Events::listen(&port).await;
    port.injector.put(rule("a"));
    for _ in 0..20_000 {
        hit(&port.injector);
    }
    let mut told = 0;
    let mut last = 0;
    while last < 20_000 {
        let event = events.next().await;
        if event.name == "dropped" {
            told += event.data["injections"].as_u64().unwrap();
        } else if event.name == "injection" {
            told += 1;
            last = event.data["number"].as_u64().unwrap();
        }
    }
    assert_eq!(told, 20_000);
}

#[tokio::test]
async fn streams_end_when_the_port_stops() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    let admin = Admin::new(Injector::new());
    let server = admin.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server.local_addr();
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("event: start") {
        assert_ne!(client.read_buf(&mut text).await.unwrap(), 0);
    }
    let clock = Clock::monotonic();
    let stopped = tokio::spawn(server.stop());
    timeout(LONG, client.read_to_end(&mut text))
        .await
        .unwrap()
        .unwrap();
    // The last chunk, and not a cut.
    assert!(text.ends_with(b"0\r\n\r\n"));
    timeout(LONG, stopped).await.unwrap().unwrap();
    assert!(clock.now() < Duration::from_secs(3), "{:?}", clock.now());
}
