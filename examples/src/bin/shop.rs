//! A small shop for trying out faults: an axum service with a database, a payment provider and an admin
//! port. It sends a few requests per second to itself.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints its addresses")]

use std::{net::SocketAddr, path::PathBuf};

use chaos_examples::{
    MainError, log,
    shop::{Options, Shop},
    stop, variables,
};
use clap::Parser;

/// A small shop for trying out faults
#[derive(Debug, Parser)]
#[command(after_help = variables::HELP)]
struct Args {
    /// Address to serve the shop on
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Address of the admin port
    #[arg(long, default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
    /// Rules file to load and to watch for changes; may be repeated
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Don't send requests to the shop itself
    #[arg(long)]
    no_traffic: bool,
    /// Serve without the layer around the routes, to measure what it costs
    #[arg(long)]
    no_layer: bool,
    /// Append the audit to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Notify this URL, in JSON, when rules are armed or injection is halted
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    fleet: chaos_examples::shop::FleetArgs,
}

#[tokio::main]
async fn main() -> Result<(), MainError> {
    let args = Args::parse();
    log::to_stderr()?;
    let shop = Shop::open(Options {
        listen: args.listen,
        admin: args.admin,
        rules: args.rules,
        traffic: !args.no_traffic,
        layer: !args.no_layer,
        audit: args.audit,
        webhook: args.webhook,
        #[cfg(feature = "fleet")]
        fleet: args.fleet,
    })
    .await?;

    let (address, admin) = (shop.address(), shop.admin_address());
    println!("shop   http://{address}");
    println!("admin  http://{admin}");
    println!("to slow its database down for a minute and see the effect:");
    println!(
        "  curl -X PUT http://{admin}/v1/rules/slow -H 'content-type: application/json' \
         -d '{{\"site\":\"db.read\",\"faults\":[{{\"latency\":\"200ms\"}}],\"ttl\":\"1m\"}}'"
    );
    println!("  curl -w '%{{time_total}}s\\n' http://{address}/products");

    Ok(shop.run(stop::asked()).await?)
}
