//! Outgoing calls under tower's retry and timeout: shows which faults their caller sees, and which are
//! hidden.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints what it shows")]

use std::{net::SocketAddr, time::Duration};

use chaos_core::{global, wire};
use chaos_examples::{
    Error, MainError,
    client::{Prices, Upstream, in_short},
    stop,
};
use chaos_http_admin::Admin;
use clap::Parser;

/// The rules to show, in the JSON form that the admin API accepts.
const RULES: &[&str] = &[
    r#"{ "id": "slow", "site": "http.client", "faults": [ { "latency": "5s" } ] }"#,
    r#"{ "id": "flaky", "site": "http.client", "limit": 2, "faults": [ { "status": 503 } ] }"#,
    r#"{ "id": "refused", "site": "http.client", "faults": [ { "abort": "refuse" } ] }"#,
    r#"{ "id": "broken", "site": "http.client", "faults": [ { "abort": "reset" } ] }"#,
];

/// Shows what callers see of faults in outgoing calls
#[derive(Debug, Parser)]
struct Args {
    /// Opens an admin port on ADDRESS and keeps calling until stopped
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> Result<(), MainError> {
    let args = Args::parse();
    let upstream = Upstream::start().await?;
    let mut prices = Prices::at(upstream.url().clone())?;

    println!("no fault: {}", ask(&mut prices).await);
    for rule in RULES {
        let rule = wire::rule_from_json(rule.as_bytes(), None)?;
        let id = rule.id().clone();
        global().put(rule);
        let seen = ask(&mut prices).await;
        let hit = global().counts(id.as_str()).map_or(0, |rule| rule.injected);
        println!("{id}, {hit} tries hit: {seen}");
        global().clear();
    }
    match args.admin {
        Some(address) => Ok(go_on(prices, address).await?),
        None => Ok(()),
    }
}

async fn ask(prices: &mut Prices) -> String {
    match prices.price().await {
        Ok(price) => price,
        Err(error) => format!("no price: {}", in_short(&error)),
    }
}

async fn go_on(mut prices: Prices, address: SocketAddr) -> Result<(), Error> {
    let admin = Admin::new(global().clone()).bind(address)?;
    println!("admin http://{}", admin.local_addr());
    let ask_on = async {
        loop {
            println!("now: {}", ask(&mut prices).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = ask_on => {}
        () = stop::asked() => admin.stop().await,
    }
    Ok(())
}
