//! Checks the admin API against its OpenAPI document; see [`chaos_examples::checks::api`]. It needs a Python
//! with Schemathesis and a validator, and the program `shop` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{env::consts::EXE_SUFFIX, path::PathBuf, process::ExitCode};

use chaos_examples::{MainError, checks::api};
use clap::Parser;

/// Checks the admin API against its OpenAPI document with independent tools
///
/// Exits with 1 if the API does not conform to the document.
#[derive(Debug, Parser)]
struct Args {
    /// Python interpreter with the packages of examples/tests/api/requirements.txt
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Maximum number of generated requests per operation
    #[arg(long, default_value_t = 25)]
    max_examples: u32,
    /// Seed of the request generator
    #[arg(long, default_value_t = 5)]
    seed: u32,
}

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let args = Args::parse();
    let shop = std::env::current_exe()?.with_file_name(format!("shop{EXE_SUFFIX}"));
    if !shop.exists() {
        return Err(
            "no program `shop` beside this one; build all programs first: cargo build --bins"
                .into(),
        );
    }
    let wrong = api::run(&shop, &args.python, args.max_examples, args.seed).await?;
    for line in &wrong {
        println!("FAILED {line}");
    }
    if !wrong.is_empty() {
        println!("api: FAILED");
        return Ok(ExitCode::FAILURE);
    }
    println!("api: ok: the port conforms to its document");
    Ok(ExitCode::SUCCESS)
}
