//! Measures how cost grows; see `benches::growth`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: this is its output"
)]

use std::process::ExitCode;

use benches::growth::{self, Effort};

fn main() -> ExitCode {
    if chaos_core::COMPILED_OUT {
        println!("The sites are compiled out, so nothing grows.");
        return ExitCode::SUCCESS;
    }
    let has = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    if has("--check") {
        // Times of a machine have no bounds.
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` only checks that it runs.
    let effort = match has("--bench") {
        true => Effort::WHOLE,
        false => Effort::LEAST,
    };
    let points = growth::points(effort, |picture| eprintln!("{picture}"));
    for point in &points {
        println!(
            "{}, {}, {}: {} ({} to {})",
            point.picture, point.series, point.x, point.y, point.low, point.high
        );
    }
    if has("--write")
        && let Err(error) = growth::write(&points)
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
