//! A small shop to break: an axum service with a database and a payment provider, and the port
//! where faults are armed. It makes its own gentle traffic.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says where it can be reached")]

use std::net::SocketAddr;

use chaos_examples::{
    Error,
    shop::{Options, Shop, stop},
};
use clap::Parser;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// A small shop to break, live.
#[derive(Debug, Parser)]
struct Args {
    /// Where the shop is served
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where faults are armed
    #[arg(long, default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
    /// Wait for visitors, instead of sending some
    #[arg(long)]
    no_traffic: bool,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    log_to_stderr()?;
    let shop = Shop::open(Options {
        listen: args.listen,
        admin: args.admin,
        traffic: !args.no_traffic,
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

/// `RUST_LOG` as usual; without it, injections and problems.
fn log_to_stderr() -> Result<(), Error> {
    let filter =
        std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,chaos=info,chaos_examples=info".into());
    let filter: Targets = filter.parse()?;
    let log = fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).with(filter).init();
    Ok(())
}
