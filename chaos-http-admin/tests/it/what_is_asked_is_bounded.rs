//! A client that may only read cannot make the port work without bound: the port sends lists in pages and
//! serves four requests of one client at a time, and a halt waits for no request.

use std::time::Duration;

use chaos_core::{Clock, Fault, Injector, Rule};
use chaos_http_admin::Admin;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};

use crate::support::{
    port::{Port, failing},
    wire::{ANN, BOB, EVE, LONG, Running, tokens},
};

fn rules(number: usize, message: &str) -> Vec<Rule> {
    let rule = |n| {
        let id = format!("r{n}").parse().unwrap();
        Rule::new(id, "db.read".parse().unwrap(), Fault::error(message))
    };
    (0..number).map(rule).collect()
}

fn ids(list: &Value) -> Vec<String> {
    let rules = list["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn rules_come_in_pages() {
    let port = Port::new();
    port.injector.replace(rules(25, "x")).unwrap();
    let (mut seen, mut path) = (Vec::new(), "/v1/rules?limit=10".to_owned());
    let mut pages = 0;
    loop {
        let answer = port.get(&path).await.expect(200);
        let list = answer.json();
        seen.extend(ids(&list));
        pages += 1;
        let Some(next) = list.get("next") else {
            assert_eq!(answer.header("link"), None);
            break;
        };
        assert_eq!(next.as_str(), seen.last().map(String::as_str));
        path = format!("/v1/rules?after={}&limit=10", next.as_str().unwrap());
        let link = format!("<{path}>; rel=\"next\"");
        assert_eq!(answer.header("link"), Some(&*link));
    }
    let all: Vec<_> = (0..25).map(|n| format!("r{n}")).collect();
    assert_eq!((seen, pages), (all.clone(), 3));
    // Without parameters, the list is whole, as it was.
    let list = port.rules().await;
    assert_eq!((ids(&list), list.get("next")), (all, None));
    port.get("/v1/rules?after=nobody").await.problem(404);
    for wrong in ["limit=0", "limit=10001", "limit=x", "page=2"] {
        port.get(&format!("/v1/rules?{wrong}")).await.problem(400);
    }
}

#[tokio::test]
async fn an_answer_has_no_more_bytes_than_its_bound() {
    const MAX: usize = 8 * 1024 * 1024 + 64 * 1024;
    let port = Port::new();
    let long = "x".repeat(500_000);
    port.injector.replace(rules(30, &long)).unwrap();
    let answer = port.get("/v1/rules").await.expect(200);
    assert!(answer.text().len() < MAX, "{}", answer.text().len());
    let list = answer.json();
    let next = list["next"].as_str().unwrap();
    let rest = port.get(&format!("/v1/rules?after={next}")).await.json();
    assert_eq!(ids(&list).len() + ids(&rest).len(), 30);

    for n in 0..30 {
        port.injector
            .replace(rules(1, &format!("{long}{n}")))
            .unwrap();
    }
    let answer = port.get("/v1/audit").await.expect(200);
    assert!(answer.text().len() < MAX, "{}", answer.text().len());
    // The latest, in order.
    let list = answer.json();
    let entries = list["entries"].as_array().unwrap();
    assert_eq!(entries.last().unwrap()["id"], list["last"]);
    // From the first on, page after page.
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = port.get(&format!("/v1/audit?after={after}")).await.json();
        let ids = page["entries"].as_array().unwrap().iter();
        seen.extend(ids.map(|entry| entry["id"].as_u64().unwrap()));
        after = *seen.last().unwrap();
        if page["last"].as_u64() == Some(after) {
            break;
        }
    }
    assert!(seen.is_sorted() && seen.len() == 31, "{seen:?}");
}

