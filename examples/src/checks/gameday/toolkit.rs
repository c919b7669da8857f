//! The export of an experiment, run by the Chaos Toolkit.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};

use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;

use crate::{Error, checks::gameday::told, running::RunningShop};

/// Validates and runs the export of an experiment, and returns what was not as it should be.
pub(super) async fn check(
    chaos: &Path,
    programs: &Path,
    file: &Path,
    shop: &RunningShop,
    folder: &Path,
) -> Result<Vec<String>, Error> {
    let mut violations = Vec::new();
    let export = Command::new(programs.join("chaosctl"))
        .args(["experiment", "export", "--chaostoolkit"])
        .arg(file)
        .output()
        .await?;
    let mut experiment: Value = serde_json::from_slice(&export.stdout)
        .map_err(|error| format!("the export is no JSON ({error}): {}", told(&export)))?;
    shorten(&mut experiment);
    let path = folder.join("toolkit.json");
    fs::write(&path, experiment.to_string())?;
    let valid = toolkit(chaos, folder, &["validate", "toolkit.json"]).await?;
    if !valid.status.success() {
        violations.push(format!("chaos validate: {}", told(&valid)));
    }
    let run = toolkit(
        chaos,
        folder,
        &[
            "run",
            "--journal-path",
            "toolkit.journal.json",
            "toolkit.json",
        ],
    )
    .await?;
    let journal = journal(folder)?;
    if journal["status"] != "completed" || journal["deviated"] != false {
        violations.push(format!("chaos run: {}: {}", journal["status"], told(&run)));
    }
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    if status["rules"] != 0 {
        violations.push("chaos run leaves rules".to_owned());
    }
    // A port that refuses the rules.
    shop.admin.halt().await?;
    let refused = toolkit(
        chaos,
        folder,
        &[
            "run",
            "--journal-path",
            "toolkit.journal.json",
            "toolkit.json",
        ],
    )
    .await?;
    let refused_journal = self::journal(folder)?;
    if refused_journal["deviated"] != true {
        violations.push(format!(
            "chaos run of what injects nothing does not deviate: {}",
            told(&refused)
        ));
    }
    shop.admin.resume().await?;
    Ok(violations)
}

/// Cuts the pauses of an export: that it injects is what is looked at.
fn shorten(experiment: &mut Value) {
    let steps = experiment["method"].as_array_mut().into_iter().flatten();
    for step in steps {
        if let Some(after) = step["pauses"]["after"].as_f64() {
            step["pauses"]["after"] = after.min(8.0).into();
        }
    }
}

async fn toolkit(chaos: &Path, folder: &Path, arguments: &[&str]) -> Result<Output, Error> {
    let output = Command::new(chaos)
        .args(["--no-version-check", "--log-file", "toolkit.log"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await;
    output.map_err(|error| format!("{}: {error}", chaos.display()).into())
}

fn journal(folder: &Path) -> Result<Value, Error> {
    Ok(serde_json::from_str(&fs::read_to_string(
        folder.join("toolkit.journal.json"),
    )?)?)
}
