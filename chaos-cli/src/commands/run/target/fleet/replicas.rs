//! The replicas of a run: for which the present document is meant, and where each can be asked what it counts.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use chaos_fleet::{Name, Replica, Report};

use crate::{
    client::{Client, address::Address},
    commands::run::target::ports::{Looks, PortLook},
    failure::{Exit, Failure},
};

/// The label that names the admin port of a replica.
const ADMIN: &str = "admin";

/// The replicas of a run. It only grows, so the place of one in the list stays.
#[derive(Default)]
pub(in crate::commands::run) struct Replicas {
    all: RefCell<Vec<Known>>,
    /// Those that the present document is meant for; `None` if there is none, and all are asked.
    meant: RefCell<Option<BTreeSet<Name>>>,
}

/// A replica of a run.
struct Known {
    id: Name,
    /// What its label says.
    address: Option<String>,
    /// Which of the ports is its own.
    port: Option<usize>,
    /// Whether a document was meant for it.
    was_meant: bool,
}

impl Replicas {
    /// Sets those that the run begins with, and returns the addresses that they name.
    pub(super) fn set(&self, replicas: impl Iterator<Item = Replica>) -> Vec<String> {
        let known = replicas.map(|replica| Known {
            address: replica.labels.find(ADMIN).map(str::to_owned),
            id: replica.id,
            port: None,
            was_meant: false,
        });
        let known: Vec<_> = known.collect();
        let addresses = known.iter().filter_map(|it| it.address.clone());
        // Whoever names what is no address is one whose hits are not known.
        let addresses = addresses.filter(|address| address.parse::<Address>().is_ok());
        let addresses = addresses.collect();
        self.all.replace(known);
        addresses
    }

    /// Finds the port of each. One that several name is the first one's.
    pub(super) fn find_ports(&self, clients: &[Client]) {
        let mut free: BTreeMap<String, usize> = clients.iter().map(Client::name).zip(0..).collect();
        for known in self.all.borrow_mut().iter_mut() {
            let address = known.address.as_deref().map(str::parse::<Address>);
            let name = address.and_then(Result::ok).map(|it| it.to_string());
            known.port = name.and_then(|name| free.remove(&name));
        }
    }

    /// Says for which the present document is meant.
    pub(super) fn are_meant(&self, meant: &[Name]) {
        self.meant.replace(Some(BTreeSet::new()));
        self.join(meant.iter());
    }

