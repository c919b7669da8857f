//! A small shop to break: an axum service with a database and a payment provider, and the port
//! where faults are armed. It makes its own gentle traffic.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says where it can be reached")]

use std::{net::SocketAddr, path::PathBuf};

use chaos_examples::{
    Error, log,
    shop::{Options, Shop},
    stop,
};
use clap::Parser;

/// A small shop to break, live.
#[derive(Debug, Parser)]
struct Args {
    /// Where the shop is served
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where faults are armed
    #[arg(long, default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
    /// A file of rules to start with and to follow; may stand several times
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Wait for visitors, instead of sending some
    #[arg(long)]
    no_traffic: bool,
    /// Write who armed what into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Tell this address, in JSON, of what is armed and halted
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    log::to_stderr()?;
    let shop = Shop::open(Options {
        listen: args.listen,
        admin: args.admin,
        rules: args.rules,
        traffic: !args.no_traffic,
        audit: args.audit,
        webhook: args.webhook,
    })
    .await?;

    let (address, admin) = (shop.address(), shop.admin_address());
    println!("shop   http://{address}");
    println!("admin  http://{admin}");
    println!("make its database slow for a minute, and look:");
    println!(
        "  curl -X PUT http://{admin}/v1/rules/slow -H 'content-type: application/json' \
         -d '{{\"site\":\"db.read\",\"faults\":[{{\"latency\":\"200ms\"}}],\"ttl\":\"1m\"}}'"
    );
    println!("  curl -w '%{{time_total}}s\\n' http://{address}/products");

    shop.run(stop::asked()).await
}
