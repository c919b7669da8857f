//! What a replica knows of its fleet, and what it has done with each document.
//!
//! It asks nobody and waits for nothing: events go in, and the injector and the report follow.

mod documents;
mod stops;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use chaos_core::{Clock, Injector};

use crate::{
    document::sealed::Trust,
    keys::{Key, Keys},
    member::{
        beats::Beats,
        in_force::{InForce, Limited},
    },
    name::Name,
    replica::Replica,
    report::{Fate, Halt, Outcome, ReplicaState, Report, Stop},
    store::session::{Event, Listed},
};

/// What a replica knows of its fleet.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) injector: Injector,
    clock: Clock,
    fleet: Name,
    pub(super) replica: Replica,
    trust: Trust,
    hold: Duration,
    keys: Keys,
    documents: BTreeMap<Name, Known>,
    /// The documents that are beyond those that a replica takes.
    left_out: BTreeSet<Name>,
    /// Why documents are stopped, by document and replica.
    stops: BTreeMap<Name, BTreeMap<Name, Stop>>,
    /// The stops of this replica that are still to be told.
    untold: BTreeMap<Name, Stop>,
    beats: Beats,
    /// The fleet's halt, as it lies in etcd, and as it was obeyed.
    ordered_halt: Option<Vec<u8>>,
    halt: Option<Vec<u8>>,
    /// Whether the member was dropped: its task may still be about to take something.
    has_left: bool,
    seen: i64,
    refused: u64,
}

/// What is known of a document.
#[derive(Debug)]
struct Known {
    /// The revision in which it was put last.
    revision: i64,
    fate: Fate,
    /// Present while rules of it, or of the version before one that is refused, are in force.
    in_force: Option<InForce>,
    /// When its time is over, on the follower's clock.
    ends: Duration,
    /// The time of day at which it was taken, by the injector's clock: breaches from before are none of its.
    since: SystemTime,
}

/// What an event was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// There may be something to tell.
    Something,
    /// A sign of life, as there are thousands.
    Nothing,
    /// There is room for a document that was left out: the fleet is to be listed again.
    Room,
}

impl Follower {
    /// The most documents that a replica takes.
    const MOST: usize = 256;

    pub(super) fn new(
        injector: &Injector,
        fleet: Name,
        replica: Replica,
        trust: Trust,
        hold: Duration,
    ) -> Self {
        Self {
            injector: injector.clone(),
            clock: Clock::monotonic(),
            keys: Keys::of(&fleet),
            fleet,
            replica,
            trust,
            hold,
            documents: BTreeMap::new(),
            left_out: BTreeSet::new(),
            stops: BTreeMap::new(),
            untold: BTreeMap::new(),
            beats: Beats::default(),
            ordered_halt: None,
            halt: None,
            has_left: false,
            seen: 0,
            refused: 0,
        }
    }

    pub(super) fn wall(&self) -> SystemTime {
        self.injector.wall()
    }

