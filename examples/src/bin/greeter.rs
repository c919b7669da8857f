//! A small gRPC service for trying out faults: tonic, with each kind of method and an admin port.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints its addresses")]

use std::{net::SocketAddr, path::PathBuf};

use chaos_examples::{
    MainError,
    greeter::{Greeter, Options},
    log, stop, variables,
};
use clap::Parser;

/// A small gRPC service for trying out faults
#[derive(Debug, Parser)]
#[command(after_help = variables::HELP)]
struct Args {
    /// Address to serve the greeter on
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// Address of the admin port
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// Rules file to load and to watch for changes; may be repeated
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Serve without the layer around the methods, to measure what it costs
    #[arg(long)]
    no_layer: bool,
}

#[tokio::main]
async fn main() -> Result<(), MainError> {
    let args = Args::parse();
    log::to_stderr()?;
    let greeter = Greeter::open(Options {
        listen: args.listen,
        admin: args.admin,
        rules: args.rules,
        layer: !args.no_layer,
    })
    .await?;

    let (address, admin) = (greeter.address(), greeter.admin_address());
    println!("greeter http://{address}");
    println!("admin   http://{admin}");
    println!("to make it unavailable for a minute and call it:");
    println!(
        "  curl -X PUT http://{admin}/v1/rules/down -H 'content-type: application/json' \
         -d '{{\"site\":\"grpc.server\",\"faults\":[{{\"status\":503}}],\"ttl\":\"1m\"}}'"
    );
    println!(
        "  printf '\\0\\0\\0\\0\\5\\n\\3Ada' | curl -sSi --http2-prior-knowledge --data-binary @- --output - \
         -H 'content-type: application/grpc' http://{address}/greeter.v1.Greeter/SayHello"
    );

    greeter.run(stop::asked()).await;
    Ok(())
}
