//! `fleet apply`: puts a document, waits until replicas have applied it, and holds the fleet until it is over.

use chaos_fleet::{Answers, Document, LeashKind, Placed};
use serde_json::{Value, json};

use crate::{
    args::fleet::FleetApplyArgs,
    commands::{
        fleet::{document, failed, hold, report},
        signals::Signals,
    },
    config::etcd::Target,
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

pub(super) async fn run(
    target: &Target,
    out: &Output,
    args: &FleetApplyArgs,
) -> Result<Report, Failure> {
    let document = document(&args.file)?;
    let trust = target.trust()?;
    target.confirm(out, &format!("apply {}", document.name()))?;
    // From here on a signal is waited for: one that comes while the document is put takes it back, too.
    let mut signals = Signals::new()?;
    let status = target.operator().status().await.map_err(failed)?;
    if let Some(halt) = status.halt {
        let failure = Failure::new(Exit::Changed, format!("the fleet is halted by {}", halt.by));
        return Err(failure.at("fleet", "one that is not halted: chaosctl fleet resume"));
    }
    match document.leash() {
        LeashKind::Controller => hold::run(target, out, args, &document, trust, signals).await,
        LeashKind::Never => tokio::select! {
            biased;
            code = signals.next() => {
                target.operator().remove(document.name()).await.map_err(failed)?;
                out.text("taken back");
                Ok(report(target, Exit::Other(code), json!({ "document": document.name() })))
            }
            done = put(target, out, args, &document) => done,
        },
    }
}

/// Puts a document that needs no controller.
async fn put(
    target: &Target,
    out: &Output,
    args: &FleetApplyArgs,
    document: &Document,
) -> Result<Report, Failure> {
    let operator = target.operator();
    let placed = operator.put(document, &target.by, args.reason.as_deref());
    let placed = placed.await.map_err(failed)?;
    tell_put(out, &placed);
    let waited = operator.wait(document.name(), placed.revision, *args.wait);
    let answers = waited.await.map_err(failed)?;
    tell(out, &answers);
    let mut fields = fields(&placed, Some(&answers));
    if answers.all_applied() {
        return Ok(report(target, Exit::Done, fields));
    }
    if args.partial {
        return Ok(report(target, Exit::NotEverywhere, fields));
    }
    operator.remove(document.name()).await.map_err(failed)?;
    let failure = not_all(&answers);
    out.failure(None, &failure);
    out.text("taken back");
    fields["error"] = failure.to_json();
    Ok(report(target, failure.exit, fields))
}

/// Returns the failure of a document that some replicas have not applied.
pub(super) fn not_all(answers: &Answers) -> Failure {
    let lacking = answers.refused.len() + answers.stopped.len() + answers.silent.len();
    let who = match lacking {
        1 => "1 replica has".to_owned(),
        many => format!("{many} replicas have"),
    };
    let detail = format!("{who} not applied it in time; --partial goes on without");
    Failure::new(Exit::Refused, detail)
}

/// Says for whom a document is meant.
pub(super) fn tell_put(out: &Output, placed: &Placed) {
    let Placed { name, revision, .. } = placed;
    match placed.meant.len() {
        0 => out.note(format_args!(
            "put {name} in revision {revision}; warning: no replica is there for which it is meant"
        )),
        1 => out.note(format_args!(
            "put {name} in revision {revision}, meant for 1 replica"
        )),
        many => out.note(format_args!(
            "put {name} in revision {revision}, meant for {many} replicas"
        )),
    }
}

/// Says who has applied a document, and names each replica that has not.
pub(super) fn tell(out: &Output, answers: &Answers) {
    let applied = answers.applied.len() + answers.over.len();
    let all = applied + answers.refused.len() + answers.stopped.len() + answers.silent.len();
    let others = answers.not_meant.len() + answers.unheard.len();
    out.text(format_args!(
        "applied by {applied} of {all}; not meant for {others}"
    ));
    let mut warned: Vec<&String> = answers.applied.values().flatten().collect();
    warned.sort_unstable();
    warned.dedup();
    for warning in warned {
        out.note(format_args!("warning: {warning}"));
    }
    for (replica, refusal) in &answers.refused {
        let failure = Failure::of_refusal(refusal);
        out.failure(Some(replica.as_str()), &failure);
    }
    for (replica, reason) in &answers.stopped {
        let failure = Failure::new(Exit::Stopped, format!("has stopped it: {reason}"));
        out.failure(Some(replica.as_str()), &failure);
    }
    let silent = Failure::new(Exit::NoAnswer, "has not answered");
    for replica in &answers.silent {
        out.failure(Some(replica.as_str()), &silent);
    }
    if !answers.unheard.is_empty() {
        let many = answers.unheard.len();
        out.note(format_args!(
            "{many} for which it is not meant have not answered"
        ));
    }
}

/// Returns what `--json` prints of an application.
pub(super) fn fields(placed: &Placed, answers: Option<&Answers>) -> Value {
    json!({
        "document": placed.name,
        "revision": placed.revision,
        "meant": placed.meant,
        "answers": answers,
    })
}
