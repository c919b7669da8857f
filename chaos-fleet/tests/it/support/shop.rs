//! A replica of the fleet `shop`.

use std::time::Duration;

use chaos_core::{Injector, inject};
use chaos_fleet::{Etcd, Fate, Fleet, Member, Replica, Report, Trust};

/// A replica with an injector of its own, which trusts the store.
pub(crate) struct Shop {
    pub(crate) injector: Injector,
    pub(crate) member: Member,
}

impl Shop {
    /// Joins with a hold of five seconds, the shortest.
    pub(crate) fn join(endpoints: &[String], id: &str) -> Self {
        Self::with_hold(endpoints, id, Duration::from_secs(5))
    }

    pub(crate) fn with_hold(endpoints: &[String], id: &str, hold: Duration) -> Self {
        let fleet = fleet(endpoints, id, Trust::Store);
        Self::of(fleet.hold(hold))
    }

    /// Joins as one at which pickers may inject a kind of fault, and that trusts the key of the tests, with a hold of five
    /// seconds.
    #[cfg(feature = "picker")]
    pub(crate) fn opted_in(endpoints: &[String], id: &str, fault: &str) -> Self {
        let replica = replica(id).opt_in(fault);
        let trust = super::fleet::trust();
        let fleet = Fleet::etcd(etcd(endpoints), "shop".parse().unwrap(), replica, trust);
        Self::of(fleet.hold(Duration::from_secs(5)))
    }

    /// Joins a fleet.
    pub(crate) fn of(fleet: Fleet) -> Self {
        let injector = Injector::new();
        let member = fleet.join(&injector).unwrap();
        Self { injector, member }
    }

    /// Returns whether a call at `db.read` is hit.
    pub(crate) fn is_hit(&self) -> bool {
        inject!(injector: &self.injector, "db.read").is_err()
    }

    pub(crate) fn report(&self) -> Report {
        self.member.status().report
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.member.status().is_followed
    }

    /// Returns what has become of a document.
    pub(crate) fn fate(&self, document: &str) -> Option<Fate> {
        let documents = self.report().documents;
        let outcome = documents.get(&document.parse().unwrap())?;
        Some(outcome.fate.clone())
    }

    /// Returns why a document was refused.
    pub(crate) fn refusal(&self, document: &str) -> Option<String> {
        match self.fate(document)? {
            Fate::Refused(refusal) => Some(refusal.to_string()),
            _ => None,
        }
    }

    pub(crate) fn has_applied(&self, document: &str) -> bool {
        matches!(self.fate(document), Some(Fate::Applied { .. }))
    }

    /// Returns how many calls a rule has matched.
    pub(crate) fn matched(&self, rule: &str) -> u64 {
        self.injector
            .counts(rule)
            .map_or(0, |counts| counts.matched)
    }
}

/// A fleet that is not joined yet.
pub(crate) fn fleet(endpoints: &[String], id: &str, trust: Trust) -> Fleet {
    Fleet::etcd(etcd(endpoints), "shop".parse().unwrap(), replica(id), trust)
}

fn etcd(endpoints: &[String]) -> Etcd {
    Etcd::new(endpoints.iter().map(String::as_str)).unwrap()
}

fn replica(id: &str) -> Replica {
    let replica = Replica::new(id.parse().unwrap());
    replica.label("zone", "a").unwrap()
}
