//! What ends a run at a fleet.

use std::error::Error;

use chaos_fleet::{Answers, DocumentEnd, Ended};

use crate::{
    commands::run::cut::Cut,
    failure::{Exit, Failure},
};

/// Returns what the end of a document means for the run of an experiment.
pub(super) fn cut(fleet: &str, end: &DocumentEnd) -> Cut {
    Cut::Stopped(match end {
        DocumentEnd::Stopped(stops) => {
            let broken = stops.iter();
            let broken = broken.map(|(replica, stop)| format!("{replica}: {}", stop.reason));
            let broken: Vec<_> = broken.collect();
            format!("a guard rail has broken: {}", broken.join("; "))
        }
        DocumentEnd::Halted(halt) => {
            let reason = halt.reason.as_deref().unwrap_or("no reason given");
            format!("the fleet was halted by {}: {reason}", halt.by)
        }
        DocumentEnd::Removed => "somebody else has taken the document away".to_owned(),
        DocumentEnd::Replaced => "somebody else has replaced the document".to_owned(),
        DocumentEnd::Ended(ended) => return lost(fleet, ended),
        other => format!("the document is over: {other:?}"),
    })
}

/// Returns what it means that the fleet is no longer held.
pub(super) fn lost(fleet: &str, ended: &Ended) -> Cut {
    let mut why = ended.to_string();
    let mut next = ended.source();
    while let Some(cause) = next {
        why += &format!(": {cause}");
        next = cause.source();
    }
    let failure = Failure::new(Exit::NoAnswer, format!("it is no longer held: {why}"));
    Cut::Lost(fleet.to_owned(), failure)
}

/// Returns the failure where there is no controller.
pub(super) fn no_longer_held() -> Failure {
    Failure::new(Exit::Changed, "it is no longer held")
}

/// Returns those that have not applied a document that is meant for them, and why.
pub(super) fn not_applied(answers: &Answers) -> Vec<(String, Failure)> {
    let refused = answers.refused.iter();
    let refused = refused.map(|(id, refusal)| (id, Failure::of_refusal(refusal)));
    let stopped = answers.stopped.iter();
    let stopped = stopped.map(|(id, why)| (id, Failure::new(Exit::Stopped, why.as_str())));
    let silent = answers.silent.iter();
    let silent = silent.map(|id| (id, Failure::new(Exit::NoAnswer, "it has not answered")));
    let all = refused.chain(stopped).chain(silent);
    all.map(|(id, failure)| (id.to_string(), failure)).collect()
}
