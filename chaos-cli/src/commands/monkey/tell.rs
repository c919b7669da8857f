//! Says what becomes of picks: a line each on standard output, and a message to each webhook.

use chaos_fleet::{
    Answers, Made, Name, PickEnd,
    picker::{Choice, Pick},
};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    client::webhooks::Webhooks,
    commands::fleet::ending::ApplyEnding,
    failure::{Exit, Failure},
    output::Output,
};

/// Whom picks are told to.
pub(super) struct Teller<'o> {
    pub(super) out: &'o Output,
    pub(super) fleet: Name,
    pub(super) by: String,
    pub(super) webhooks: Webhooks,
}

/// What the replica of a pick has made of its rules.
#[derive(Debug)]
pub(super) enum Arming {
    /// There is none.
    Nobody,
    Applied,
    /// They are not in force there, or that is not known.
    Not(Failure),
}

impl Arming {
    /// Sorts the answers to a document that is meant for one replica.
    pub(super) fn of(answers: &Answers) -> Self {
        if let Some(refusal) = answers.refused.values().next() {
            return Self::Not(Failure::of_refusal(refusal));
        }
        if let Some(reason) = answers.stopped.values().next() {
            return Self::Not(Failure::new(
                Exit::Stopped,
                format!("has stopped it: {reason}"),
            ));
        }
        match answers.applied.is_empty() && answers.over.is_empty() {
            true => Self::Not(Failure::new(Exit::NoAnswer, "has not answered")),
            false => Self::Applied,
        }
    }
}

impl Teller<'_> {
    /// Tells a pick that was made.
    pub(super) fn made(&mut self, pick: &Pick, made: &Made, arming: &Arming) {
        let line = line(made, arming);
        self.out
            .text(format_args!("{}  {}  {line}", seconds(made.at), made.pick));
        let mut message = json!({
            "event": "pick",
            "text": format!("{} picks {}: {line}", self.by, made.pick),
            "fleet": self.fleet,
            "by": self.by,
            "pick": made.pick,
            "ordinal": made.ordinal,
            "at": made.at,
            "choice": made.choice,
            "faults": pick.faults(),
            "leashed": pick.is_leashed(),
            "ttl": humantime::format_duration(pick.ttl()).to_string(),
        });
        match arming {
            Arming::Nobody => {}
            Arming::Applied => message["applied"] = true.into(),
            Arming::Not(failure) => {
                message["applied"] = false.into();
                message["error"] = failure.to_json();
            }
        }
        self.out.json(&message);
        for url in pick.webhooks() {
            self.webhooks
                .tell(url.to_string(), url.host().unwrap_or_default(), &message);
        }
    }

    /// Tells that the rules of a pick are over, and returns the exit code for it.
    pub(super) fn over(&self, over: PickEnd, now: Timestamp) -> Exit {
        let PickEnd {
            pick, ordinal, end, ..
        } = over;
        let ending = end.map_or(ApplyEnding::Over, ApplyEnding::Fleet);
        let (told, reason) = (ending.told(), ending.reason());
        let because = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        self.out
            .text(format_args!("{}  {pick}  {told}{because}", seconds(now)));
        self.out.json(&json!({
            "event": "end",
            "fleet": self.fleet,
            "pick": pick,
            "ordinal": ordinal,
            "at": now,
            "ended": told,
            "ended_because": reason,
        }));
        ending.exit()
    }

    /// Notes what webhooks were not told.
    pub(super) fn note_failures(&mut self) {
        for failure in self.webhooks.failures() {
            self.out.note(failure);
        }
    }

    /// Waits for the webhooks, for a while.
    pub(super) async fn end(&mut self) {
        for failure in self.webhooks.end().await {
            self.out.note(failure);
        }
    }
}

fn line(made: &Made, arming: &Arming) -> String {
    match (&made.choice, arming) {
        (Choice::Replica { id, group }, arming) => {
            let group: Vec<_> = group.values().map(String::as_str).collect();
            let group = group.join("/");
            match arming {
                Arming::Nobody | Arming::Applied => format!("{id} of {group}: applied"),
                Arming::Not(failure) => format!("{id} of {group}: not applied: {failure}"),
            }
        }
        (Choice::Spared, _) => "spared".to_owned(),
        (Choice::Nobody { meant }, _) => format!("nobody: of {meant}, none has opted in"),
        (Choice::Withheld { reason }, _) => format!("withheld: {reason}"),
        (other, _) => format!("{other:?}"),
    }
}

/// Writes a time without the part below a second.
fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}
