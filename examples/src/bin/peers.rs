//! Proves that clients which are not ours see what each fault is meant to show them: see
//! [`chaos_examples::peers`]. Needs `curl`, a Python with grpcio, and the programs `shop` and
//! `greeter` built beside it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says how it went")]

use std::{env::consts::EXE_SUFFIX, path::PathBuf, process::ExitCode};

use chaos_examples::{
    Error,
    peers::{self, Programs},
};
use clap::Parser;

/// Every fault, seen by curl and by grpcio. Exits with 1 if one of them sees something else.
#[derive(Debug, Parser)]
struct Args {
    /// A Python that has what examples/tests/grpcio/requirements.txt lists
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Only the rows whose line has this in it
    #[arg(long, default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let args = Args::parse();
    let beside = |name: &str| {
        let program = std::env::current_exe()?.with_file_name(format!("{name}{EXE_SUFFIX}"));
        match program.exists() {
            true => Ok(program),
            false => Err(Error::from(
                "build all in one profile first: cargo build --bins",
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
                println!("WRONG  {line}\n       {seen}");
            }
        }
    })
    .await?;
    if wrong > 0 || rows == 0 {
        println!("peers: FAILED: {wrong} of {rows} rows are wrong");
        return Ok(ExitCode::FAILURE);
    }
    println!("peers: ok: {rows} rows, each as it should be");
    Ok(ExitCode::SUCCESS)
}
