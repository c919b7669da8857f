//! Checks what each fault looks like to independent clients; see [`chaos_examples::checks::peers`]. It needs
//! `curl`, a Python with grpcio, and the programs `shop` and `greeter` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{env::consts::EXE_SUFFIX, path::PathBuf, process::ExitCode};

use chaos_examples::{
    Error, MainError,
    checks::peers::{self, Programs},
};
use clap::Parser;

/// Checks what curl and grpcio observe of each fault
///
/// Exits with 1 if one of them observes anything unexpected.
#[derive(Debug, Parser)]
struct Args {
    /// Python interpreter with the packages of examples/tests/grpcio/requirements.txt
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Check only the rows whose description contains this text
    #[arg(long, default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let args = Args::parse();
    let beside = |name: &str| {
        let program = std::env::current_exe()?.with_file_name(format!("{name}{EXE_SUFFIX}"));
        match program.exists() {
            true => Ok(program),
            false => Err(Error::from(
                "build all programs first, in the same profile: cargo build --bins",
            )),
        }
    };
    let programs = Programs {
        shop: beside("shop")?,
        greeter: beside("greeter")?,
        python: args.python,
    };
    let (mut rows, mut wrong) = (0, 0);
    peers::run(&programs, &args.only, |line, verdict| {
        rows += 1;
        match verdict {
            Ok(()) => println!("ok     {line}"),
            Err(seen) => {
                wrong += 1;
                println!("FAILED {line}\n       {seen}");
            }
        }
    })
    .await?;
    if wrong > 0 || rows == 0 {
        println!("peers: FAILED: {wrong} of {rows} rows failed");
        return Ok(ExitCode::FAILURE);
    }
    println!("peers: ok: {rows} rows passed");
    Ok(ExitCode::SUCCESS)
}
