//! What has become of edits at each endpoint, and what that comes to.

use serde_json::{Value, json};

use crate::{
    client::Client,
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
};

/// What has become of edits at one endpoint.
#[derive(Debug)]
pub(super) enum Fate {
    /// They were not made, and would be.
    WouldTake(Vec<Value>),
    /// They were not made, and would not be.
    Refused(Failure),
    /// They were made; the answers.
    Written(Vec<Value>),
    /// They were made, and then taken back.
    TakenBack,
    /// Some were made, and were not taken back.
    NotTakenBack(Vec<Value>, Failure),
    /// There was no answer: they may have been made.
    Unknown(Failure),
}

impl Fate {
    fn word(&self) -> &'static str {
        match self {
            Self::WouldTake(_) => "would_take",
            Self::Refused(_) => "refused",
            Self::Written(_) => "written",
            Self::TakenBack => "taken_back",
            Self::NotTakenBack(..) => "not_taken_back",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Returns whether nothing was changed, and another id may be taken: somebody else has made a rule with this one
    /// meanwhile, or a guard rail has stopped the rule that had it.
    pub(super) fn may_take_another_id(&self) -> bool {
        match self {
            Self::TakenBack | Self::WouldTake(_) => true,
            Self::Refused(failure) => match failure.status {
                Some(412) => true,
                Some(409) => failure.field.as_deref() == Some("enabled"),
                _ => false,
            },
            _ => false,
        }
    }

    fn answers(&self) -> &[Value] {
        match self {
            Self::WouldTake(answers) | Self::Written(answers) | Self::NotTakenBack(answers, _) => {
                answers
            }
            Self::Refused(_) | Self::TakenBack | Self::Unknown(_) => &[],
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) | Self::NotTakenBack(_, failure) | Self::Unknown(failure) => {
                Some(failure)
            }
            Self::WouldTake(_) | Self::Written(_) | Self::TakenBack => None,
        }
    }
}

/// Prints what has become of the edits, and returns what that comes to.
pub(super) fn report(fleet: &Fleet, out: &Output, fates: Vec<Fate>, dry_run: bool) -> Report {
    let several = fleet.clients.len() > 1;
    let mut documents = Vec::new();
    for (name, fate) in fleet.clients.iter().map(Client::name).zip(&fates) {
        say(out, &name, fate, several);
        for answer in fate.answers() {
            out.warnings(answer);
        }
        let mut document = json!({ "endpoint": name, "result": fate.word() });
        if !fate.answers().is_empty() {
            document["answers"] = fate.answers().into();
        }
        if let Some(failure) = fate.failure() {
            document["error"] = failure.to_json();
        }
        documents.push(document);
    }
    let exit = exit(&fates);
    let failed = fates.iter().any(|fate| fate.failure().is_some());
    let is_untouched = fates
        .iter()
        .all(|fate| matches!(fate, Fate::WouldTake(_) | Fate::Refused(_)));
    if failed && is_untouched && several {
        out.note("nothing was changed anywhere");
    } else if dry_run && !failed {
        out.note("nothing was changed: this was a dry run");
    }
    Report {
        exit,
        documents: Some(documents),
    }
}

fn say(out: &Output, name: &str, fate: &Fate, several: bool) {
    match fate {
        Fate::WouldTake(_) => out.note(format_args!("{name}  would take it")),
        Fate::Written(_) if several => out.note(format_args!("{name}  done")),
        Fate::Written(_) => {}
        Fate::TakenBack => out.note(format_args!("{name}  taken back")),
        Fate::Refused(failure) => out.failure(Some(name), failure),
        Fate::NotTakenBack(_, failure) => {
            out.failure(Some(name), failure);
            out.note(format_args!("{name}  was changed, and was not put back"));
        }
        Fate::Unknown(failure) => {
            out.failure(Some(name), failure);
            out.note(format_args!(
                "{name}  may have been changed: look with `chaosctl rules`"
            ));
        }
    }
}

fn exit(fates: &[Fate]) -> Exit {
    let touched = fates.iter().any(|fate| {
        matches!(
            fate,
            Fate::Written(_) | Fate::TakenBack | Fate::NotTakenBack(..) | Fate::Unknown(_)
        )
    });
    match fates.iter().find_map(Fate::failure) {
        // Where there is one endpoint, "not everywhere" says nothing.
        Some(_) if touched && fates.len() > 1 => Exit::NotEverywhere,
        Some(failure) => failure.exit,
        None => Exit::Done,
    }
}
