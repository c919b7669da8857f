//! A small gRPC service to break: tonic, a method of each kind, and the port where faults are
//! armed.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says where it can be reached")]

use std::{net::SocketAddr, path::PathBuf};

use chaos_examples::{
    Error,
    greeter::{Greeter, Options},
    log, stop,
};
use clap::Parser;

/// A small gRPC service to break, live.
#[derive(Debug, Parser)]
struct Args {
    /// Where the greeter is served
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// Where faults are armed
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// A file of rules to start with and to follow; may stand several times
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    log::to_stderr()?;
    let greeter = Greeter::open(Options {
        listen: args.listen,
        admin: args.admin,
        rules: args.rules,
    })
    .await?;

    let (address, admin) = (greeter.address(), greeter.admin_address());
    println!("greeter http://{address}");
    println!("admin   http://{admin}");
    println!("make it unavailable for a minute, and call it:");
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
