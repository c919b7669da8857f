//! What is checked after some of the attacks.

use std::time::Duration;

use chaos_core::Clock;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;
use tokio::time::sleep;

use crate::{Error, checks::attacks::measured::Struck};

type Checked<'s> = BoxFuture<'s, Result<Vec<String>, Error>>;

/// The most that refused requests may write into the audit file during an attack: three hundred lines of
/// one token, each with a path of 8 KB, and those of the halts.
const MOST_WRITTEN: u64 = 4 << 20;
/// The most that may be read while nothing of the rules changes.
const MOST_READ: u64 = 2 << 20;
/// The most that a call takes under rules of a policy with a `max_delay` of 100 ms.
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// The most that the expressions of all rules take on one call; it is some 30 ms where nothing else runs.
const LONGEST_MATCH: Duration = Duration::from_millis(500);

/// The audit file has an entry for each accepted edit, in order, and none is missing between two. Only edits were
/// asked for.
pub(super) fn is_complete<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    async {
        let (edits, mut wrong) = written(struck).await?;
        let accepted = struck.report.accepted();
        if edits < accepted {
            wrong.push(format!(
                "{accepted} edits were accepted, and {edits} are in the file"
            ));
        }
        let answers = struck.report.answers.keys();
        let other = answers.filter(|status| ![200, 201, 408, 429, 503].contains(*status));
        wrong.extend(other.map(|status| format!("an edit was answered by {status}")));
        wrong.truncate(3);
        Ok(wrong)
    }
    .boxed()
}

/// No entry is missing between two in the audit file.
pub(super) fn has_no_gap<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    async { Ok(written(struck).await?.1) }.boxed()
}

/// Reads the audit file once it is written. Returns the number of edits of the attacker, and what is missing.
async fn written(struck: &Struck<'_>) -> Result<(u64, Vec<String>), Error> {
    let file = struck.victim.folder.path().join("audit.jsonl");
    // The last entries are written a moment after their edits.
    let text = loop {
        let before = std::fs::metadata(&file)?.len();
        sleep(Duration::from_millis(500)).await;
        if std::fs::metadata(&file)?.len() == before {
            break std::fs::read_to_string(&file)?;
        }
    };
    let (mut edits, mut missing, mut last) = (0, Vec::new(), 0);
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let is_edit = ["put", "edit", "replace"]
            .iter()
            .any(|edit| entry["action"] == *edit);
        edits += u64::from(entry["actor"] == "ann" && is_edit);
        let id = entry["id"].as_u64().ok_or("an entry without a number")?;
        if id != last + 1 {
            missing.push(format!("entry {id} follows entry {last} in the audit file"));
        }
        last = id;
    }
    missing.truncate(3);
    Ok((edits, missing))
}

/// The audit file has few bytes.
pub(super) fn is_small<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    async {
        let file = struck.victim.folder.path().join("audit.jsonl");
        let length = std::fs::metadata(file)?.len();
        let refused = struck.report.answers.get(&403).copied().unwrap_or(0);
        let is_wrong = length > MOST_WRITTEN;
        let wrong = is_wrong.then(|| format!("{refused} refusals wrote {length} bytes"));
        Ok(Vec::from_iter(wrong))
    }
    .boxed()
}

/// The rules file was not read again and again.
pub(super) fn rules_are_not_read<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    let read = struck.bytes_read;
    let wrong = (read > MOST_READ).then(|| format!("{read} bytes were read"));
    async { Ok(Vec::from_iter(wrong)) }.boxed()
}

/// The expressions of all rules hold a call for a fraction of a second.
pub(super) fn matching_is_bounded<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    async {
        let clock = Clock::monotonic();
        let url = format!("{}/{}", struck.victim.service, "a".repeat(2000));
        struck.victim.client.get(url).send().await?;
        let took = clock.now();
        let is_wrong = took > LONGEST_MATCH;
        let wrong = is_wrong.then(|| format!("a call took {took:?} to be matched"));
        Ok(Vec::from_iter(wrong))
    }
    .boxed()
}

/// Thirty rules delay a call no longer than one may.
pub(super) fn delays_are_bounded<'s>(struck: &'s Struck<'s>) -> Checked<'s> {
    async {
        let clock = Clock::monotonic();
        let url = format!("{}/hit", struck.victim.service);
        let response = struck.victim.client.get(url).send().await?;
        let (took, mark) = (
            clock.now(),
            response.headers().contains_key("x-chaos-fault"),
        );
        let is_wrong = took > LONGEST_DELAY || took < LONGEST_DELAY / 10;
        let wrong = is_wrong.then(|| format!("a delayed call took {took:?}, marked: {mark}"));
        Ok(Vec::from_iter(wrong))
    }
    .boxed()
}
