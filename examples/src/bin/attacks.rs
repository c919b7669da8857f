//! Attacks a service and its admin port, and measures both meanwhile; see [`chaos_examples::checks::attacks`]. It
//! needs the program `victim` built in the same profile, and runs on Linux.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the results")]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use chaos_examples::{
    Error,
    checks::attacks::{Harness, Target, Times, strike, table},
};
use clap::Parser;

/// Attacks a service and its admin port, and measures both meanwhile
///
/// Exits with 1 if an attack succeeds.
#[derive(Debug, Parser)]
struct Args {
    /// Make only the attacks and checks whose names contain this
    only: Option<String>,
    /// Take fifteen seconds for each attack instead of three; also by the variable ATTACKS_LONG
    #[arg(long)]
    long: bool,
    /// Make one attack, as the process that the harness starts
    #[arg(long, hide = true, requires_all = ["service", "port", "folder", "milliseconds"])]
    strike: Option<String>,
    #[arg(long, hide = true)]
    service: Option<SocketAddr>,
    #[arg(long, hide = true)]
    port: Option<SocketAddr>,
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
    #[arg(long, hide = true)]
    milliseconds: Option<u64>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode, Error> {
    let args = Args::parse();
    if let Args {
        strike: Some(name),
        service: Some(service),
        port: Some(port),
        folder: Some(folder),
        milliseconds: Some(milliseconds),
        ..
    } = args
    {
        let target = Target {
            service,
            port,
            folder,
        };
        let time = Duration::from_millis(milliseconds);
        let report = strike(&name, &target, time, || println!("begun")).await?;
        println!("report {report}");
        return Ok(ExitCode::SUCCESS);
    }

    let victim = format!("victim{}", std::env::consts::EXE_SUFFIX);
    let victim = std::env::current_exe()?.with_file_name(victim);
    if !victim.exists() {
        let problem = "build the victim first, in the same profile: cargo build --bin victim";
        return Err(problem.into());
    }
    let is_long = args.long || std::env::var_os("ATTACKS_LONG").is_some();
    let times = if is_long { Times::LONG } else { Times::SHORT };
    let harness = Harness::new(&victim, times).await?;
    let is_asked = |name: &&str| args.only.as_ref().is_none_or(|only| name.contains(only));
    let (mut results, mut violations, mut checks) = (Vec::new(), Vec::new(), 0);
    for name in harness.attacks().into_iter().filter(is_asked) {
        let result = harness.attack(name).await;
        let result = result.map_err(|error| format!("{name}: {error:?}"))?;
        violations.extend(result.violations());
        results.push(result);
    }
    println!("{}", table(&results));
    for name in harness.steps().into_iter().filter(is_asked) {
        let wrong = harness.step(name).await;
        let wrong = wrong.unwrap_or_else(|error| vec![format!("{error:?}")]);
        println!(
            "{}  {name}",
            if wrong.is_empty() { "ok    " } else { "FAILED" }
        );
        violations.extend(wrong.iter().map(|what| format!("{name}: {what}")));
        checks += 1;
    }
    for violation in &violations {
        println!("attacks: violation: {violation}");
    }
    if !violations.is_empty() || results.len() + checks == 0 {
        println!("attacks: FAILED");
        return Ok(ExitCode::FAILURE);
    }
    println!("attacks: ok: {} attacks and {checks} checks", results.len());
    Ok(ExitCode::SUCCESS)
}
