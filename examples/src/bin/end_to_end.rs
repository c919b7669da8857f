//! Measures what the layer adds to a whole request; see [`chaos_examples::checks::end_to_end`]. It needs `wrk` and
//! `h2load`, and the programs `shop` and `greeter` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{fs, path::PathBuf, process::ExitCode};

use chaos_examples::{MainError, checks::end_to_end};
use clap::Parser;

/// Measures what the layer adds to the processor time of a request
#[derive(Debug, Parser)]
struct Args {
    /// Rounds of each program: one of a round's three loads takes about a second
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Exit with 1 if the layer adds more than this share of a request
    #[arg(long, value_name = "SHARE")]
    at_most: Option<f64>,
    /// Write the figures to this file, as a list with a line for each
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let args = Args::parse();
    let programs = std::env::current_exe()?.with_file_name("");
    let figures = end_to_end::run(&programs, args.rounds).await?;
    let mut code = ExitCode::SUCCESS;
    let mut lines = Vec::new();
    for figures in &figures {
        let end_to_end::Figures {
            program,
            load,
            form,
            without,
            added,
            low,
            high,
            ..
        } = figures;
        println!(
            "{program}, {load}, {form}: {added:+.2} µs of processor time on {without:.2} µs a request \
             ({:+.1} %; quartiles {low:+.2} and {high:+.2})",
            figures.share() * 100.0
        );
        if args.at_most.is_some_and(|most| figures.share() > most) {
            println!("{program}, {form}: FAILED: the layer adds too much");
            code = ExitCode::FAILURE;
        }
        lines.push(serde_json::to_string(figures)?);
    }
    if let Some(path) = args.write {
        fs::write(path, format!("[\n{}\n]\n", lines.join(",\n")))?;
    }
    Ok(code)
}
