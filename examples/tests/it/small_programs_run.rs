//! `hello` and `plain_fn` do what they are there to show.

use std::{path::Path, process::Command};

use chaos_examples::{Error, program::Program};
use serde_json::json;

#[tokio::test]
async fn hello_can_be_broken_and_mended() -> Result<(), Error> {
    let free_ports = ["127.0.0.1:0", "127.0.0.1:0"];
    let mut program = Program::start(Path::new(env!("CARGO_BIN_EXE_hello")), &free_ports)?;
    let (hello, admin) = (program.line("hello ").await?, program.line("admin ").await?);
    let client = reqwest::Client::builder().no_proxy().build()?;
    assert_eq!(client.get(&hello).send().await?.text().await?, "hello\n");

    let rule = format!("{admin}/v1/rules/down");
    let down = json!({ "site": "http.server", "faults": [ { "status": 503 } ] });
    let put = client.put(&rule).json(&down).send().await?;
    assert_eq!(put.status(), 201);
    let answer = client.get(&hello).send().await?;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["x-chaos-fault"], "down");

    assert_eq!(client.delete(&rule).send().await?.status(), 204);
    assert_eq!(client.get(&hello).send().await?.status(), 200);
    Ok(())
}

#[test]
fn plain_fn_shows_off_on_and_off() -> Result<(), Error> {
    let output = Command::new(env!("CARGO_BIN_EXE_plain_fn")).output()?;
    assert!(output.status.success());
    let expected = "\
off: read 42 orders
off: fetched a fresh price at once
on: read failed, NotFound: the disk is gone (injected at disk.read by rule broken-disk)
on: fetched a fresh price late
halted: read 42 orders
halted: fetched a fresh price at once
off again: read 42 orders
off again: fetched a fresh price at once
";
    assert_eq!(String::from_utf8(output.stdout)?, expected);
    Ok(())
}
