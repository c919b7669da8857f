//! Runs the experiments of `examples/experiments`; see [`chaos_examples::checks::gameday`]. It needs Prometheus, the Chaos
//! Toolkit in `target/toolkit`, and the programs `shop` and `chaosctl` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chaos_examples::{
    MainError,
    checks::gameday::{self, Places},
};
use clap::Parser;

/// The folder of what is built.
const TARGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");

/// Runs experiments against the shop and a Prometheus
///
/// Exits with 1 if one does not show what it should.
#[derive(Debug, Parser)]
struct Args {
    /// Where journals and reports are written
    #[arg(long, value_name = "FOLDER")]
    reports: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let args = Args::parse();
    let target = Path::new(TARGET);
    let programs = std::env::current_exe()?;
    let places = Places {
        programs: programs.with_file_name(""),
        reports: args.reports.unwrap_or_else(|| target.join("gameday")),
        toolkit: target.join("toolkit/bin/chaos"),
    };
    let violations = gameday::run(&places, |line| println!("{line}")).await?;
    for violation in &violations {
        println!("gameday: violation: {violation}");
    }
    Ok(match violations.is_empty() {
        true => {
            println!("gameday: ok");
            ExitCode::SUCCESS
        }
        false => ExitCode::FAILURE,
    })
}
