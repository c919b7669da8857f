//! The experiments of `examples/experiments`, run by `chaosctl` against the shop and a Prometheus that scrapes it.
//!
//! One holds, one deviates and one is stopped. Their exit codes are checked, and that the shop is left as it was; their
//! reports stay in a folder, for a browser to look at. An export is run by the Chaos Toolkit.

mod prometheus;
mod toolkit;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use chaos_core::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{process::Command, time::sleep};

use self::prometheus::Prometheus;
use crate::{Error, running::RunningShop};

/// What the experiments show, by file.
const EXPERIMENTS: [(&str, i32); 3] = [("lost-reads", 0), ("slow-payment", 11), ("too-much", 13)];

/// The folder of the experiments.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments");

/// Programs and folders of a run.
#[derive(Debug)]
pub struct Places {
    /// Where the programs `shop` and `chaosctl` are.
    pub programs: PathBuf,
    /// Where journals and reports are written.
    pub reports: PathBuf,
    /// The program `chaos` of the Chaos Toolkit.
    pub toolkit: PathBuf,
}

/// Runs all experiments, tells what each has shown, and returns what was not as it should be.
///
/// # Errors
/// Returns an error if a program is missing, or cannot be started.
pub async fn run(places: &Places, tell: impl Fn(&str)) -> Result<Vec<String>, Error> {
    let Places {
        programs,
        reports,
        toolkit,
    } = places;
    fs::create_dir_all(reports)?;
    let shop = RunningShop::start_with(programs.join("shop"), &[]).await?;
    let prometheus = Prometheus::start(&host(shop.admin.url("")), reports).await?;
    let mut violations = Vec::new();
    for (name, code) in EXPERIMENTS {
        let file = at_these_ports(name, &shop, &prometheus, reports)?;
        let clock = Clock::monotonic();
        let output = chaosctl(programs, &file, reports, name).await?;
        if output.status.code() != Some(code) {
            violations.push(format!(
                "{name} exits with {:?}, not {code}: {}",
                output.status.code(),
                told(&output)
            ));
        }
        violations.extend(not_left_as_it_was(name, &shop).await?);
        violations.extend(unlike_its_metrics(name, reports, &prometheus).await?);
        tell(&format!("{name}: {code} after {:.0?}", clock.now()));
    }
    let file = at_these_ports("lost-reads", &shop, &prometheus, reports)?;
    violations.extend(toolkit::check(toolkit, programs, &file, &shop, reports).await?);
    Ok(violations)
}

/// Writes an experiment with the ports of these programs in the place of its own.
fn at_these_ports(
    name: &str,
    shop: &RunningShop,
    prometheus: &Prometheus,
    reports: &Path,
) -> Result<PathBuf, Error> {
    let text = fs::read_to_string(Path::new(FOLDER).join(name).with_extension("yaml"))?;
    let text = text
        .replace("127.0.0.1:3000", &host(shop.url("")))
        .replace("127.0.0.1:9900", &host(shop.admin.url("")))
        .replace("127.0.0.1:9090", prometheus.address());
    let file = reports.join(name).with_extension("yaml");
    fs::write(&file, text)?;
    Ok(file)
}

async fn chaosctl(
    programs: &Path,
    file: &Path,
    reports: &Path,
    name: &str,
) -> Result<Output, Error> {
    let report = |extension| reports.join(name).with_extension(extension);
    let mut command = Command::new(programs.join("chaosctl"));
    command.arg("run").arg(file);
    command.arg("--report").arg(report("html"));
    command.arg("--report").arg(report("md"));
    command
        .arg("--seed")
        .arg("7")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command.output().await?)
}

/// Returns an address without its scheme.
fn host(url: String) -> String {
    url.trim_start_matches("http://").to_owned()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Returns what of a run has stayed in the shop.
async fn not_left_as_it_was(name: &str, shop: &RunningShop) -> Result<Option<String>, Error> {
    let ask = |method, path| shop.admin.ask(method, path, None);
    let status = ask(Method::GET, "/v1/status").await?;
    let is_idle = status["state"] == "idle" && status["active"] == 0 && status["rules"] == 0;
    // What a guard rail has stopped is locked until somebody has seen its breach.
    let reason = json!({ "reason": "seen" });
    let seen = shop
        .admin
        .ask(Method::POST, "/v1/acknowledge", Some(&reason));
    seen.await?;
    Ok((!is_idle).then(|| format!("{name} leaves the shop {status}")))
}

/// Returns how a journal differs from what the shop has counted for Prometheus.
async fn unlike_its_metrics(
    name: &str,
    reports: &Path,
    prometheus: &Prometheus,
) -> Result<Option<String>, Error> {
    let journal = fs::read_to_string(reports.join(name).with_extension("journal.json"))?;
    let journal: Value = serde_json::from_str(&journal)?;
    let hits = journal["x-chaos"]["hits"].as_f64().unwrap_or_default();
    // The next scrape has all.
    sleep(Duration::from_secs(2)).await;
    let query = format!("sum(chaos_injections_total{{rule=\"{name}\"}})");
    let counted = prometheus.number(&query).await?;
    Ok((counted != Some(hits))
        .then(|| format!("{name}: the journal has {hits} hits, and Prometheus has {counted:?}")))
}
