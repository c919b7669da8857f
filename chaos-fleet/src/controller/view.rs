//! What lies in etcd for one fleet, as far as it was followed.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    keys::{Key, Keys},
    name::Name,
    report::{Halt, Report, Stop},
    store::session::{Entry, Event, Listed},
};

/// Who holds a fleet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Holder {
    /// Who it is.
    pub by: String,
    /// Since when, in seconds since 1970, by its own clock.
    pub since: u64,
}

impl Holder {
    pub(crate) fn new(by: &str, now: SystemTime) -> Self {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            by: by.to_owned(),
            since: since.unwrap_or_default().as_secs(),
        }
    }

    /// Returns the one of a value that cannot be read.
    pub(crate) fn unknown() -> Self {
        Self::new("somebody", SystemTime::UNIX_EPOCH)
    }

    /// Returns the time since when, for people.
    pub(crate) fn since(&self) -> String {
        // The format has no later one.
        const YEAR_10000: u64 = 253_402_300_800;
        let since = Some(self.since).filter(|since| *since < YEAR_10000);
        let since = since.map(|since| SystemTime::UNIX_EPOCH + Duration::from_secs(since));
        let since = since.map(humantime::format_rfc3339_seconds);
        // A time so late that it has no such form is none.
        since.map_or_else(|| "?".to_owned(), |since| since.to_string())
    }
}

/// The keys of a fleet, read.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The revision of etcd up to which this is known; 0 if nothing was read.
    pub(crate) revision: i64,
    pub(crate) documents: BTreeMap<Name, Entry>,
    /// By document and replica.
    pub(crate) stops: BTreeMap<Name, BTreeMap<Name, Stop>>,
    pub(crate) replicas: BTreeMap<Name, Report>,
    pub(crate) halt: Option<Halt>,
    pub(crate) controller: Option<Holder>,
    /// The lease of the controller; 0 if there is none.
    pub(crate) lease: i64,
    /// The keys whose values are not what belongs there, each with what is wrong.
    pub(crate) unreadable: BTreeMap<String, String>,
}

impl View {
    pub(crate) fn of(keys: &Keys, listed: Listed) -> Self {
        let mut view = Self::default();
        for entry in listed.entries {
            view.fold(keys, Event::Put(entry));
        }
        view.revision = listed.revision;
        view
    }

    /// Takes in what has happened.
    pub(crate) fn fold(&mut self, keys: &Keys, event: Event) {
        let (key, entry) = match event {
            Event::Put(entry) => {
                self.revision = entry.revision;
                (entry.key.clone(), Some(entry))
            }
            Event::Deleted(key, revision) => {
                self.revision = revision;
                (key, None)
            }
        };
        let place = String::from_utf8_lossy(&key).into_owned();
        self.unreadable.remove(&place);
        let value = entry.as_ref().map(|entry| entry.value.as_slice());
        match keys.parse(&key) {
            Key::Document(name) => set(&mut self.documents, name, entry),
            Key::Stop { document, replica } => {
                let stop = self.read(&place, value);
                let stops = self.stops.entry(document.clone()).or_default();
                set(stops, replica, stop);
                if stops.is_empty() {
                    self.stops.remove(&document);
                }
            }
            Key::Replica(id) => {
                let mut report: Option<Report> = self.read(&place, value);
                if report.as_ref().is_some_and(|it| it.replica.id != id) {
                    let problem = "it is the report of another replica";
                    self.unreadable.insert(place, problem.to_owned());
                    report = None;
                }
                set(&mut self.replicas, id, report);
            }
            Key::Halt => {
                let halt = self.read(&place, value);
                // Whatever lies there halts the fleet.
                let unknown = || Halt::new("somebody", None, SystemTime::UNIX_EPOCH);
                self.halt = entry.map(|_| halt.unwrap_or_else(unknown));
            }
            Key::Controller => {
                let holder = self.read(&place, value);
                self.lease = entry.as_ref().map_or(0, |entry| entry.lease);
                self.controller = entry.map(|_| holder.unwrap_or_else(Holder::unknown));
            }
            Key::Beat | Key::Limit | Key::Pick => {}
            Key::Foreign => {
                if entry.is_some() {
                    let problem = "no key of a fleet has this name";
                    self.unreadable.insert(place, problem.to_owned());
                }
            }
        }
    }

