//! `undo`: takes back an entry of the audit.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    args::change::UndoArgs,
    client::{Client, answer::text, request::Request},
    failure::{Exit, Failure},
    fleet::{Fleet, Report, exit_of},
    output::Output,
};

/// The changes of rules. All but an extension can be taken back.
const CHANGES: [&str; 6] = ["put", "edit", "remove", "replace", "extend", "undo"];

/// Takes back the entry, or the last change of who asks, at each endpoint.
pub(super) async fn run(fleet: &Fleet, out: &Output, args: &UndoArgs) -> Result<Report, Failure> {
    if args.entry.is_some() && fleet.clients.len() > 1 {
        let failure = Failure::usage("each service has entries of its own");
        return Err(failure.at("ENTRY", "one endpoint, or no entry"));
    }
    let entries = fleet
        .ask(async |client: &Client| match args.entry {
            Some(entry) => Ok(json!({ "id": entry })),
            None => last_change(client).await,
        })
        .await;
    if exit_of(&entries) != Exit::Done {
        return Ok(fleet.report(out, entries, |name, entry| {
            format!("{name}  would take back entry {}", entry["id"])
        }));
    }
    let what: Vec<_> = entries.iter().flatten().map(what).collect();
    let question = format!("take back {}", what.join(", "));
    match fleet.production.is_some() || args.entry.is_some() || fleet.yes {
        true => fleet.confirm(out, &question)?,
        // Where nobody has a name, it may be the change of somebody else.
        false if out.can_ask() => out.confirm(&format!("{question}?"))?,
        false => out.note(&question),
    }
    let pairs = fleet.clients.iter().zip(entries.into_iter().flatten());
    let reason = args.reason.as_deref();
    let undone = join_all(pairs.map(|(client, entry)| undo(client, entry, reason))).await;
    Ok(fleet.report(out, undone, |_, done| {
        format!("took back {}", text(done, "what"))
    }))
}

async fn undo(client: &Client, entry: Value, reason: Option<&str>) -> Result<Value, Failure> {
    let request = Request::post(&["v1", "undo"], json!({ "entry": entry["id"] }));
    let answer = client.send(request.because(reason)).await?.with("id")?;
    Ok(json!({ "entry": entry["id"], "what": what(&entry), "answer": answer.body }))
}

/// Says what an entry was about: `entry 38: remove checkout-503`.
fn what(entry: &Value) -> String {
    let mut what = format!("entry {}", entry["id"]);
    if let Some(action) = entry["action"].as_str() {
        what += &format!(": {action}");
    }
    for change in entry["changes"].as_array().into_iter().flatten() {
        what += &format!(" {}", text(change, "rule"));
    }
    what
}

/// Returns the last change of who asks; where nobody has a name, the last change of anybody.
async fn last_change(client: &Client) -> Result<Value, Failure> {
    let you = client.get(&["v1", "whoami"]).await?.with("role")?.body;
    let audit = client.get(&["v1", "audit"]).await?.with("entries")?.body;
    let entries = audit["entries"].as_array().into_iter().flatten().rev();
    let mut mine = entries
        .filter(|entry| CHANGES.contains(&text(entry, "action")) && entry["actor"] == you["name"]);
    let refuse = |detail: &str| Failure::new(Exit::Refused, detail);
    match mine.next() {
        Some(last) if last["action"] == "extend" => {
            let detail = format!("{}: an extension cannot be taken back", what(last));
            Err(refuse(&detail).at("ENTRY", "another entry, of `chaosctl audit`"))
        }
        Some(last) => Ok(last.clone()),
        None => Err(refuse("the audit holds no change of yours to take back")),
    }
}
