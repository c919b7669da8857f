//! A guard rail that breaks at one replica stops the document at all of them.

use crate::{
    document::FleetTerms,
    member::follower::Follower,
    name::Name,
    report::{Fate, Stop},
};

impl Follower {
    /// The longest reason of a stop that is told on, in characters.
    const LONGEST_REASON: usize = 500;

    pub(super) fn note_stop(&mut self, document: Name, replica: Name, value: &[u8]) {
        if let Ok(stop) = serde_json::from_slice::<Stop>(value) {
            self.stops
                .entry(document)
                .or_default()
                .insert(replica, stop);
        }
    }

    /// Returns why a document is stopped that was put in a revision, if as many replicas have stopped it as it allows.
    pub(super) fn stopped(&self, name: &Name, revision: i64, terms: FleetTerms) -> Option<String> {
        let stops = self.stops.get(name)?.iter();
        // A stop is for one revision: what is put later is another attempt.
        let stops: Vec<_> = stops
            .filter(|(_, stop)| stop.revision == revision)
            .collect();
        let (first, stop) = stops.first().filter(|_| stops.len() >= terms.breaches())?;
        let more = match stops.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let reason: String = stop.reason.chars().take(Self::LONGEST_REASON).collect();
        Some(format!("{first}: {reason}{more}"))
    }

    /// Takes a document out of force that as many replicas have stopped as it allows.
    pub(super) fn check_stops(&mut self, name: &Name) {
        let Some(mut known) = self.documents.remove(name) else {
            return;
        };
        let stopped = known
            .in_force
            .as_ref()
            .and_then(|it| self.stopped(name, it.revision, it.terms));
        if let Some(reason) = stopped {
            known.fate = Fate::Stopped { reason };
            self.take_out(name, "etcd", &mut known);
        }
        self.documents.insert(name.clone(), known);
    }

    /// Looks for what has happened here by itself: documents whose time is over, and guard rails that have broken.
    /// Returns whether there was anything.
    pub(in crate::member) fn look(&mut self) -> bool {
        self.obey_halt();
        let now = self.clock.now();
        let mut has_changed = false;
        for known in self.documents.values_mut() {
            if matches!(known.fate, Fate::Applied { .. }) && now >= known.ends {
                known.fate = Fate::Over;
                has_changed = true;
            }
        }
        if self
            .documents
            .values()
            .all(|known| known.in_force.is_none())
        {
            return has_changed;
        }
        for open in self.injector.status().breaches {
            for (name, known) in &self.documents {
                let Some(in_force) = &known.in_force else {
                    continue;
                };
                let rule = open.breach.rule.as_ref();
                let is_its_own = rule.is_none_or(|rule| in_force.ids.contains(rule));
                let told = self
                    .stops
                    .get(name)
                    .and_then(|stops| stops.get(&self.replica.id));
                let is_told = told.is_some_and(|stop| stop.revision == in_force.revision);
                if is_its_own && !is_told && open.at >= known.since {
                    let stop = Stop {
                        revision: in_force.revision,
                        reason: open.to_string(),
                    };
                    has_changed |= self.untold.insert(name.clone(), stop).is_none();
                }
            }
        }
        has_changed
    }

    /// Returns the stops that are to be told to the fleet. Once one is seen in etcd, it is told.
    pub(in crate::member) fn untold(&mut self) -> Vec<(Name, Stop)> {
        let Self {
            untold,
            stops,
            replica,
            ..
        } = self;
        untold.retain(|name, stop| {
            stops.get(name).and_then(|stops| stops.get(&replica.id)) != Some(stop)
        });
        untold
            .iter()
            .map(|(name, stop)| (name.clone(), stop.clone()))
            .collect()
    }
}
