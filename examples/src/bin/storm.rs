//! Checks that no response is lost or wrong while rules change under load; see
//! [`chaos_examples::checks::storm`]. It needs `wrk`, and the program `shop` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{process::ExitCode, time::Duration};

use chaos_examples::{MainError, checks::storm};
use clap::Parser;

/// Puts load on the shop while its rules change
///
/// Exits with 1 if a response is lost or wrong.
#[derive(Debug, Parser)]
struct Args {
    /// Duration of the test in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Rule changes per second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
}

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
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
    let passed = outcome.violations.is_empty();
    println!(
        "storm: {}: {}",
        if passed { "ok" } else { "FAILED" },
        outcome.summary
    );
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
