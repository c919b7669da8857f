//! Sites in plain functions, without a service or a port. The rules are armed in code: one from JSON,
//! one from Rust values.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints what it shows")]

use std::{io, time::Duration};

use chaos_core::{Clock, Fault, Latency, Rule, global, inject, inject_async, wire};

/// Reads a file. An injected error converts into `io::Error`, which the function returns anyway.
fn read(file: &str) -> io::Result<&'static str> {
    inject!("disk.read", file = file)?;
    Ok("42 orders")
}

/// Fetches a price. An injected delay doesn't block the thread.
async fn fetch(host: &str) -> io::Result<&'static str> {
    inject_async!("net.fetch", host = host).await?;
    Ok("a fresh price")
}

async fn show(state: &str) {
    match read("orders.csv") {
        Ok(text) => println!("{state}: read {text}"),
        Err(error) => println!("{state}: read failed, {:?}: {error}", error.kind()),
    }
    let clock = Clock::monotonic();
    let text = fetch("prices.example").await;
    let pace = if clock.now() < Duration::from_millis(50) {
        "at once"
    } else {
        "late"
    };
    match text {
        Ok(text) => println!("{state}: fetched {text} {pace}"),
        Err(error) => println!("{state}: fetch failed {pace}: {error}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), chaos_examples::MainError> {
    show("off").await;

    // A rule in the JSON form that the admin API and rules files accept.
    let broken = br#"{
        "id": "broken-disk",
        "site": "disk.*",
        "match": { "labels": { "file": { "suffix": ".csv" } } },
        "faults": [ { "error": { "kind": "not_found", "message": "the disk is gone" } } ]
    }"#;
    global().put(wire::rule_from_json(broken, None)?);
    // A rule from Rust values.
    let slow = Fault::latency(Latency::fixed(Duration::from_millis(100))?);
    global().put(Rule::new("slow-net".parse()?, "net.fetch".parse()?, slow));
    show("on").await;

    global().halt("seen enough");
    show("halted").await;

    global().clear();
    global().resume();
    show("off again").await;
    Ok(())
}