    /// Reads a value, and remembers what is wrong with it.
    fn read<T: DeserializeOwned>(&mut self, place: &str, value: Option<&[u8]>) -> Option<T> {
        match serde_json::from_slice(value?) {
            Ok(read) => Some(read),
            Err(error) => {
                self.unreadable.insert(place.to_owned(), error.to_string());
                None
            }
        }
    }

    /// Returns whether a document lies there in this revision.
    pub(crate) fn has(&self, document: &Name, revision: i64) -> bool {
        let lies = self.documents.get(document);
        lies.is_some_and(|entry| entry.revision == revision)
    }

    /// Returns whether nobody is to be waited for who has not answered to a revision of a document.
    pub(crate) fn is_settled(&self, document: &Name, revision: i64) -> bool {
        let answered = |report: &Report| {
            let outcome = report.documents.get(document);
            outcome.is_some_and(|outcome| outcome.revision == revision)
        };
        self.revision >= revision
            && (!self.has(document, revision) || self.replicas.values().all(answered))
    }

    /// Returns the stops of one revision of a document.
    pub(crate) fn stops_at(&self, document: &Name, revision: i64) -> BTreeMap<Name, Stop> {
        let stops = self.stops.get(document).into_iter().flatten();
        let stops = stops.filter(|(_, stop)| stop.revision == revision);
        stops
            .map(|(replica, stop)| (replica.clone(), stop.clone()))
            .collect()
    }
}

/// Returns what lies in etcd for a value.
pub(crate) fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is written into a fleet is JSON")
}

fn set<T>(map: &mut BTreeMap<Name, T>, name: Name, value: Option<T>) {
    match value {
        Some(value) => map.insert(name, value),
        None => map.remove(&name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: String, value: &str, lease: i64) -> Event {
        Event::Put(Entry {
            key: key.into_bytes(),
            value: value.as_bytes().to_vec(),
            created: 1,
            revision: 1,
            lease,
        })
    }

    #[test]
    fn values_that_do_not_belong_there_are_named_and_harm_nothing() {
        let name = |name: &str| name.parse::<Name>().unwrap();
        let keys = Keys::of(&name("shop"));
        let mut view = View::default();
        let report = r#"{"id":"a","version":"1","seen":1,"generation":0,"state":"idle"}"#;
        for event in [
            put(keys.replica(&name("a")), report, 1),
            put(keys.replica(&name("b")), report, 1),
            put(keys.replica(&name("c")), "no report", 1),
            put(keys.halt(), "whatever", 0),
            put(keys.controller(), "{}", 7),
            put(keys.stop(&name("lost"), &name("a")), "[]", 0),
            put(format!("{}other", keys.all()), "", 0),
        ] {
            view.fold(&keys, event);
        }
        assert_eq!(view.replicas.keys().collect::<Vec<_>>(), [&name("a")]);
        assert!(view.stops.is_empty());
        assert_eq!(view.halt.as_ref().unwrap().by, "somebody");
        assert_eq!(view.lease, 7);
        assert_eq!(view.unreadable.len(), 6, "{:?}", view.unreadable);
        for key in [keys.halt(), keys.controller(), keys.replica(&name("c"))] {
            view.fold(&keys, Event::Deleted(key.into_bytes(), 2));
        }
        assert_eq!((view.halt, view.controller, view.lease), (None, None, 0));
        assert_eq!(view.unreadable.len(), 3, "{:?}", view.unreadable);
    }
}
