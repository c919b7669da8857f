//! `-w`: a command that looks again each second.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

const PACE: Duration = Duration::from_secs(1);

/// Looks once, or again and again until standard output is closed or a look fails. With `--json`, each look is
/// one document in one line.
pub(super) async fn again(
    is_repeated: bool,
    out: &Output,
    look: impl AsyncFn() -> Result<Report, Failure>,
) -> Result<Report, Failure> {
    if !is_repeated {
        return look().await;
    }
    loop {
        let report = look().await?;
        if let Some(documents) = report.documents {
            out.json(&Value::from(documents));
        }
        if out.is_closed() || report.exit != Exit::Done {
            return Ok(Report::printed(report.exit));
        }
        out.text("");
        sleep(PACE).await;
    }
}
