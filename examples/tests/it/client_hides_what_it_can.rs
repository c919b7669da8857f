//! `client` shows what retries and timeouts make of a fault, and can be broken while it goes on.

use std::{path::Path, process::Command};

use chaos_examples::{Error, program::Program};
use serde_json::json;

#[test]
fn it_hides_what_retries_can_and_tells_the_rest() -> Result<(), Error> {
    let output = Command::new(env!("CARGO_BIN_EXE_client")).output()?;
    assert!(output.status.success());
    let expected = "\
no fault: 42 EUR
slow, 3 tries hit: no price: request timed out
flaky, 2 tries hit: 42 EUR
refused, 3 tries hit: no price: connection refused (injected at http.client by rule refused)
broken, 3 tries hit: no price: connection reset (injected at http.client by rule broken)
";
    assert_eq!(String::from_utf8(output.stdout)?, expected);
    Ok(())
}

#[tokio::test]
async fn it_goes_on_and_can_be_broken() -> Result<(), Error> {
    let binary = Path::new(env!("CARGO_BIN_EXE_client"));
    let mut program = Program::start(binary, &["--admin", "127.0.0.1:0"])?;
    let admin = program.line("admin ").await?;
    assert_eq!(program.line("now:").await?, "42 EUR");

    let rule = format!("{admin}/v1/rules/down");
    let down = json!({ "site": "http.client", "faults": [ { "error": "no network" } ] });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let put = client.put(&rule).json(&down).send().await?;
    assert_eq!(put.status(), 201);
    let broken = "no price: no network (injected at http.client by rule down)";
    while program.line("now:").await? != broken {}

    assert_eq!(client.delete(&rule).send().await?.status(), 204);
    while program.line("now:").await? != "42 EUR" {}
    program.terminate().await?;
    assert!(program.ended().await?.success());
    Ok(())
}
