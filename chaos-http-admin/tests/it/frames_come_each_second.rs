//! `GET /v1/live` tells each second what rules and watched sites count, and sites are counted only for that.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use chaos_core::{
    Call, Fault, Injector, Latency, Rate, Rule, RuleId, Site, SiteKind, Trigger, inject,
    testing::ManualClock,
};
use chaos_http_admin::Admin;
use chaos_tower::InjectLayer;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing},
    sse::{Sse, field},
    wire::LONG,
};

const SECOND: Duration = Duration::from_secs(1);

/// One listener.
struct Frames(Sse);

impl Frames {
    async fn listen(port: &Port, watch: &str) -> Self {
        Self::try_listen(port, watch).await.unwrap()
    }

    async fn try_listen(port: &Port, watch: &str) -> Result<Self, Answer> {
        let path = match watch {
            "" => "/v1/live".to_owned(),
            watch => format!("/v1/live?watch={}", watch.replace(',', "&watch=")),
        };
        Sse::open(port, &path, None).await.map(Self)
    }

    /// The next event: its name and its data.
    async fn event(&mut self) -> (String, Value) {
        let block = timeout(10 * LONG, self.0.block()).await.expect("an event");
        let block = block.expect("no end");
        let data = serde_json::from_str(&field(&block, "data")).unwrap();
        (field(&block, "event"), data)
    }

    async fn next(&mut self) -> Value {
        let (name, frame) = self.event().await;
        assert_eq!(name, "frame", "{frame}");
        frame
    }
}

fn lost(id: &str, site: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("lost"))
}

/// A call of a layer's site, which is answered at once.
fn pass(site: &Site, failed: bool) {
    let decision = site.decide(&Call::new());
    let call = site.measure(&Call::new(), decision.as_ref());
    call.expect("it is watched").end(failed);
}

/// Waits until a site is idle: the port returns it to that on a thread apart.
async fn until_idle(site: &Site) {
    let idle = async {
        while site.is_armed() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, idle).await.expect("it is idle again");
}

#[tokio::test(start_paused = true)]
async fn rules_are_told_whose_counts_have_changed() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let port = Port::of(injector);
    port.injector.put(lost("a", "db.read"));
    port.injector.put(lost("b", "db.write"));
    let mut frames = Frames::listen(&port, "").await;
    let first = frames.next().await;
    assert_eq!(first["state"], "armed");
    assert_eq!(
        (&first["generation"], &first["sites"]),
        (&json!(2), &json!({}))
    );
    let all = json!({ "a": [0, 0, 0, 0, 600.0], "b": [0, 0, 0, 0, 600.0] });
    assert_eq!(first["rules"], all);
    assert!(inject!(injector: port.injector, "db.read").is_err());
    clock.advance(SECOND);
    assert_eq!(
        frames.next().await["rules"],
        json!({ "a": [1, 1, 0, 0, 599.0] })
    );
    clock.advance(SECOND);
    assert_eq!(frames.next().await["rules"], json!({}));
    let by = json!({ "by": "5m" });
    port.write("POST", "/v1/rules/b/extend", by)
        .await
        .expect(200);
    assert_eq!(
        frames.next().await["rules"],
        json!({ "b": [0, 0, 0, 0, 898.0] })
    );
    assert!(port.injector.remove(&"a".parse::<RuleId>().unwrap()));
    port.injector.put(lost("c", "db.write"));
    let frame = frames.next().await;
    assert_eq!(frame["rules"], json!({ "c": [0, 0, 0, 0, 600.0] }));
    assert_eq!(frame["generation"], 4);
    // Whoever comes late gets all of them, with the newest frame.
    let mut late = Frames::listen(&port, "").await;
    for _ in 0..4 {
        late.next().await;
    }
    let newest = late.next().await;
    let all = json!({ "b": [0, 0, 0, 0, 898.0], "c": [0, 0, 0, 0, 600.0] });
    assert_eq!((&newest["at"], &newest["rules"]), (&frame["at"], &all));
    clock.advance(600 * SECOND);
    let [frame, of_late] = [frames.next().await, late.next().await];
    assert_eq!(frame, of_late);
    assert_eq!(
        (&frame["state"], &frame["rules"]),
        (&json!("armed"), &json!({}))
    );
}

