//! Ten thousand requests that are delayed at once are all answered, and each costs the server less than
//! 4 kB while it waits.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::support::{
    app::{self, TEXT},
    ask::Ask,
    axum_server,
    http2::Http2,
    itself::{self, Itself},
};

/// As many streams on each as hyper allows by default.
const CONNECTIONS: u64 = 50;
const STREAMS: u64 = 200;
const REQUESTS: u64 = CONNECTIONS * STREAMS;

/// What one may cost, in bytes of the server's memory; the connections are there before. Of it, about
/// 2600 are axum's, hyper's and h2's for any request that is under way.
const MOST: u64 = 4 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_costs_less_than_four_kilobytes() {
    if itself::is_server() {
        return serve().await;
    }
    let mut other = Itself::run("ten_thousand_delayed::each_costs_less_than_four_kilobytes");
    let address = other.hear_address().await;
    let mut peers = Vec::new();
    for _ in 0..CONNECTIONS {
        let peer = Http2::connect(address).await;
        peer.ask(&Ask::get("/big")).await.is_served(&app::big());
        peers.push(Arc::new(peer));
    }

    let before = memory_of(other.process.id());
    let mut asking = JoinSet::new();
    for peer in &peers {
        for _ in 0..STREAMS {
            let peer = Arc::clone(peer);
            asking.spawn(async move { peer.ask(&Ask::get("/")).await });
        }
    }
    assert_eq!(other.hear().await, "all are waiting");
    let growth = memory_of(other.process.id()).saturating_sub(before);
    other.tell().await;
    let answers = asking.join_all().await;
    assert_eq!(answers.len() as u64, REQUESTS);
    for heard in answers {
        heard.is_served(TEXT);
    }
    let each = growth / REQUESTS;
    println!("{each} bytes each, {growth} in all, on top of {before}");
    assert!(each <= MOST, "{each} bytes each");
}

/// They wait for as long as it takes until all are there, however loaded the machine is; then a halt
/// lets them go.
async fn serve() {
    let server = axum_server::start().await;
    server.aim_at(json!([{"latency": "1h"}]), json!({"path": "/"}));
    itself::say(server.address);
    while server.active() < REQUESTS {
        sleep(Duration::from_millis(10)).await;
    }
    itself::say("all are waiting");
    itself::listen().await;
    server.injector.halt("all were waiting");
    // Until the test has heard all answers, and ends this.
    itself::listen().await;
}

/// What of a process is in memory, in bytes.
fn memory_of(process: Option<u32>) -> u64 {
    let process = process.expect("it is running");
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}
