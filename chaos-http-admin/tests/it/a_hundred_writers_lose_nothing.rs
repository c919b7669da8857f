//! A hundred writers at one port, each writing back what it read with `If-Match`: no update is lost, and
//! each that was accepted stands in the audit once, in the order of the generations, however many came
//! too late.

use std::{net::SocketAddr, time::Duration};

use chaos_core::Injector;
use chaos_http_admin::Admin;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const WRITERS: usize = 100;
const EDITS: usize = 1;

/// The status, the tag and the body of an answer.
async fn ask(port: SocketAddr, line: &str, tag: Option<&str>, body: &str) -> (u16, String, Value) {
    let if_match = tag.map_or_else(String::new, |tag| format!("If-Match: {tag}\r\n"));
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{if_match}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
    );
    let mut client = TcpStream::connect(port).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        tag.unwrap_or_default().to_owned(),
        serde_json::from_str(body).unwrap_or_default(),
    )
}

/// Adds one to the number that the rule's reason is, and returns the generation that it made.
async fn count_up(port: SocketAddr) -> u64 {
    loop {
        let (status, tag, mut rule) = ask(port, "GET /v1/rules/shared", None, "").await;
        assert_eq!(status, 200);
        let number: usize = rule["reason"].as_str().unwrap().parse().unwrap();
        rule["reason"] = json!((number + 1).to_string());
        let body = rule.to_string();
        match ask(port, "PUT /v1/rules/shared", Some(&tag), &body).await {
            (200, tag, _) => return tag.trim_matches('"').parse().unwrap(),
            (412, ..) => {}
            (status, _, problem) => panic!("{status}: {problem}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_accepted_change_counts_once_and_is_written_down_once() {
    let injector = Injector::new();
    let server = Admin::new(injector)
        .bind("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let port = server.local_addr();
    let rule = r#"{"site":"db.read","reason":"0","faults":[{"error":"lost"}]}"#;
    let (status, ..) = ask(port, "PUT /v1/rules/shared", None, rule).await;
    assert_eq!(status, 201);

    let writers = (0..WRITERS).map(|_| {
        tokio::spawn(async move {
            let mut made = Vec::new();
            for _ in 0..EDITS {
                made.push(count_up(port).await);
            }
            made
        })
    });
    let made = timeout(Duration::from_secs(120), join_all(writers))
        .await
        .unwrap();
    let mut made: Vec<u64> = made.into_iter().flat_map(Result::unwrap).collect();
    made.sort_unstable();

    let (_, _, rule) = ask(port, "GET /v1/rules/shared", None, "").await;
    assert_eq!(rule["reason"], json!((WRITERS * EDITS).to_string()));
    let (_, _, audit) = ask(port, "GET /v1/audit?after=1", None, "").await;
    let entries = audit["entries"].as_array().unwrap().iter();
    let entries: Vec<_> = entries
        .filter(|entry| entry["action"] != "refuse")
        .collect();
    let generations = entries
        .iter()
        .map(|entry| entry["generation"].as_u64().unwrap());
    assert_eq!(generations.collect::<Vec<_>>(), made);
    assert_eq!(made, (2..).take(WRITERS * EDITS).collect::<Vec<_>>());
    for (at, entry) in entries.iter().enumerate() {
        let change = &entry["changes"][0];
        let reason = |of: &str| {
            change[of]["reason"]
                .as_str()
                .unwrap()
                .parse::<usize>()
                .unwrap()
        };
        assert_eq!((reason("before"), reason("after")), (at, at + 1));
    }
}
