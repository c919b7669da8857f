//! The end of a run: what was seen, the verdict, and who is told.

use chaos_gameday::{
    AuditNote, Experiment, Journal, Moment, Seen, Signal, TargetFate, TargetOutcome, verdict,
};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    client::{answer::text, webhooks::Webhooks},
    commands::run::{
        Run,
        cut::Cut,
        hits::Hits,
        phases::{Armed, Ended},
        record::{now, sentences},
        report::Reports,
    },
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

impl Run<'_> {
    /// Judges what was seen, and completes the journal.
    pub(super) async fn finish(&self, ended: Ended) -> (Exit, Journal) {
        let hits = self.counts.borrow().hits_by_rule();
        let mut seen = Seen {
            probes: self.record.seen.borrow().clone(),
            estimated_hits: ended.estimate.map(|it| it.hits),
            hits,
            not_reverted: sentences(&ended.not_reverted),
            ..Seen::default()
        };
        match &ended.cut {
            Some(Cut::Signal(code)) => {
                seen.interrupted = Some(match code {
                    130 => Signal::Interrupt,
                    129 => Signal::Hangup,
                    _ => Signal::Terminate,
                });
            }
            Some(Cut::Stopped(why)) => seen.stopped = Some(why.clone()),
            Some(Cut::NotApplied(refused, _)) => seen.not_applied = sentences(refused),
            Some(cut @ Cut::Lost(..)) => seen.not_applied = vec![cut.why()],
            Some(Cut::NotSteady(_) | Cut::TooFew(_)) | None => {}
        }
        let audit = self.target.audit(&self.start.audit()).await;
        let audit: Vec<_> = audit.iter().filter_map(note).collect();
        let targets = self.targets(&ended);
        let comparisons = self.counts.borrow().comparisons(self.experiment);
        let estimate = ended.estimate;
        let (verdict, reasons) = verdict(self.experiment, &seen);
        let hits = seen.all_hits();
        self.record.note(|journal| {
            let details = &mut journal.details;
            details.hits = hits;
            details.estimate = estimate;
            details.audit = audit;
            details.targets = targets;
            details.comparisons = comparisons;
            journal.finish(verdict, reasons, now());
        });
        self.record.save();
        (Exit::Other(verdict.exit_code()), self.record.journal())
    }

    /// Returns what became of the rules at each target.
    fn targets(&self, ended: &Ended) -> Vec<TargetOutcome> {
        let counts = self.counts.borrow();
        let names = self.target.names();
        let meant = (0..names.len()).filter(|nth| self.target.was_meant(*nth));
        let targets = meant.filter_map(|nth| {
            let (fate, problem) = self.fate(ended, &names, nth)?;
            Some(TargetOutcome {
                target: names[nth].clone(),
                fate,
                problem,
                hits: counts.hits.get(nth).map_or(0, Hits::sum),
            })
        });
        targets.collect()
    }

    /// Returns what became of the rules at the nth, and what was wrong; `None` if nothing did.
    fn fate(&self, ended: &Ended, names: &[String], nth: usize) -> Option<(TargetFate, String)> {
        let name = &names[nth];
        let of = |known: &[(String, Failure)]| {
            let mut known = known.iter();
            known.find(|it| it.0 == *name).map(|it| it.1.clone())
        };
        let mut fate = (self.armed.get() != Armed::Nothing).then_some(TargetFate::Applied);
        if let Some(Cut::NotApplied(refused, at_others)) = &ended.cut {
            if let Some(failure) = of(refused) {
                return Some((not_applied(&failure), failure.to_string()));
            }
            if self.armed.get() < Armed::Rules {
                fate = Some(*at_others);
            }
        }
        if let Some(failure) = of(&ended.not_reverted) {
            return Some((TargetFate::CutOff, failure.to_string()));
        }
        match &ended.cut {
            // With a fleet, all of it is lost.
            Some(Cut::Lost(lost, failure)) if lost == name || !names.contains(lost) => {
                let fate = match self.armed.get() {
                    Armed::Nothing => TargetFate::Silent,
                    Armed::Shadows | Armed::Rules => TargetFate::CutOff,
                    Armed::Over => TargetFate::Applied,
                };
                Some((fate, failure.to_string()))
            }
            _ => Some((fate?, self.target.unknown_hits(nth).unwrap_or_default())),
        }
    }
}

/// Returns what became of rules that a target has not applied.
fn not_applied(failure: &Failure) -> TargetFate {
    match failure.exit {
        Exit::NoAnswer => TargetFate::Silent,
        Exit::Stopped => TargetFate::CutOff,
        _ => TargetFate::Refused,
    }
}

/// Returns what the journal keeps of an entry of an audit.
fn note(entry: &Value) -> Option<AuditNote> {
    let at: Timestamp = text(entry, "at").parse().ok()?;
    let changes = entry["changes"].as_array().into_iter().flatten();
    let changed = changes.filter_map(|change| change["rule"].as_str());
    let words = std::iter::once(text(entry, "action")).chain(changed);
    let words = words.chain(entry["what"].as_str());
    let action = words.collect::<Vec<_>>().join(" ");
    Some(AuditNote {
        at: Moment(at.into()),
        target: text(entry, "endpoint").to_owned(),
        actor: text(entry, "actor").to_owned(),
        action,
        reason: text(entry, "reason").to_owned(),
    })
}

/// Writes the reports, and tells the operator and the webhooks.
pub(super) async fn tell(
    out: &Output,
    (exit, journal): (Exit, Journal),
    reports: &Reports,
    webhooks: &[Url],
    mut hooks: Webhooks,
) -> Report {
    let message = message(&journal);
    for url in webhooks {
        let host = url.host_str().unwrap_or_default().to_owned();
        hooks.tell(url.to_string(), &host, &message);
    }
    out.text(message["text"].as_str().unwrap_or_default());
    let (written, failures) = reports.write(&journal);
    for path in &written {
        out.text(format_args!("report {path}"));
    }
    for failure in &failures {
        out.failure(None, failure);
    }
    // What the experiment has shown is in the journal, and counts for more.
    let exit = match exit.code() {
        0 if !failures.is_empty() => Exit::NotEverywhere,
        _ => exit,
    };
    let mut event = message;
    event["event"] = "end".into();
    event["exit_code"] = exit.code().into();
    event["reports"] = json!(written);
    out.json(&event);
    for failure in hooks.end().await {
        out.note(failure);
    }
    Report::printed(exit)
}

/// Returns what webhooks are told: `text` is what Slack shows.
fn message(journal: &Journal) -> Value {
    let details = &journal.details;
    let experiment: &Experiment = &journal.experiment;
    let verdict = details
        .verdict
        .map_or_else(String::new, |it| it.to_string());
    let mut text = format!("{}: {verdict}", experiment.title);
    for reason in &details.reasons {
        text += &format!("\n  {reason}");
    }
    for follow_up in &experiment.follow_ups {
        let owner = follow_up.owner.as_deref();
        let owner = owner.map_or_else(String::new, |owner| format!(" ({owner})"));
        text += &format!("\n  to do: {}{owner}", follow_up.text);
    }
    json!({
        "text": text,
        "experiment": experiment.title,
        "verdict": verdict,
        "reasons": details.reasons,
        "hits": details.hits,
        "follow_ups": experiment.follow_ups,
    })
}
