//! Runs the commands of the README and of the book; see [`chaos_examples::checks::commands`]. It needs bash and curl, and the
//! programs `shop`, `greeter` and `chaosctl` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::process::ExitCode;

use chaos_examples::{MainError, checks::commands};

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let program = std::env::current_exe()?;
    let programs = program.parent().ok_or("a program is in a folder")?;
    let report = commands::run(programs).await?;
    for wrong in &report.wrong {
        println!("FAILED {wrong}");
    }
    // With none, their blocks were not found.
    if !report.wrong.is_empty() || report.commands < 30 {
        println!("commands: FAILED: {} were run", report.commands);
        return Ok(ExitCode::FAILURE);
    }
    println!("commands: ok: {} do what their pages say", report.commands);
    Ok(ExitCode::SUCCESS)
}
