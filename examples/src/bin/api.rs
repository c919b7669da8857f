//! Proves that the admin port is what its OpenAPI document says: see [`chaos_examples::api`]. Needs a
//! Python with Schemathesis and a validator, and the program `shop` built beside it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says how it went")]

use std::{env::consts::EXE_SUFFIX, path::PathBuf, process::ExitCode};

use chaos_examples::{Error, api};
use clap::Parser;

/// The admin port, asked by strangers who have read its document. Exits with 1 if it is not so.
#[derive(Debug, Parser)]
struct Args {
    /// A Python that has what examples/tests/api/requirements.txt lists
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Requests that each route is sent by the fuzzer
    #[arg(long, default_value_t = 25)]
    max_examples: u32,
    /// What the requests are made from
    #[arg(long, default_value_t = 5)]
    seed: u32,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let args = Args::parse();
    let shop = std::env::current_exe()?.with_file_name(format!("shop{EXE_SUFFIX}"));
    if !shop.exists() {
        return Err("build all in one profile first: cargo build --bins".into());
    }
    let wrong = api::run(&shop, &args.python, args.max_examples, args.seed).await?;
    for line in &wrong {
        println!("WRONG  {line}");
    }
    if !wrong.is_empty() {
        println!("api: FAILED");
        return Ok(ExitCode::FAILURE);
    }
    println!("api: ok: the port is what its document says");
    Ok(ExitCode::SUCCESS)
}
