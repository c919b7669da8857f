//! Edits wait for the audit file, so that none is in force that is not in the file.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{sync::OwnedMutexGuard, time::sleep};

use crate::{followers::Followers, problem::Problem};

/// How many entries may be yet to be written when one rule is edited. The audit keeps many more, also if each has
/// two rules of a megabyte.
const MOST_BEHIND: u64 = 30;
/// How long an edit waits.
const LONGEST: Duration = Duration::from_secs(2);

/// The right to make an edit. No other edit of the port is made while it is held.
#[derive(Debug)]
#[must_use]
pub(crate) struct EditPermit {
    _permit: OwnedMutexGuard<()>,
}

/// What an edit changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Extent {
    One,
    /// The audit keeps few entries of this kind, so all others have to be written before.
    All,
}

/// Waits until no other edit of the port is under way, and until the file has room for its entry.
///
/// # Errors
/// Returns the 503 if the file cannot be written, or is too slow.
///
/// # Cancel safety
/// This function is cancel safe: dropping the future gives up the permit.
pub(crate) async fn acquire_edit(
    followers: &Followers,
    extent: Extent,
) -> Result<EditPermit, Problem> {
    let permit = Arc::clone(&followers.edits).lock_owned().await;
    let Some(file) = &followers.file else {
        return Ok(EditPermit { _permit: permit });
    };
    let most = match extent {
        Extent::One => MOST_BEHIND,
        Extent::All => 0,
    };
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        let behind = file.backlog().map_err(|error| refuse(&error))?;
        if behind <= most {
            return Ok(EditPermit { _permit: permit });
        }
        if waited >= LONGEST {
            return Err(refuse("it takes too long"));
        }
        sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn refuse(why: &str) -> Problem {
    let detail = format!("the edit cannot be written into the audit file: {why}");
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    problem.at(
        "audit",
        "halts, deletions and `\"enabled\": false` until the file can be written",
    )
}
