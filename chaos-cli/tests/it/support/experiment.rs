//! Experiments against a service that is called.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    port::Port,
    program::{Ran, command, run},
    traffic::Traffic,
    wait::until,
};

/// The journal of an experiment, in the folder of a [`Lab`].
pub(crate) const JOURNAL: &str = "experiment.journal.json";

/// A service with its port, and a folder for experiments.
pub(crate) struct Lab {
    pub(crate) port: Port,
    /// Dropped, nothing is called any longer.
    pub(crate) traffic: Option<Traffic>,
    pub(crate) folder: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::of(Port::new())
    }

    pub(crate) fn of(port: Port) -> Self {
        Self {
            traffic: Some(Traffic::new(&port.injector)),
            folder: tempfile::tempdir().unwrap(),
            port,
        }
    }

    /// Returns how many answers so far say that a fault was injected.
    pub(crate) fn faults(&self) -> u64 {
        self.traffic.as_ref().unwrap().faults()
    }

    /// Returns the part of the run that the journal says has begun last; an empty text if it says none.
    pub(crate) fn place(&self) -> String {
        let journal = self.path(JOURNAL).exists().then(|| self.journal());
        let place = journal.as_ref().map(|it| &it["x-chaos"]["ended_in"]);
        place.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Waits until the run has looked at the port in a phase and found a call that was hit. The next look comes a second
    /// later.
    ///
    /// That a call is hit is not enough: the run may be about to arm its rules at other ports, or to begin its counts.
    #[track_caller]
    pub(crate) fn until_hits_are_seen(&self) {
        until("the journal has calls that were hit", || {
            let journal = self.path(JOURNAL).exists().then(|| self.journal());
            let sites = journal.map(|it| it["x-chaos"]["sites"].clone());
            let sites = sites.unwrap_or_default();
            let series = sites.as_array().into_iter().flatten();
            let mut samples = series.flat_map(|it| it["samples"].as_array().unwrap());
            samples.any(|sample| sample["hit"]["calls"] != 0)
        });
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.port.injector.status().state.as_str() == "idle"
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an experiment: one phase of two seconds in which half of the calls get a 503, with these fields in the place of
    /// its own.
    pub(crate) fn experiment(&self, fields: Value) -> PathBuf {
        let url = self
            .traffic
            .as_ref()
            .map_or("http://127.0.0.1:1", |it| &it.url);
        let mut experiment = json!({
            "title": "Half of the orders are lost",
            "target": { "endpoint": self.port.url },
            "hypothesis": { "title": "Orders are shown", "probes": [
                { "name": "orders", "http": { "url": url }, "expect": { "status": 200 }, "ask": ["before", "after"], "every": "100ms" },
                { "name": "all calls", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } }, "ask": ["before", "during"] },
            ] },
            "observe": { "before": "200ms", "after": "200ms" },
            "phases": [phase("lost", "2s", json!({}))],
            "conclusive": { "hits": { "at_least": 10 } },
        });
        let fields = fields.as_object().unwrap().clone();
        experiment.as_object_mut().unwrap().extend(fields);
        let path = self.path("experiment.json");
        fs::write(&path, experiment.to_string()).unwrap();
        path
    }

    /// Returns the command that runs an experiment.
    pub(crate) fn command(&self, fields: Value, arguments: &[&str]) -> Command {
        let path = self.experiment(fields);
        let mut command = command(&["run"]);
        command.arg(path).args(arguments);
        command
    }

    /// Starts a run, whose standard output is a pipe.
    pub(crate) fn start(&self, fields: Value, arguments: &[&str]) -> Child {
        let mut command = self.command(fields, arguments);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    #[track_caller]
    pub(crate) fn run(&self, code: i32, fields: Value) -> Ran {
        run(self.command(fields, &[])).expect(code)
    }

    /// Returns the journal of the last run.
    #[track_caller]
    pub(crate) fn journal(&self) -> Value {
        let text = fs::read_to_string(self.path(JOURNAL)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Returns whether something was armed that injects.
    pub(crate) fn was_armed(&self) -> bool {
        let entries = self.port.injector.audit().after(0).entries;
        let mut changes = entries.iter().flat_map(|entry| entry.changes());
        changes.any(|change| change.1.is_some_and(|rule| rule.is_enabled()))
    }
}

/// Returns the fields of an experiment that goes on until something ends it.
pub(crate) fn long() -> Value {
    json!({ "phases": [phase("lost", "1m", json!({}))] })
}

/// Returns a phase in which half of the calls get a 503, with these fields beside.
pub(crate) fn phase(name: &str, length: &str, fields: Value) -> Value {
    let mut phase = json!({ "name": name, "for": length, "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
    ] });
    let fields = fields.as_object().unwrap().clone();
    phase.as_object_mut().unwrap().extend(fields);
    phase
}