    /// Takes the whole state of the fleet. Beats and locks in it are from before, and prove nothing.
    pub(super) fn list(&mut self, listed: Listed) {
        if self.has_left {
            return;
        }
        self.beats.begin_session();
        self.stops.clear();
        self.left_out.clear();
        // What is halted is not armed for a moment.
        self.heed_halt(&listed);
        let (mut documents, mut halt) = (Vec::new(), None);
        for entry in listed.entries {
            match self.keys.parse(&entry.key) {
                Key::Document(name) => documents.push((name, entry)),
                Key::Stop { document, replica } => self.note_stop(document, replica, &entry.value),
                Key::Halt => halt = Some(entry.value),
                _ => {}
            }
        }
        let names: BTreeSet<_> = documents.iter().map(|(name, _)| name.clone()).collect();
        let gone = self.documents.keys().filter(|name| !names.contains(*name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.delete(&name);
        }
        // The oldest first: they stay when there are too many.
        documents.sort_by_key(|(_, entry)| entry.created);
        for (name, entry) in documents {
            self.put(name, &entry);
        }
        self.set_halt(halt.as_deref());
        self.seen = listed.revision;
    }

    /// Halts if the fleet is halted, before anything else is done. What it was told before may still be in force, so it
    /// resumes only with [`list`](Self::list).
    pub(super) fn heed_halt(&mut self, listed: &Listed) {
        let mut entries = listed.entries.iter();
        let halt = entries.find(|entry| self.keys.parse(&entry.key) == Key::Halt);
        if let Some(halt) = halt.filter(|_| !self.has_left) {
            self.set_halt(Some(&halt.value));
        }
    }

    /// Takes one event, which was not there before `ago`.
    pub(super) fn take(&mut self, event: Event, ago: Duration) -> Taken {
        if self.has_left {
            return Taken::Nothing;
        }
        match event {
            Event::Put(entry) => {
                self.seen = self.seen.max(entry.revision);
                match self.keys.parse(&entry.key) {
                    Key::Document(name) => self.put(name, &entry),
                    Key::Stop { document, replica } => {
                        self.note_stop(document.clone(), replica, &entry.value);
                        self.check_stops(&document);
                    }
                    Key::Halt => self.set_halt(Some(&entry.value)),
                    Key::Beat => {
                        let when = (self.clock.now(), ago);
                        self.beats
                            .take(entry.lease, when, &self.injector, self.hold);
                        return Taken::Nothing;
                    }
                    _ => {}
                }
                Taken::Something
            }
            Event::Deleted(key, revision) => {
                self.seen = self.seen.max(revision);
                match self.keys.parse(&key) {
                    Key::Document(name) => self.delete(&name),
                    Key::Halt => self.set_halt(None),
                    Key::Stop { document, replica } => {
                        if let Some(stops) = self.stops.get_mut(&document) {
                            stops.remove(&replica);
                        }
                    }
                    _ => {}
                }
                match self.documents.len() < Self::MOST && !self.left_out.is_empty() {
                    true => Taken::Room,
                    false => Taken::Something,
                }
            }
        }
    }

    fn set_halt(&mut self, halt: Option<&[u8]>) {
        self.ordered_halt = halt.map(<[u8]>::to_vec);
        self.obey_halt();
    }

    /// Halts or resumes for the fleet, as it is ordered. A halt that cannot be read is a halt.
    fn obey_halt(&mut self) {
        if self.ordered_halt == self.halt {
            return;
        }
        let fleet = self.fleet.as_str();
        if let Some(value) = &self.ordered_halt {
            let halt: Option<Halt> = serde_json::from_slice(value).ok();
            let by = halt.as_ref().map_or("unknown", |halt| halt.by.as_str());
            let reason = halt.as_ref().and_then(|halt| halt.reason.as_deref());
            let actor = self
                .actor(by)
                .because(reason.unwrap_or("the fleet is halted"));
            self.injector.as_actor(actor).halt_for_fleet(fleet);
        } else {
            let actor = self.actor("etcd").because("the fleet is resumed");
            if let Err(error) = self.injector.as_actor(actor).resume_for_fleet(fleet) {
                // Tried again with the next look.
                tracing::warn!(target: "chaos", %error, "the fleet's halt does not end here");
                return;
            }
        }
        self.halt.clone_from(&self.ordered_halt);
    }

    /// Returns whether rules of documents are in force here.
    pub(super) fn is_in_force(&self) -> bool {
        self.documents
            .values()
            .any(|known| known.in_force.is_some())
    }

    /// Returns the limits of which this replica has a part.
    pub(super) fn limits(&self) -> Vec<(Name, Limited)> {
        let documents = self
            .documents
            .iter()
            .filter(|(_, known)| matches!(known.fate, Fate::Applied { .. }));
        let documents = documents.filter_map(|(name, known)| {
            let in_force = known.in_force.as_ref()?;
            Some((name.clone(), in_force.limited.clone()?))
        });
        documents.collect()
    }

    /// Returns what this replica tells the fleet, and how many documents were refused so far.
    pub(super) fn report(&self) -> (Report, u64) {
        let status = self.injector.status();
        let documents = self.documents.iter().map(|(name, known)| {
            let outcome = Outcome {
                revision: known.revision,
                fate: known.fate.clone(),
            };
            (name.clone(), outcome)
        });
        let report = Report {
            replica: self.replica.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seen: self.seen,
            generation: status.generation,
            state: ReplicaState::from(&status.state),
            documents: documents.collect(),
            left_out: self.left_out.len(),
        };
        (report, self.refused)
    }

    /// Ends what the fleet does here.
    pub(super) fn leave(&mut self) {
        self.has_left = true;
        for name in self.documents.keys().cloned().collect::<Vec<_>>() {
            self.delete(&name);
        }
        self.set_halt(None);
    }
}
