//! What a fleet is doing: documents, and what has become of them at each replica.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde::Serialize;

use crate::{
    controller::{
        error::FleetError,
        view::{Holder, View},
    },
    document::{
        FleetTerms, LeashKind,
        sealed::{Sealed, Trust},
    },
    error::Refusal,
    name::Name,
    replica::Replica,
    report::{Fate, Halt, Report, Stop},
    store::session::Entry,
};

/// What a fleet is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The fleet.
    pub fleet: Name,
    /// Who holds the fleet, if somebody does.
    pub controller: Option<Holder>,
    /// Who has halted the fleet, and why.
    pub halt: Option<Halt>,
    /// The documents, by name.
    pub documents: Vec<DocumentStatus>,
    /// The replicas, by id.
    pub replicas: Vec<Report>,
    /// Why replicas have stopped documents that are not there any longer, by document and replica.
    pub stopped: BTreeMap<Name, BTreeMap<Name, Stop>>,
    /// The keys whose values are not what belongs there, each with what is wrong. Nothing acts on them.
    pub unreadable: BTreeMap<String, String>,
}

/// A document, and what has become of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DocumentStatus {
    /// Its name.
    pub name: Name,
    /// The revision of etcd in which it was put.
    pub revision: i64,
    /// What it says of itself; `None` if it is no document.
    pub content: Option<Content>,
    /// What is wrong with it, such as its signature, if it was checked with a key.
    pub problem: Option<Refusal>,
    /// Whether the controller is there on which it depends. If not, no replica acts on it.
    pub is_held: bool,
    /// What has become of it at the replicas.
    pub answers: Answers,
    /// The replicas that want it stopped, and why.
    pub stops: BTreeMap<Name, Stop>,
    /// Whether as many replicas want it stopped as end it everywhere.
    pub is_stopped: bool,
}

/// What a document says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Content {
    /// Who has put it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// The ids of its rules.
    pub rules: Vec<String>,
    /// How long it lasts at a replica, in seconds.
    pub ttl: f64,
    /// When its time is over at the replicas that have seen it at once, in seconds since 1970, by the clock of whoever has put
    /// it. None injects for more than a minute after that.
    pub ends_at: u64,
    /// Whether it ends with its controller.
    pub leash: LeashKind,
    /// What holds for all replicas together.
    pub fleet: FleetTerms,
    /// The number of registered replicas for which it is meant.
    pub meant: usize,
}

/// What has become of one revision of a document, at the replicas that are registered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Answers {
    /// The replicas that have applied it, each with what its injector warns of.
    pub applied: BTreeMap<Name, Vec<String>>,
    /// The replicas that have refused it, each with the reason.
    pub refused: BTreeMap<Name, Refusal>,
    /// The replicas at which its time is over.
    pub over: Vec<Name>,
    /// The replicas that have stopped it, each with the reason.
    pub stopped: BTreeMap<Name, String>,
    /// The replicas that have seen that it is meant for others.
    pub not_meant: Vec<Name>,
    /// The replicas for which it is meant that have not answered.
    pub silent: Vec<Name>,
    /// The replicas that have not answered and for which it is not meant. They may still do what was there before.
    pub unheard: Vec<Name>,
}

impl Answers {
    /// Returns whether each replica for which the document is meant has applied it, be it over by now.
    #[must_use]
    pub fn all_applied(&self) -> bool {
        self.refused.is_empty() && self.silent.is_empty() && self.stopped.is_empty()
    }

