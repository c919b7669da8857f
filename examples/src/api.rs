//! The admin port against its own OpenAPI document, by tools that are not ours: a validator reads the
//! document, and a generator of requests sends what it allows and what it forbids.
//!
//! What the generator is told besides, and what it checks, stands in `tests/api`.

use std::{path::Path, process::Stdio, time::Duration};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    process::Command,
    time::{sleep, timeout},
};

use crate::{Error, admin_client::AdminClient, running::RunningShop};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");
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
        .current_dir(
            std::env::current_exe()?
                .parent()
                .ok_or("a program is in a folder")?,
        )
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
