//! A deadline needs nobody: with the port, its tasks and the runtime with its timer gone, a rule made
//! over the port still dies on time, and so does a wait that is under way.

use std::{thread, time::Duration};

use chaos_core::{Clock, Injector, inject};
use chaos_http_admin::Admin;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

const TTL: Duration = Duration::from_secs(2);

/// Puts a rule over the real port of a runtime, and drops the runtime with all that it runs.
fn arm_and_kill(injector: &Injector, faults: &str) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let admin = Admin::new(injector.clone());
        let server = admin.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = server.local_addr();
        let body = format!(r#"{{"site":"db.read","ttl":"2s","faults":[{faults}]}}"#);
        let request = format!(
            "PUT /v1/rules/brief HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    });
    runtime.shutdown_background();
}

#[test]
fn the_rule_dies_with_nobody_there() {
    let injector = Injector::new();
    let clock = Clock::monotonic();
    arm_and_kill(&injector, r#"{"error":"lost"}"#);
    let mut hits = 0_u64;
    while inject!(injector: &injector, "db.read").is_err() {
        hits += 1;
        assert!(clock.now() < TTL * 10, "it lives on");
        thread::yield_now();
    }
    assert!(
        hits > 0 && clock.now() >= TTL,
        "{hits} hits, over at {:?}",
        clock.now()
    );
    assert!(injector.is_idle() || !injector.sites().iter().any(|site| site.is_armed()));
}

#[test]
fn a_wait_under_way_ends_with_nobody_there() {
    let injector = Injector::new();
    let clock = Clock::monotonic();
    arm_and_kill(&injector, r#"{"hang":"1h"}"#);
    inject!(injector: &injector, "db.read").unwrap();
    assert!((TTL..TTL * 10).contains(&clock.now()), "{:?}", clock.now());
    assert_eq!(injector.counts("brief").unwrap().injected, 1);
}
