//! The admin port against its own OpenAPI document, by tools that are not ours: a validator reads the
//! document, a generator makes a client of it, which arms a rule and disarms it, and a fuzzer sends
//! requests that the document allows and requests that it forbids.
//!
//! What the fuzzer is told besides, and what is checked, stands in `tests/api`.

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

/// However many requests are sent, a good client gets its answer within this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a shop, asks its port, and returns what is wrong; nothing, if all is well.
///
/// # Errors
/// If it could not be tried: a program is missing, or the shop does not start.
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
        wrong.push("the document is no OpenAPI document".to_owned());
    }
    if !arms_by_generated_client(&python, &document.to_string(), &shop.admin.url("")).await? {
        wrong.push("a generated client cannot arm a rule and disarm it".to_owned());
    }
    let asking = ask(&python, &shop.admin, max_examples, seed);
    let watching = watch(&shop.admin);
    tokio::select! {
        asked = asking => if !asked? {
            wrong.push("the port does not do what its document says".to_owned());
        },
        silence = watching => wrong.push(silence),
    }
    // Whatever was armed meanwhile can be undone, and then nothing of it is left.
    let nothing = json!({ "rules": [] });
    let reason = json!({ "reason": "the end" });
    shop.admin
        .ask(Method::PUT, "/v1/rules", Some(&nothing))
        .await?;
    shop.admin
        .ask(Method::POST, "/v1/resume", Some(&reason))
        .await?;
    if !shop.get("/products").await?.is_plain_200() {
        wrong.push("the shop is not as it was".to_owned());
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
        // Where it may leave what it remembers.
        .current_dir(beside_this_program()?)
        .env("SCHEMATHESIS_HOOKS", HOOKS)
        .env("NO_PROXY", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    Ok(generator.status().await?.success())
}

/// Goes on for as long as the port answers.
async fn watch(admin: &AdminClient) -> String {
    loop {
        let status = admin.ask(Method::GET, "/v1/status", None);
        match timeout(PATIENCE, status).await {
            Ok(Ok(_)) => sleep(Duration::from_millis(200)).await,
            Ok(Err(error)) => return format!("the port fails a good client: {error}"),
            Err(_) => return format!("the port keeps a good client waiting for {PATIENCE:?}"),
        }
    }
}
