//! Checks the admin API against its own OpenAPI document with independent tools: a validator checks the
//! document, a generator makes a client from it that arms and disarms a rule, and Schemathesis generates valid
//! and invalid requests.
//!
//! `tests/api` has the configuration of Schemathesis, its additional checks, and the use of the client.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    process::Command,
    time::{sleep, timeout},
};

use crate::{Error, admin_client::AdminClient, running::RunningShop};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/client.py");
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/hooks.py");

/// The time within which a well-behaved client must get its response, whatever other requests are
/// sent.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a shop, checks its admin API, and returns a description of each problem; the list is empty if
/// there is none. Each operation gets `max_examples` generated requests at most; `seed` makes them
/// reproducible.
///
/// # Errors
/// Returns an error if the check cannot be run: a program is missing, or the shop doesn't start.
pub async fn run(
    shop: &Path,
    python: &Path,
    max_examples: u32,
    seed: u32,
) -> Result<Vec<String>, Error> {
    let python = std::path::absolute(python)?;
    let shop = RunningShop::start(shop).await?;
    let document = shop.admin.ask(Method::GET, "/openapi.json", None).await?;
    let mut wrong = Vec::new();
    if !is_valid(&python, &document.to_string()).await? {
        wrong.push("the document is not a valid OpenAPI 3.1 document".to_owned());
    }
    if !arms_by_generated_client(&python, &document.to_string(), &shop.admin.url("")).await? {
        wrong.push("a generated client cannot arm a rule and disarm it".to_owned());
    }
    let asking = ask(&python, &shop.admin, max_examples, seed);
    let watching = watch(&shop.admin);
    tokio::select! {
        asked = asking => if !asked? {
            wrong.push("the port does not conform to its document".to_owned());
        },
        silence = watching => wrong.push(silence),
    }
    // Whatever the requests armed or halted can be undone, and leaves no effect.
    let nothing = json!({ "rules": [] });
    let reason = json!({ "reason": "the check is over" });
    shop.admin
        .ask(Method::PUT, "/v1/rules", Some(&nothing))
        .await?;
    shop.admin
        .ask(Method::POST, "/v1/resume", Some(&reason))
        .await?;
    if !shop.get("/products").await?.is_plain_200() {
        wrong.push("the shop does not serve normally after all rules were deleted".to_owned());
    }
    Ok(wrong)
}

async fn is_valid(python: &Path, document: &str) -> Result<bool, Error> {
    let mut validator = Command::new(python);
    validator.args(["-m", "openapi_spec_validator", "--schema", "3.1", "-"]);
    let mut validator = validator.stdin(Stdio::piped()).spawn()?;
    let mut input = validator.stdin.take().ok_or("the input is piped")?;
    input.write_all(document.as_bytes()).await?;
    drop(input);
    Ok(validator.wait().await?.success())
}

/// Makes a client of the document, without a warning of the generator, and has it change a rule.
async fn arms_by_generated_client(
    python: &Path,
    document: &str,
    address: &str,
) -> Result<bool, Error> {
    let folder = beside_this_program()?.join("generated-client");
    std::fs::create_dir_all(&folder)?;
    let read = folder.join("openapi.json");
    std::fs::write(&read, document)?;
    let programs = python.parent().ok_or("a Python is in a folder")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
    let mut generator = Command::new(python);
    generator
        .args([
            "-m",
            "openapi_python_client",
            "generate",
            "--overwrite",
            "--fail-on-warning",
            "--meta",
            "none",
        ])
        .arg("--path")
        .arg(&read)
        .arg("--output-path")
        .arg(folder.join("port"))
        // It formats what it makes, by a program beside it.
        .env("PATH", std::env::join_paths(path)?);
    if !generator.status().await?.success() {
        return Ok(false);
    }
    let mut client = Command::new(python);
    client.arg(CLIENT).arg(&folder).arg(address);
    client
        .env("NO_PROXY", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(client.status().await?.success())
}

/// The folder of what was built, where the tools may leave files.
fn beside_this_program() -> Result<PathBuf, Error> {
    let program = std::env::current_exe()?;
    Ok(program
        .parent()
        .ok_or("a program is in a folder")?
        .to_owned())
}

async fn ask(
    python: &Path,
    admin: &AdminClient,
    max_examples: u32,
    seed: u32,
) -> Result<bool, Error> {
    let mut generator = Command::new(python);
    generator
        .args(["-m", "schemathesis.cli", "--config-file", CONFIG, "run"])
        .arg(admin.url("/openapi.json"))
        .args(["--max-examples", &max_examples.to_string()])
        .args(["--seed", &seed.to_string()])
        // Schemathesis writes its cache there.
        .current_dir(beside_this_program()?)
        .env("SCHEMATHESIS_HOOKS", HOOKS)
        .env("NO_PROXY", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    Ok(generator.status().await?.success())
}

/// Polls the port as a well-behaved client. Returns a description of the first failure.
async fn watch(admin: &AdminClient) -> String {
    loop {
        let status = admin.ask(Method::GET, "/v1/status", None);
        match timeout(TIMEOUT, status).await {
            Ok(Ok(_)) => sleep(Duration::from_millis(200)).await,
            Ok(Err(error)) => return format!("the port failed a well-behaved client: {error}"),
            Err(_) => {
                return format!("the port did not answer a well-behaved client within {TIMEOUT:?}");
            }
        }
    }
}
