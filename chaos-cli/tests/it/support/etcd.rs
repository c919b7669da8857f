//! What tests do with an etcd, and replicas that only write reports.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use etcd_cluster::Cluster;
use serde_json::{Value, json};

/// The fleet `demo` in an etcd of one member.
pub(crate) struct Etcd(pub(crate) Cluster);

impl Etcd {
    pub(crate) fn start() -> Self {
        Self(Cluster::start())
    }

    /// Starts one that lets only `root` in, and returns it with the fleet as `--fleet` names it, and the file of the password.
    pub(crate) fn guarded() -> (Self, String, String) {
        let etcd = Self::start();
        etcd.0.require_users(&[]);
        let (fleet, password) = (etcd.fleet(), etcd.file("password", "secret\n"));
        (etcd, fleet, password)
    }

    /// Returns the fleet as `--fleet` names it.
    pub(crate) fn fleet(&self) -> String {
        format!("{}/demo", self.0.endpoints()[0])
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        self.0.file(name, text)
    }

    /// Runs `etcdctl`, and returns what it prints.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        self.0.ctl(arguments)
    }

    pub(crate) fn put(&self, key: &str, value: &Value) {
        self.ctl(&["put", &format!("/chaos/demo/{key}"), &value.to_string()]);
    }

    /// Returns the revision in which a key was put, if it is there.
    pub(crate) fn revision(&self, key: &str) -> Option<i64> {
        revision_in(&self.ctl(&["get", &format!("/chaos/demo/{key}"), "-w", "json"]))
    }

    /// Returns the same if etcd answers.
    fn revision_if_it_answers(&self, key: &str) -> Option<i64> {
        let get = ["get", &format!("/chaos/demo/{key}"), "-w", "json"];
        revision_in(&self.0.ctl_if_it_answers(&get)?)
    }

    /// Registers a replica that does nothing.
    pub(crate) fn register(&self, id: &str, zone: &str) {
        self.put(&format!("replicas/{id}"), &report(id, zone, &json!({})));
    }
}

fn revision_in(printed: &str) -> Option<i64> {
    let got: Value = serde_json::from_str(printed).unwrap();
    got["kvs"][0]["mod_revision"].as_i64()
}

fn report(id: &str, zone: &str, documents: &Value) -> Value {
    json!({
        "id": id,
        "labels": { "zone": zone },
        "version": "0.1.0",
        "seen": 1,
        "generation": 1,
        "state": "idle",
        "documents": documents,
    })
}

/// A replica that answers to a document, `lost` unless it is said, until it is dropped.
pub(crate) struct Answering {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    pub(crate) fn start(etcd: &Arc<Etcd>, id: &str, zone: &str, outcome: Value) -> Self {
        Self::to("lost", etcd, report(id, zone, &json!({})), outcome)
    }

    /// Starts one of zone `a` that lets pickers inject errors, and answers to a document.
    pub(crate) fn opted_in(etcd: &Arc<Etcd>, id: &str, document: &str, outcome: Value) -> Self {
        let mut report = report(id, "a", &json!({}));
        report["opted_in"] = json!(["error"]);
        Self::to(document, etcd, report, outcome)
    }

    fn to(document: &str, etcd: &Arc<Etcd>, mut report: Value, outcome: Value) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let place = format!("replicas/{}", report["id"].as_str().unwrap());
        etcd.put(&place, &report);
        let (etcd, over) = (Arc::clone(etcd), Arc::clone(&is_over));
        let document = document.to_owned();
        let answer = move || {
            let mut seen = None;
            // The flag alone is of interest.
            while !over.load(Ordering::Relaxed) {
                let revision = etcd.revision_if_it_answers(&format!("orders/rules/{document}"));
                if revision.is_some() && revision != seen {
                    let mut outcome = outcome.clone();
                    outcome["revision"] = revision.into();
                    report["documents"] = json!({ &document: outcome });
                    etcd.put(&place, &report);
                    seen = revision;
                }
                thread::park_timeout(Duration::from_millis(50));
            }
        };
        Self {
            is_over,
            thread: Some(thread::spawn(answer)),
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