    /// Adds replicas that the present document is meant for, too.
    pub(super) fn join<'n>(&self, ids: impl Iterator<Item = &'n Name>) {
        let mut all = self.all.borrow_mut();
        for id in ids {
            match all.iter_mut().find(|it| it.id == *id) {
                Some(known) => known.was_meant = true,
                None => all.push(Known {
                    id: id.clone(),
                    address: None,
                    port: None,
                    was_meant: true,
                }),
            }
            self.meant
                .borrow_mut()
                .get_or_insert_default()
                .insert(id.clone());
        }
    }

    /// Says that there is no document.
    pub(super) fn all_are_asked(&self) {
        self.meant.replace(None);
    }

    fn is_meant(&self, id: &Name) -> bool {
        let meant = self.meant.borrow();
        meant.as_ref().is_none_or(|meant| meant.contains(id))
    }

    pub(in crate::commands::run) fn names(&self) -> Vec<String> {
        let all = self.all.borrow();
        all.iter().map(|known| known.id.to_string()).collect()
    }

    /// Returns why it is not known how many calls are hit at the nth, if it is not known.
    pub(in crate::commands::run) fn unknown_hits(&self, nth: usize) -> Option<String> {
        let all = self.all.borrow();
        let known = all.get(nth).filter(|it| it.port.is_none())?;
        let why = match &known.address {
            None => format!("it did not name a port in the label `{ADMIN}` when the run began"),
            Some(_) => format!("its label `{ADMIN}` is no port of its own"),
        };
        Some(format!(
            "its hits are not known, and no probe of a site counts its calls: {why}"
        ))
    }

    /// Returns whether a document was meant for the nth.
    pub(in crate::commands::run) fn was_meant(&self, nth: usize) -> bool {
        self.all.borrow().get(nth).is_some_and(|it| it.was_meant)
    }

    /// Returns what the replicas say, from what the ports say. Those that are not meant say nothing.
    pub(super) fn looks(&self, ports: Looks) -> Looks {
        let mut ports: Vec<_> = ports.into_iter().map(Some).collect();
        let all = self.all.borrow();
        let looks = all.iter().map(|known| {
            let port = known.port.filter(|_| self.is_meant(&known.id));
            let look = port.and_then(|at| ports.get_mut(at)).and_then(Option::take);
            look.unwrap_or_else(|| Ok(PortLook::default()))
        });
        looks.collect()
    }

    /// Returns those of the ports, by name, whose replicas are meant.
    pub(super) fn meant_ports(&self, ports: &[String]) -> BTreeSet<String> {
        let all = self.all.borrow();
        let meant = all.iter().filter(|known| self.is_meant(&known.id));
        let meant = meant.filter_map(|known| ports.get(known.port?).cloned());
        meant.collect()
    }

    /// Returns the failures at ports of replicas that are meant.
    pub(super) fn failures(&self, ports: Vec<Result<(), Failure>>) -> Vec<(String, Failure)> {
        let all = self.all.borrow();
        let meant = all.iter().filter(|known| self.is_meant(&known.id));
        let failures = meant.filter_map(|known| {
            let failed = ports.get(known.port?)?.as_ref().err()?;
            Some((known.id.to_string(), failed.clone()))
        });
        failures.collect()
    }

    /// Returns a failure for each that the document is meant for.
    pub(super) fn all_meant(&self, failure: &Failure) -> BTreeMap<Name, Failure> {
        let all = self.all.borrow();
        let meant = all.iter().filter(|known| self.is_meant(&known.id));
        meant
            .map(|known| (known.id.clone(), failure.clone()))
            .collect()
    }

    /// Returns those of the present document that do not say that it is gone.
    pub(super) fn not_gone(&self, reports: &[Report], document: &Name) -> BTreeMap<Name, Failure> {
        let silent = Failure::new(Exit::NoAnswer, "it has not said that the rules are gone");
        let mut left = self.all_meant(&silent);
        left.retain(|id, failure| {
            let report = reports.iter().find(|report| report.replica.id == *id);
            if report.is_none() {
                failure.detail = "it is gone, and has not said that the rules are".to_owned();
            }
            report.is_none_or(|report| report.documents.contains_key(document))
        });
        left
    }

    /// Returns the last looks, with a failure for each replica that is `left`. That one says that the rules are gone counts
    /// for more than that its port cannot be asked.
    pub(super) fn ended(&self, looks: Looks, left: &BTreeMap<Name, Failure>) -> Looks {
        let all = self.all.borrow();
        let looks = all.iter().zip(looks);
        let looks = looks.map(|(known, look)| match left.get(&known.id) {
            Some(failure) => Err(failure.clone()),
            None => Ok(look.unwrap_or_default()),
        });
        looks.collect()
    }

    /// Returns what is known by replica, by port.
    pub(super) fn by_port(&self, known: &[u64]) -> Vec<u64> {
        let all = self.all.borrow();
        let ports = all.iter().zip(known);
        let ports = ports.filter_map(|(replica, value)| Some((replica.port?, *value)));
        ports.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Returns the id of the replica whose port has this name, or the name.
    pub(super) fn of_port(&self, ports: &[String], name: &str) -> String {
        let at = ports.iter().position(|port| port == name);
        let all = self.all.borrow();
        let replica = all.iter().find(|known| at.is_some() && known.port == at);
        replica.map_or_else(|| name.to_owned(), |known| known.id.to_string())
    }
}
