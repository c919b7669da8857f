//! Runs the load generator `wrk` with a script that checks every response.

use std::{path::Path, time::Duration};

use serde::Deserialize;

use crate::{Error, program::Program};

/// The number of connections of each `wrk` process.
pub(super) const CONNECTIONS: u64 = 16;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checks/storm/wrk.lua");

/// The checked responses.
#[derive(Debug, Deserialize)]
pub(super) struct Judged {
    /// The number of responses that `wrk` itself counted.
    pub(super) requests: u64,
    /// 200 without the header `x-chaos-fault`.
    pub(super) right: u64,
    /// 503 injected by the rule `toggled`.
    pub(super) toggled: u64,
    /// 503 injected by the rule `replaced`.
    pub(super) replaced: u64,
    /// Any other response.
    pub(super) wrong: u64,
    /// Failed connects, writes and reads, and requests without a response within ten seconds.
    pub(super) lost: u64,
    /// One of the wrong responses.
    example: String,
}

/// Requests `url` repeatedly for `time`. `expect` is the script's argument: `plain` or `broken`.
pub(super) async fn load(url: &str, expect: &str, time: Duration) -> Result<Judged, Error> {
    let time = time.as_secs().to_string();
    let connections = CONNECTIONS.to_string();
    let args = [
        "-t1",
        "-c",
        &connections,
        "-d",
        &time,
        "--timeout",
        "10",
        "-s",
        SCRIPT,
        url,
        "--",
        expect,
    ];
    let mut wrk = Program::start(Path::new("wrk"), &args).map_err(|error| {
        format!("{error}; the load test needs the load generator wrk (Debian: apt-get install wrk)")
    })?;
    let judged = wrk.line("judged ").await?;
    wrk.ended().await?;
    Ok(serde_json::from_str(&judged)?)
}

impl Judged {
    /// Returns a description of each violation.
    pub(super) fn violations(&self, path: &str) -> Vec<String> {
        let judged = self.right + self.toggled + self.replaced + self.wrong;
        let mut violations = Vec::new();
        if self.wrong > 0 {
            violations.push(format!(
                "{path}: {} wrong responses (such as {})",
                self.wrong, self.example
            ));
        }
        if self.lost > 0 {
            violations.push(format!("{path}: {} lost requests", self.lost));
        }
        if judged != self.requests || self.right == 0 {
            violations.push(format!(
                "{path}: {judged} of {} responses checked, {} right",
                self.requests, self.right
            ));
        }
        violations
    }
}