#[tokio::test(start_paused = true)]
async fn sites_are_counted_for_those_who_watch_them_and_no_longer() {
    let port = Port::new();
    let [server, client] = ["http.server", "http.client"].map(|name| port.injector.site(name));
    let mut first = Frames::listen(&port, "http.server").await;
    let mut second = Frames::listen(&port, "http.client,db.*").await;
    // From the second frame on, all of them are counted for a whole second.
    for frames in [&mut first, &mut second] {
        frames.next().await;
        frames.next().await;
    }
    for n in 0..10 {
        pass(server, n < 3);
        pass(client, false);
        // It becomes known while it is watched.
        inject!(injector: port.injector, "db.read").unwrap();
    }
    let frame = first.next().await;
    let names = |frame: &Value| -> Vec<String> {
        frame["sites"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(&frame), ["http.server"]);
    let site = &frame["sites"]["http.server"];
    let alone = json!({ "calls": 10.0, "failed": 3.0, "p50": 0.0, "p90": 0.0, "p99": 0.0 });
    let alone_p50 = site["alone"]["p50"].as_f64().unwrap();
    assert!(alone_p50 < 1e-6, "time stands still: {alone_p50}");
    for name in ["calls", "failed"] {
        assert_eq!(site["alone"][name], alone[name]);
    }
    let none = json!({ "calls": 0.0, "failed": 0.0, "p50": null, "p90": null, "p99": null });
    assert_eq!(site["injected"], none);
    let sums = json!([site["calls"], site["hit"], site["failed"], site["held"]]);
    assert_eq!(sums, json!([10.0, 0.0, 3.0, 0]));
    let frame = second.next().await;
    assert_eq!(names(&frame), ["db.read", "http.client"]);
    let read = &frame["sites"]["db.read"];
    assert_eq!(
        (&read["calls"], &read["alone"]["p50"]),
        (&json!(10.0), &Value::Null)
    );
    // The lease of each ends with its connection.
    drop(second);
    until_idle(client).await;
    assert!(server.is_armed());
    let read = port.injector.sites();
    let read = read.iter().find(|site| site.kind() == SiteKind::Sync);
    assert!(!read.unwrap().is_armed());
    // Halted or not, calls are counted.
    port.injector.halt("enough");
    pass(server, false);
    let frame = first.next().await;
    assert_eq!(
        (&frame["state"], &frame["sites"]["http.server"]["calls"]),
        (&json!("halted"), &json!(1.0))
    );
    drop(first);
    until_idle(server).await;
    let mut third = Frames::listen(&port, "").await;
    for _ in 0..3 {
        assert_eq!(third.next().await["sites"], json!({}));
    }
    assert!(!server.is_armed());
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_gets_the_last_two_minutes() {
    let port = Port::new();
    let site = port.injector.site("http.server");
    let mut frames = Frames::listen(&port, "http.server").await;
    let mut seen = Vec::new();
    for _ in 0..130 {
        seen.push(frames.next().await["at"].clone());
        pass(site, false);
    }
    let mut late = Frames::listen(&port, "http.server").await;
    for at in &seen[10..] {
        let frame = late.next().await;
        assert_eq!(frame["at"], *at);
        assert_eq!(frame["sites"]["http.server"]["calls"], 1.0);
    }
    assert_eq!(frames.next().await, late.next().await);
    // They are kept for a minute after the last one has left.
    drop((frames, late));
    sleep(59 * SECOND).await;
    let mut again = Frames::listen(&port, "http.server").await;
    for _ in 0..119 {
        let frame = again.next().await;
        assert_eq!(frame["sites"]["http.server"]["calls"], 1.0);
    }
    assert_eq!(again.next().await["sites"], json!({}));
    drop(again);
    sleep(61 * SECOND).await;
    let mut anew = Frames::listen(&port, "http.server").await;
    assert_eq!(anew.next().await["sites"], json!({}));
    assert_eq!(anew.next().await["sites"]["http.server"]["calls"], 0.0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_told_what_was_dropped() {
    let port = Port::new();
    port.injector.put(lost("a", "db.read"));
    port.injector.put(lost("b", "db.write"));
    let mut slow = Frames::listen(&port, "").await;
    let mut quick = Frames::listen(&port, "").await;
    for _ in 0..200 {
        quick.next().await;
        let _ = inject!(injector: port.injector, "db.read");
    }
    let (name, data) = slow.event().await;
    assert_eq!((&*name, data), ("dropped", json!({ "frames": 80 })));
    for _ in 0..119 {
        assert_eq!(slow.next().await["rules"].as_object().unwrap().len(), 1);
    }
    // Of what was dropped, the newest frame has the result.
    let newest = slow.next().await;
    assert_eq!(newest["rules"].as_object().unwrap().len(), 2);
    assert_eq!(slow.next().await["rules"].as_object().unwrap().len(), 1);
}

/// The rate of a site is that of a whole second, whenever somebody has begun to watch it.
#[tokio::test(start_paused = true)]
async fn a_site_that_was_counted_for_a_part_of_a_second_is_left_out() {
    let port = Port::new();
    let [server, client] = ["http.server", "http.client"].map(|name| port.injector.site(name));
    let mut first = Frames::listen(&port, "http.server").await;
    first.next().await;
    sleep(SECOND * 9 / 10).await;
    let mut late = Frames::listen(&port, "http.*").await;
    late.next().await;
    for _ in 0..10 {
        pass(server, false);
        pass(client, false);
    }
    for frames in [&mut first, &mut late] {
        let sites = &frames.next().await["sites"];
        assert_eq!(sites["http.server"]["calls"], 10.0);
        assert!(sites["http.client"].is_null(), "{sites}");
    }
    for _ in 0..10 {
        pass(client, false);
    }
    let sites = &late.next().await["sites"];
    assert_eq!(sites["http.client"]["calls"], 10.0);
    assert_eq!(sites["http.server"]["calls"], 0.0);
}

/// A frame of them all had more than 20 KB, each second.
#[tokio::test(start_paused = true)]
async fn many_rules_that_count_share_a_few_frames() {
    let port = Port::new();
    let never = || Trigger::new().rate(Rate::new(0.0).unwrap());
    let rules = (0..500).map(|n| {
        let id = format!("tenant-{n}-of-the-shop-is-slow");
        lost(&id, "db.read").trigger(never())
    });
    port.injector.replace(rules.collect()).unwrap();
    let mut frames = Frames::listen(&port, "").await;
    let rules_of = |frame: &Value| frame["rules"].as_object().unwrap().clone();
    let mut known = rules_of(&frames.next().await);
    assert_eq!(known.len(), 500);
    assert!(frames.next().await["rules"].as_object().unwrap().is_empty());
    let mut told = Vec::new();
    for _ in 0..12 {
        inject!(injector: port.injector, "db.read").unwrap();
        let frame = frames.next().await;
        assert!(frame.to_string().len() < 20_000);
        told.push(rules_of(&frame));
    }
    for few in told.windows(3) {
        let ids: BTreeSet<_> = few.iter().flat_map(|rules| rules.keys()).collect();
        assert_eq!(ids.len(), 500);
    }
    // Whoever comes late gets all of them, with the newest frame.
    let mut late = Frames::listen(&port, "").await;
    for _ in 0..13 {
        assert!(late.next().await.to_string().len() < 20_000);
    }
    let all = rules_of(&late.next().await);
    assert_eq!(all.len(), 500);
    // The last counts are told, too, although the rules count no more.
    told.push(rules_of(&frames.next().await));
    told.push(rules_of(&frames.next().await));
    known.extend(told.into_iter().flatten());
    assert_eq!(known, all);
    assert!(known.values().all(|counts| counts[0] == 12), "{known:?}");
    assert_eq!(frames.next().await["rules"], json!({}));
}

#[tokio::test]
async fn bad_patterns_are_refused() {
    let port = Port::new();
    let many: Vec<_> = (0..101).map(|n| format!("watch=a{n}")).collect();
    for query in [
        "watch=d*",
        "watch=",
        "watch=a..b",
        "watch=http.server&watch=%00",
        &many.join("&"),
    ] {
        let refused = port.get(&format!("/v1/live?{query}")).await.problem(400);
        assert_eq!(refused["field"], "watch", "{query}: {refused}");
        assert!(refused["allowed"].is_string());
    }
    let refused = port.get("/v1/live?wach=http.server").await.problem(400);
    assert_eq!(
        (&refused["field"], &refused["allowed"]),
        (&json!("wach"), &json!("watch, or no parameter"))
    );
    let fits = format!("/v1/live?{}&watch=a0", many[..25].join("&"));
    port.get(&fits).await.expect(200);
}

#[tokio::test]
async fn frames_and_events_share_sixteen_places() {
    let port = Port::new();
    let frames = join_all((0..8).map(|_| Frames::listen(&port, "**"))).await;
    let events = join_all((0..8).map(|_| Sse::open(&port, "/v1/events", None))).await;
    assert!(events.iter().all(Result::is_ok));
    let full = Frames::try_listen(&port, "**").await.err().unwrap();
    assert_eq!(full.header("retry-after"), Some("10"));
    full.problem(503);
    let full = Sse::open(&port, "/v1/events", None).await.err().unwrap();
    full.problem(503);
    assert_eq!(port.get("/v1/status").await.json()["listeners"], 16);
    drop(events);
    Frames::listen(&port, "**").await;
    drop(frames);
}

#[tokio::test]
async fn a_stream_of_frames_ends_with_the_port() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let admin = Admin::new(injector.clone());
    let router = admin.router();
    let port = Port { injector, router };
    let mut frames = Frames::listen(&port, "http.server").await;
    frames.next().await;
    admin.end_events();
    let end = timeout(LONG, async { while frames.0.block().await.is_some() {} });
    end.await.expect("an end");
    drop(frames);
    until_idle(site).await;
}

#[tokio::test(start_paused = true)]
async fn frames_are_what_the_document_says() {
    let document = Document::new();
    let port = Port::new();
    let site = port.injector.site("http.server");
    port.injector.put(lost("a", "db.read"));
    let mut frames = Frames::listen(&port, "**").await;
    let schema = json!({ "$ref": "#/components/schemas/LiveFrame" });
    for _ in 0..3 {
        document.assert_valid(&schema, &frames.next().await);
        pass(site, true);
    }
}

#[tokio::test]
async fn what_is_seen_of_a_site_nobody_knows_is_refused() {
    let port = Port::new();
    let unknown = port.get("/v1/sites/http.servr/seen").await.problem(404);
    assert_eq!(unknown["field"], "name");
    for path in [
        "/v1/sites/a%20b/seen",
        "/v1/sites/db.*/seen",
        "/v1/sites/%FF/seen",
    ] {
        let refused = port.get(path).await.problem(400);
        assert_eq!(refused["field"], "name", "{path}");
    }
    let _ = port.injector.site("http.server");
    let nothing = json!({ "methods": [], "paths": [], "hosts": [], "labels": [] });
    assert_eq!(port.get("/v1/sites/http.server/seen").await.json(), nothing);
}

/// A real service, half of whose calls take 200 ms longer, its port, and clients of both.
struct Service {
    injector: Injector,
    address: SocketAddr,
    port: chaos_http_admin::Server,
}

impl Service {
    async fn start() -> Self {
        let injector = Injector::new();
        let layer = InjectLayer::with_injector("http.server", &injector);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = async || {
            sleep(Duration::from_millis(20)).await;
            "an order"
        };
        let router = Router::new()
            .route("/orders/{id}", get(handler))
            .layer(layer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let port = Admin::new(injector.clone()).bind("127.0.0.1:0".parse().unwrap());
        Self {
            injector,
            address,
            port: port.unwrap(),
        }
    }

    /// Sends one request after the other.
    async fn call_for_ever(address: SocketAddr, client: usize) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for n in 0.. {
            let request = format!(
                "GET /orders/secret-{client}-{n}?card=4242 HTTP/1.1\r\nHost: shop.example\r\n\
                 Authorization: Bearer hidden\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"an order") {
                assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
    }

    async fn ask(&self, line: &str, body: &str) -> Value {
        let mut stream = self.open(line, body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    async fn open(&self, line: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.port.local_addr()).await.unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads frames until there is one for which `read` returns something.
async fn until<T>(
    stream: &mut TcpStream,
    text: &mut String,
    read: impl Fn(&Value) -> Option<T>,
) -> T {
    let mut bytes = [0; 16 * 1024];
    let found = async {
        loop {
            while let Some((line, rest)) = text.split_once('\n') {
                let frame = line.strip_prefix("data: ").map(str::to_owned);
                *text = rest.to_owned();
                let frame = frame.map(|frame| serde_json::from_str(&frame).unwrap());
                if let Some(found) = frame.as_ref().and_then(&read) {
                    return found;
                }
            }
            let got = stream.read(&mut bytes).await.unwrap();
            assert_ne!(got, 0, "no end");
            text.push_str(std::str::from_utf8(&bytes[..got]).unwrap());
        }
    };
    timeout(LONG, found).await.expect("such a frame")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delay_at_half_of_the_calls_stands_beside_those_left_alone() {
    let service = Service::start().await;
    let delay = Fault::latency(Latency::fixed(Duration::from_millis(200)).unwrap());
    let half = Trigger::new().rate(Rate::new(0.5).unwrap());
    let rule = Rule::new(
        "slow".parse().unwrap(),
        "http.server".parse().unwrap(),
        delay,
    );
    service.injector.put(rule.trigger(half));
    let calls: Vec<_> = (0..8)
        .map(|client| tokio::spawn(Service::call_for_ever(service.address, client)))
        .collect();
    let mut stream = service.open("GET /v1/live?watch=http.server", "").await;
    let mut text = String::new();
    let mut over = Vec::new();
    while over.len() < 5 {
        let apart = |frame: &Value| {
            let site = &frame["sites"]["http.server"];
            let p50 = |group: &str| site[group]["p50"].as_f64();
            let of_each = |group: &str| site[group]["calls"].as_f64() >= Some(5.0);
            let apart = p50("injected")? - p50("alone")?;
            (of_each("injected") && of_each("alone")).then_some(apart)
        };
        over.push(until(&mut stream, &mut text, apart).await);
    }
    over.sort_unstable_by(f64::total_cmp);
    // The machine may be busy with other tests.
    assert!((0.15..=0.6).contains(&over[2]), "{over:?}");
    let held = |frame: &Value| {
        frame["sites"]["http.server"]["held"]
            .as_u64()
            .filter(|held| *held > 0)
    };
    assert!(until(&mut stream, &mut text, held).await <= 8);

    // What was seen: patterns, and neither paths nor values.
    let seen = service.ask("GET /v1/sites/http.server/seen", "").await;
    assert_eq!(
        seen,
        json!({ "methods": ["GET"], "paths": ["/orders/{id}"], "hosts": ["shop.example"], "labels": [] })
    );

    // Halted, calls go on, and none is hit.
    service.ask("POST /v1/halt", r#"{"reason":"enough"}"#).await;
    let calm = |frame: &Value| {
        let site = &frame["sites"]["http.server"];
        let is_calm = frame["state"] == "halted" && site["hit"] == 0.0 && site["held"] == 0;
        (is_calm && site["calls"].as_f64() > Some(20.0)).then_some(())
    };
    until(&mut stream, &mut text, calm).await;

    // The site is idle once the connection is gone.
    let site = service.injector.site("http.server");
    assert!(site.is_armed());
    drop(stream);
    until_idle(site).await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    service.port.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_rail_measures_beside_a_listener() {
    let port = Port::new();
    let site = port.injector.site("http.server");
    let mut rule = failing("http.server");
    rule["rate"] = json!(0);
    rule["guards"] = json!([{ "error_ratio": 0.1, "window": "5s", "at_least": 4 }]);
    port.write("PUT", "/v1/rules/a", rule).await.expect(201);
    let mut frames = Frames::listen(&port, "http.server").await;
    frames.next().await;
    for n in 0..4 {
        pass(site, n == 3);
    }
    let status = port.get("/v1/status").await.json();
    assert_eq!(
        (
            &status["state"],
            status["breaches"].as_array().unwrap().len()
        ),
        (&json!("halted"), 1)
    );
    let frame = frames.next().await;
    assert_eq!(frame["state"], "halted");
    let site = &frame["sites"]["http.server"];
    assert_eq!(
        (&site["calls"], &site["failed"]),
        (&json!(4.0), &json!(1.0))
    );
}
