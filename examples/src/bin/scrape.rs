//! Checks `/metrics` with Prometheus' `promtool`, on a shop under traffic and faults. It needs
//! `promtool`, and the program `shop` built in the same profile.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints the result")]

use std::{
    env::consts::EXE_SUFFIX,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use chaos_core::Clock;
use chaos_examples::{Error, MainError, running::RunningShop};
use clap::Parser;
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command, time::sleep};

/// Checks the shop's metrics with `promtool check metrics`
///
/// Exits with 1 if promtool reports anything.
#[derive(Debug, Parser)]
struct Args {
    /// Path of promtool
    #[arg(long, default_value = "promtool")]
    promtool: PathBuf,
}

/// The time limit for the rules to be injected often enough; the shop's traffic needs far less.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<ExitCode, MainError> {
    let args = Args::parse();
    let shop = std::env::current_exe()?.with_file_name(format!("shop{EXE_SUFFIX}"));
    if !shop.exists() {
        return Err("build the shop first, in the same profile: cargo build --bin shop".into());
    }
    // The shop's own traffic is on; this program adds to it below.
    let shop = RunningShop::start_with(&shop, &[]).await?;
    let mut wrong = check(&args.promtool, "of an idle shop", &shop).await?;
    for (id, rule) in [
        (
            "slow",
            json!({ "site": "db.*", "rate": 0.5, "faults": [{ "latency": "1ms..20ms" }] }),
        ),
        (
            "down",
            json!({ "site": "http.server", "rate": 0.2, "faults": [{ "latency": "1ms" }, { "status": 503 }] }),
        ),
        (
            "few",
            json!({ "site": "http.server", "limit": 3, "faults": [{ "headers": { "set": { "x-few": "1" } } }] }),
        ),
        (
            "unpaid",
            json!({ "site": "http.client", "mode": "shadow", "faults": [{ "error": { "kind": "timed_out" } }] }),
        ),
        (
            "nowhere",
            json!({ "site": "not.here", "enabled": false, "faults": [{ "hang": "1s" }] }),
        ),
        (
            "any.of:these-2",
            json!({ "site": "**", "rate": 0.1, "faults": [{ "one_of": [{ "fault": { "latency": "2ms" } }, { "fault": { "error": "one" } }] }] }),
        ),
    ] {
        shop.admin.put_rule(id, &rule).await?;
    }
    let clock = Clock::monotonic();
    while shop.admin.injections("few").await? < 3 || shop.admin.injections("slow").await? < 10 {
        if clock.now() > TIMEOUT {
            return Err(
                format!("the rules `few` and `slow` were not injected within {TIMEOUT:?}").into(),
            );
        }
        // The responses don't matter.
        let _ = (shop.get("/products").await, shop.checkout(1).await);
        sleep(Duration::from_millis(1)).await;
    }
    wrong += check(&args.promtool, "of a shop with faults", &shop).await?;
    shop.admin.halt().await?;
    wrong += check(&args.promtool, "of a halted shop", &shop).await?;
    if wrong > 0 {
        println!("scrape: FAILED");
        return Ok(ExitCode::FAILURE);
    }
    println!("scrape: ok: promtool reports no problem");
    Ok(ExitCode::SUCCESS)
}

/// Checks the current metrics of the shop. Returns 1 if promtool reports anything, and 0 otherwise.
async fn check(promtool: &Path, which: &str, shop: &RunningShop) -> Result<u32, Error> {
    let metrics = shop.admin.metrics().await?;
    let tool = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.map_err(|error| format!("{}: {error}", promtool.display()))?;
    let mut input = tool.stdin.take().ok_or("the input is piped")?;
    input.write_all(metrics.as_bytes()).await?;
    drop(input);
    let said = tool.wait_with_output().await?;
    let words = [said.stdout, said.stderr].concat();
    let is_fine = said.status.success() && words.is_empty();
    let (series, verdict) = (
        metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        if is_fine { "ok    " } else { "FAILED" },
    );
    println!("{verdict}  {series} series {which}");
    if !is_fine {
        println!("{}", String::from_utf8_lossy(&words));
    }
    Ok(u32::from(!is_fine))
}