/// Asks over and over on some connections, each with many requests at once, until it is dropped.
fn flood(port: &Running, connections: usize, request: &str) -> JoinSet<()> {
    let mut flood = JoinSet::new();
    for _ in 0..connections {
        let (address, requests) = (port.address, request.repeat(20));
        flood.spawn(async move {
            loop {
                let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else {
                    continue;
                };
                if stream.write_all(requests.as_bytes()).await.is_ok() {
                    let mut buffer = vec![0; 64 * 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                }
            }
        });
    }
    flood
}

/// Asserts that halts and looks at the status are answered soon, while `flood` goes on.
async fn assert_answered_soon(port: &Running, what: &str, flood: JoinSet<()>) {
    let (clock, mut times) = (Clock::monotonic(), Vec::new());
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..30 {
        for line in ["POST /v1/halt", "GET /v1/status"] {
            let began = clock.now();
            let answer = timeout(LONG, port.ask_as(BOB, line, "")).await;
            answer
                .unwrap_or_else(|_| panic!("{what}: {line}"))
                .expect(200);
            times.push(clock.now() - began);
        }
    }
    times.sort();
    // It is 12 seconds without a bound. The machine may be busy with other tests.
    let (half, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    assert!(
        half < Duration::from_secs(1),
        "{what}: {half:?}, {slowest:?}"
    );
    drop(flood);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_for_strangers_do_not_delay_a_halt() {
    let port = Running::guarded().await;
    let request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let flood = flood(&port, 200, request);
    assert_answered_soon(&port, "documents", flood).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_edits_of_ten_thousand_rules_do_not_delay_a_halt() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).access_tokens(tokens());
    let port = Running::start(&injector, admin).await;
    injector.replace(rules(10_000, "x")).unwrap();
    for (what, secret, line, body) in [
        ("rules", EVE, "GET /v1/rules", String::new()),
        ("audit", EVE, "GET /v1/audit", String::new()),
        ("metrics", EVE, "GET /metrics", String::new()),
        (
            "edits",
            ANN,
            "PUT /v1/rules/r",
            failing("db.read").to_string(),
        ),
    ] {
        let head =
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n");
        let length = body.len();
        let content = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        let flood = flood(&port, 16, &format!("{head}{content}\r\n{body}"));
        assert_answered_soon(&port, what, flood).await;
    }
}

/// Beyond those that wait, requests of a client are refused, and other clients are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_of_one_client_are_refused() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).access_tokens(tokens());
    let port = Running::start(&injector, admin).await;
    injector.replace(rules(2_000, &"x".repeat(1000))).unwrap();
    let headers = format!("Host: localhost\r\nAuthorization: Bearer {EVE}\r\n");
    let mut held = Vec::new();
    // They do not read what they ask for.
    for _ in 0..150 {
        let mut stream = port.connect().await;
        let request = format!("GET /v1/rules HTTP/1.1\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let refused = async {
        loop {
            let answer = port.ask("GET /v1/rules", &headers, "").await;
            if answer.status() == 429 {
                return answer;
            }
        }
    };
    let answer = timeout(LONG, refused).await.expect("a refusal");
    assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
    answer.problem(429);
    port.ask_as(ANN, "GET /v1/rules/r1", "").await.expect(200);
    port.ask_as(EVE, "GET /v1/status", "").await.expect(200);
}

#[tokio::test]
async fn one_token_does_not_take_all_event_streams() {
    let port = Running::guarded().await;
    let mut streams = Vec::new();
    for (secret, expected) in [
        (EVE, 200),
        (EVE, 200),
        (EVE, 200),
        (EVE, 200),
        (EVE, 503),
        (BOB, 200),
    ] {
        let mut stream = port.connect().await;
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        timeout(LONG, stream.read_exact(&mut head))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(head[9..], *expected.to_string().as_bytes());
        streams.push(stream);
    }
    // A place that is given up is free again.
    streams.remove(0);
    let again = async {
        loop {
            let mut stream = port.connect().await;
            let request = format!(
                "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {EVE}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            if head[9..] == *b"200" {
                return;
            }
        }
    };
    timeout(LONG, again).await.unwrap();
}
