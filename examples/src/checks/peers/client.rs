//! Runs the clients and returns what each observed as JSON.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Error, running::RunningShop};

const GRPCIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpcio/client.py");

/// Separates the body from curl's report on the transfer. curl writes `%{json}` even for a failed
/// transfer.
const MARK: &str = "\n-- seen by curl --\n";

/// Requests one or more paths of the shop with curl, one after another. `picture` is the body of the
/// product picture without a fault.
///
/// The result has these fields on the last response: `exit` (curl's exit code), `error` (its error
/// message), `status` (0 if there was no response), `headers`, `body` (as text), `bytes` (the body's
/// length), `unlike` (the number of bytes that differ from `picture`), `first_byte` (seconds until the
/// head arrived) and `seconds` (in total). `connections` is the number of connections of all requests.
///
/// # Errors
/// Returns an error if curl cannot be run or its report cannot be read.
pub(super) async fn curl(
    version: &str,
    shop: &RunningShop,
    words: &[&str],
    picture: &[u8],
) -> Result<Value, Error> {
    let report = format!("{MARK}{{\"head\":%{{header_json}},\"call\":%{{json}}}}{MARK}");
    let words = words.iter().map(|word| match word.strip_prefix('/') {
        Some(_) => shop.url(word),
        None => (*word).to_owned(),
    });
    // `-q` must be the first option; it disables .curlrc.
    let options = [
        "-q",
        "-sS",
        "--no-buffer",
        "--noproxy",
        "*",
        "--max-time",
        "30",
        "-w",
    ];
    let mut command = Command::new("curl");
    command.args(options).arg(report).arg(version).args(words);
    let output = output(&mut command).await?;

    let parts = split(&output.stdout, MARK.as_bytes());
    // Bodies and reports alternate, and the part after the last report is empty.
    let reports = parts.iter().skip(1).step_by(2);
    let reports: Result<Vec<Value>, _> = reports
        .map(|report| serde_json::from_slice(report))
        .collect();
    let reports =
        reports.map_err(|error| format!("cannot read curl's report: {error}: {output:?}"))?;
    let (Some(last), Some(body)) = (reports.last(), parts.iter().rev().nth(2)) else {
        return Err(format!("curl printed no report: {output:?}").into());
    };
    let connections = reports
        .iter()
        .filter_map(|report| report["call"]["num_connects"].as_u64());
    let call = &last["call"];
    Ok(json!({
        "exit": output.status.code(),
        "error": call["errormsg"],
        "status": call["http_code"],
        "headers": joined(&last["head"]),
        "body": String::from_utf8_lossy(body),
        "bytes": body.len(),
        "unlike": body.iter().zip(picture).filter(|(a, b)| a != b).count(),
        "first_byte": call["time_starttransfer"],
        "seconds": call["time_total"],
        "connections": connections.sum::<u64>(),
    }))
}

/// Calls the greeter with grpcio. The result is the JSON object that `tests/grpcio/client.py`
/// documents. In `words`, options come before the method.
///
/// # Errors
/// Returns an error if the client cannot be run or fails.
pub(super) async fn grpcio(python: &Path, address: &str, words: &[&str]) -> Result<Value, Error> {
    let mut command = Command::new(python);
    command.args([GRPCIO, address]).args(words);
    let output = output(&mut command).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let install = "pip install -r examples/tests/grpcio/requirements.txt";
        return Err(format!("client.py: {}: {said} (it needs {install})", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn output(command: &mut Command) -> Result<Output, Error> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await;
    let program = command.as_std().get_program();
    output.map_err(|error| format!("{}: {error}", program.display()).into())
}

/// Joins the values of each header, for which curl has a list.
fn joined(headers: &Value) -> Value {
    let joined = |values: &Value| {
        let values = values.as_array().into_iter().flatten();
        let values: Vec<_> = values.filter_map(Value::as_str).collect();
        values.join(", ")
    };
    let headers = headers.as_object().into_iter().flatten();
    headers
        .map(|(name, values)| (name.clone(), joined(values)))
        .collect()
}

fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        parts.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    parts.push(rest);
    parts
}
