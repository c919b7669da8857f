//! Proves that rules can change under load: see [`chaos_examples::storm`]. Needs `wrk`, and the
//! program `shop` built beside it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says how it went")]

use std::{process::ExitCode, time::Duration};

use chaos_examples::{Error, storm};
use clap::Parser;

/// A load on the shop while its rules change. Exits with 1 if an answer is lost or wrong.
#[derive(Debug, Parser)]
struct Args {
    /// How long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Changes a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let args = Args::parse();
    let shop =
        std::env::current_exe()?.with_file_name(format!("shop{}", std::env::consts::EXE_SUFFIX));
    if !shop.exists() {
        return Err("build the shop first, in the same profile: cargo build --bin shop".into());
    }
    let outcome = storm::run(&shop, args.rate, Duration::from_secs(args.seconds)).await?;
    for violation in &outcome.violations {
        println!("storm: violation: {violation}");
    }
    let calm = outcome.violations.is_empty();
    println!(
        "storm: {}: {}",
        if calm { "ok" } else { "FAILED" },
        outcome.summary
    );
    Ok(if calm {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
