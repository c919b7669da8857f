//! The load: `wrk`, with a script that judges every answer.

use std::{path::Path, time::Duration};

use serde::Deserialize;

use crate::{Error, program::Program};

/// Connections of each `wrk`.
pub(super) const CONNECTIONS: u64 = 16;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storm/wrk.lua");

/// What came back, judged.
#[derive(Debug, Deserialize)]
pub(super) struct Judged {
    /// Answers, as `wrk` itself counts them.
    pub(super) requests: u64,
    /// 200 without the header.
    pub(super) right: u64,
    /// 503 by the rule `toggled`.
    pub(super) toggled: u64,
    /// 503 by the rule `replaced`.
    pub(super) replaced: u64,
    /// Anything else.
    pub(super) wrong: u64,
    /// Not connected, not written, not read, or not answered in ten seconds.
    pub(super) lost: u64,
    /// One of the wrong ones.
    example: String,
}

/// Asks for `url` for so long. `expect` is `plain` or `broken`, as the script says.
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
        format!("{error}; the storm needs the load generator wrk (Debian: apt-get install wrk)")
    })?;
    let judged = wrk.line("judged ").await?;
    wrk.ended().await?;
    Ok(serde_json::from_str(&judged)?)
}

impl Judged {
    /// What should not have been, if anything.
    pub(super) fn violations(&self, path: &str) -> Vec<String> {
        let judged = self.right + self.toggled + self.replaced + self.wrong;
        let mut violations = Vec::new();
        if self.wrong > 0 {
            violations.push(format!("{path}: {} wrong ({})", self.wrong, self.example));
        }
        if self.lost > 0 {
            violations.push(format!("{path}: {} lost", self.lost));
        }
        if judged != self.requests || self.right == 0 {
            let requests = self.requests;
            violations.push(format!("{path}: {judged} answers judged of {requests}"));
        }
        violations
    }
}
