//! Measures what edits cost, and how they affect concurrent calls; see `benches::edits`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: this is its output"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    if chaos_core::COMPILED_OUT {
        println!("The sites are compiled out, so there are no rules to measure.");
        return ExitCode::SUCCESS;
    }
    let has = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    let is_check = has("--check");
    if !is_check {
        // `cargo test --benches` only checks that it runs.
        let rounds = if has("--bench") { 15 } else { 1 };
        println!("{}\n", benches::edits::report(rounds));
        if rounds == 1 {
            return ExitCode::SUCCESS;
        }
    }
    let (table, missed) = benches::edits::checked();
    println!("{table}");
    if !is_check || missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for row in missed {
        eprintln!("missed: {row}");
    }
    ExitCode::FAILURE
}
