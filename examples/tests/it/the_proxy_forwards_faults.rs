//! `proxy` forwards what the service behind answers, and makes of a fault at its client what it makes of a real
//! failure.

use std::{path::Path, time::Duration};

use axum::{Router, body::Bytes, routing::post};
use chaos_examples::{Error, program::Program};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_fault_at_the_client_is_a_bad_gateway() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let behind = listener.local_addr()?.to_string();
    let app = Router::new().route("/echo", post(async |body: Bytes| body));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let arguments = [&*behind, "127.0.0.1:0", "127.0.0.1:0"];
    let mut program = Program::start(Path::new(env!("CARGO_BIN_EXE_proxy")), &arguments)?;
    let (proxy, admin) = (program.line("proxy ").await?, program.line("admin ").await?);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let ask = || {
        client
            .post(format!("{proxy}/echo?a=b"))
            .body("hello")
            .send()
    };
    let rule = format!("{admin}/v1/rules/r");
    let arm = async |fault: Value| -> Result<(), Error> {
        let rule_json = json!({ "site": "http.client", "faults": [fault] });
        let put = client.put(&rule).json(&rule_json).send().await?;
        assert!(put.status().is_success(), "{}", put.text().await?);
        Ok(())
    };
    assert_eq!(ask().await?.text().await?, "hello");

    for fault in [
        json!({ "error": { "kind": "connection_refused" } }),
        json!({ "abort": "reset" }),
        json!({ "abort": "close", "after": "2B", "on": "request" }),
    ] {
        arm(fault).await?;
        assert_eq!(ask().await?.status(), 502);
    }
    arm(json!({ "status": { "code": 429, "body": "slow down" } })).await?;
    let answer = ask().await?;
    assert_eq!(
        (answer.status().as_u16(), &*answer.text().await?),
        (429, "slow down")
    );
    // The visitor sees a response that breaks off.
    arm(json!({ "body": { "truncate_after": "2B" } })).await?;
    assert!(ask().await?.bytes().await.is_err());

    // The visitor's own site.
    arm(json!({ "status": 503 })).await?;
    let down = json!({ "id": "front", "site": "http.server", "faults": [{ "status": 500 }] });
    client
        .put(format!("{admin}/v1/rules/front"))
        .json(&down)
        .send()
        .await?;
    assert_eq!(ask().await?.status(), 500);
    client
        .delete(format!("{admin}/v1/rules/front"))
        .send()
        .await?;

    arm(json!({ "hang": "1h" })).await?;
    let held = tokio::spawn(ask());
    let status = format!("{admin}/v1/status");
    while client.get(&status).send().await?.json::<Value>().await?["active"] != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let halt = json!({ "reason": "enough" });
    client
        .post(format!("{admin}/v1/halt"))
        .json(&halt)
        .send()
        .await?;
    assert_eq!(held.await??.text().await?, "hello");
    Ok(())
}