    /// Returns whether each registered replica has answered.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.silent.is_empty() && self.unheard.is_empty()
    }

    pub(super) fn of(view: &View, name: &Name, revision: i64, sealed: Option<&Sealed>) -> Self {
        let mut answers = Self::default();
        for (id, report) in &view.replicas {
            let outcome = report.documents.get(name);
            let outcome = outcome.filter(|outcome| outcome.revision == revision);
            let is_meant = |replica: &Replica| {
                sealed.is_some_and(|sealed| sealed.decided.is_meant_for(name, replica))
            };
            let id = id.clone();
            match outcome.map(|outcome| outcome.fate.clone()) {
                Some(Fate::Applied { warnings }) => _ = answers.applied.insert(id, warnings),
                Some(Fate::Refused(refusal)) => _ = answers.refused.insert(id, refusal),
                Some(Fate::NotMeant) => answers.not_meant.push(id),
                Some(Fate::Over) => answers.over.push(id),
                Some(Fate::Stopped { reason }) => _ = answers.stopped.insert(id, reason),
                None if is_meant(&report.replica) => answers.silent.push(id),
                None => answers.unheard.push(id),
            }
        }
        answers
    }
}

impl View {
    /// Returns the answers to a revision of a document.
    pub(super) fn answers(
        &self,
        fleet: &Name,
        name: &Name,
        revision: i64,
    ) -> Result<Answers, FleetError> {
        match self.documents.get(name) {
            Some(entry) if entry.revision == revision => {
                let sealed = peek(&entry.value, fleet, name).ok();
                Ok(Answers::of(self, name, revision, sealed.as_ref()))
            }
            _ => Err(FleetError::Gone(name.clone())),
        }
    }
}

impl FleetStatus {
    pub(super) fn of(view: View, fleet: &Name, trust: Option<&Trust>, now: SystemTime) -> Self {
        let documents = view.documents.iter();
        let documents =
            documents.map(|(name, entry)| document(&view, fleet, name, entry, trust, now));
        let documents = documents.collect();
        let mut stopped = view.stops;
        stopped.retain(|name, _| !view.documents.contains_key(name));
        Self {
            fleet: fleet.clone(),
            controller: view.controller,
            halt: view.halt,
            documents,
            replicas: view.replicas.into_values().collect(),
            stopped,
            unreadable: view.unreadable,
        }
    }
}

fn document(
    view: &View,
    fleet: &Name,
    name: &Name,
    entry: &Entry,
    trust: Option<&Trust>,
    now: SystemTime,
) -> DocumentStatus {
    let peeked = peek(&entry.value, fleet, name);
    let opened = match trust {
        Some(trust) => trust.open(&entry.value, fleet, name, now).map(|_| ()),
        None => peeked.as_ref().map(|_| ()).map_err(Clone::clone),
    };
    let sealed = peeked.ok();
    let stops = view.stops_at(name, entry.revision);
    let content = sealed.as_ref().map(|sealed| Content {
        by: sealed.by.clone(),
        reason: sealed.reason.clone(),
        rules: (sealed.rules.iter())
            .map(|rule| rule.id().as_str().to_owned())
            .collect(),
        ttl: sealed.ttl.as_secs_f64(),
        ends_at: sealed
            .ends_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            .saturating_sub(Sealed::SLACK),
        leash: sealed.leash,
        fleet: sealed.fleet,
        meant: (view.replicas.values())
            .filter(|report| sealed.decided.is_meant_for(name, &report.replica))
            .count(),
    });
    let needs_none = content
        .as_ref()
        .is_some_and(|it| it.leash == LeashKind::Never);
    DocumentStatus {
        name: name.clone(),
        revision: entry.revision,
        problem: opened.err(),
        is_held: needs_none || entry.lease != 0 && entry.lease == view.lease,
        answers: Answers::of(view, name, entry.revision, sealed.as_ref()),
        is_stopped: content
            .as_ref()
            .is_some_and(|it| stops.len() >= it.fleet.breaches()),
        content,
        stops,
    }
}

/// Reads a document without a look at its signature and its end: to show it, or to take it away.
pub(super) fn peek(value: &[u8], fleet: &Name, name: &Name) -> Result<Sealed, Refusal> {
    let claims = value.split(|byte| *byte == b'.').nth(1);
    let claims = match value.first() {
        Some(b'{') => Some(value.to_vec()),
        _ => claims.and_then(|claims| BASE64.decode(claims).ok()),
    };
    let claims = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let claims = claims.ok_or_else(|| Refusal::new("", "it is no document", "a document"))?;
    Sealed::of(claims, fleet, name)
}
