//! Experiments against a service that is called.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    port::Port,
    program::{Ran, command, run},
    traffic::Traffic,
};

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

    /// Returns whether the journal says that the phase has begun.
    pub(crate) fn is_in_a_phase(&self) -> bool {
        self.journal()["x-chaos"]["ended_in"] == "lost"
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.port.injector.status().state.as_str() == "idle"
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an experiment: one phase of a second in which half of the calls get a 503, with these fields in the place of
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
            "phases": [{ "name": "lost", "for": "2s", "rules": [
                { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
            ] }],
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

    #[track_caller]
    pub(crate) fn run(&self, code: i32, fields: Value) -> Ran {
        run(self.command(fields, &[])).expect(code)
    }

    /// Returns the journal of the last run.
    #[track_caller]
    pub(crate) fn journal(&self) -> Value {
        let text = fs::read_to_string(self.path("experiment.journal.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Returns whether something was armed that injects.
    pub(crate) fn was_armed(&self) -> bool {
        let entries = self.port.injector.audit().after(0).entries;
        let mut changes = entries.iter().flat_map(|entry| entry.changes());
        changes.any(|change| change.1.is_some_and(|rule| rule.is_enabled()))
    }
}
