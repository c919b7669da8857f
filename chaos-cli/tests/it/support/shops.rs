//! A fleet of shops in this process, with admin ports, which are called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, routing::get};
use chaos_core::token::TokenKey;
use chaos_fleet::{Fleet, Member, Replica, Trust};
use chaos_tower::InjectLayer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::support::{etcd::Etcd, experiment::phase, port::Port, program::command, wait::until};

const KEY: &str = "32 bytes or more, and only you know";

/// The fleet `demo`: shops of the zones `a` and `b` by turns, each with an admin port that its label names.
pub(crate) struct Shops {
    pub(crate) etcd: Etcd,
    pub(crate) all: Vec<Shop>,
    pub(crate) folder: TempDir,
    key: String,
    is_over: Arc<AtomicBool>,
    calls: Option<JoinHandle<()>>,
    runtime: Runtime,
}

/// A replica.
pub(crate) struct Shop {
    pub(crate) id: String,
    pub(crate) port: Port,
    /// How many answers say that a fault was injected.
    faults: Arc<AtomicU64>,
    member: Member,
}

impl Shop {
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.port.injector.status().state.as_str() == "idle"
    }

    pub(crate) fn is_of_zone_a(&self) -> bool {
        let replica = self.member.status().report.replica;
        replica.labels.find("zone") == Some("a")
    }
}

impl Shops {
    pub(crate) fn start(many: usize) -> Self {
        Self::with_labels(many, |_| true)
    }

    /// Starts shops, of which those that `is_named` says name their ports.
    pub(crate) fn with_labels(many: usize, is_named: impl Fn(usize) -> bool) -> Self {
        let etcd = Etcd::start();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shops = (0..many).map(|nth| {
            let _entered = runtime.enter();
            Shop::join(&etcd, nth, is_named(nth))
        });
        let all: Vec<_> = shops.collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let calls = call(&all, Arc::clone(&is_over));
        let key = etcd.file("key", KEY);
        let shops = Self {
            etcd,
            all,
            folder: tempfile::tempdir().unwrap(),
            key,
            is_over,
            calls: Some(calls),
            runtime,
        };
        until("all are registered", || {
            shops.all.iter().all(|shop| {
                let place = format!("replicas/{}", shop.id);
                shops.etcd.revision(&place).is_some()
            })
        });
        shops
    }

    /// Lets a further shop join, which nobody calls.
    pub(crate) fn join(&mut self) {
        let _entered = self.runtime.enter();
        let shop = Shop::join(&self.etcd, self.all.len(), true);
        self.all.push(shop);
    }

    /// Returns the command that runs an experiment on the zone `a`, with these fields in the place of its own.
    pub(crate) fn command(&self, fields: Value, arguments: &[&str]) -> std::process::Command {
        let mut experiment = json!({
            "title": "Half of the orders are lost",
            "target": { "fleet": {
                "etcd": self.etcd.0.endpoints(), "name": "demo", "labels": { "zone": "a" },
            } },
            "hypothesis": { "title": "Orders are shown", "probes": [
                { "name": "orders", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } } },
            ] },
            "observe": { "before": "500ms", "after": "200ms" },
            "phases": [phase("lost", "1m", json!({}))],
            "conclusive": { "hits": { "at_least": 10 } },
        });
        let fields = fields.as_object().unwrap().clone();
        experiment.as_object_mut().unwrap().extend(fields);
        let path = self.folder.path().join("experiment.json");
        std::fs::write(&path, experiment.to_string()).unwrap();
        let mut command = command(&["run"]);
        command
            .arg(path)
            .args(["--key-file", &self.key, "--by", "ann"]);
        command.args(arguments);
        command
    }

    /// Returns the journal of the last run.
    #[track_caller]
    pub(crate) fn journal(&self) -> Value {
        let path = self.folder.path().join("experiment.journal.json");
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Returns whether the journal says that a phase has begun.
    pub(crate) fn is_in_a_phase(&self) -> bool {
        let journal = self.journal();
        let place = journal["x-chaos"]["ended_in"].as_str().unwrap();
        !["", "before", "estimate"].contains(&place)
    }

    /// Returns what the journal says of each replica that the rules were meant for.
    pub(crate) fn targets(&self) -> Vec<Value> {
        let journal = self.journal();
        journal["x-chaos"]["targets"].as_array().unwrap().clone()
    }

    pub(crate) fn faults(&self) -> u64 {
        self.all.iter().map(Shop::faults).sum()
    }

    /// Returns the ids of the shops that were hit.
    pub(crate) fn hit(&self) -> Vec<&str> {
        let hit = self.all.iter().filter(|shop| shop.faults() > 0);
        hit.map(|shop| shop.id.as_str()).collect()
    }

    pub(crate) fn are_idle(&self) -> bool {
        self.all.iter().all(Shop::is_idle)
    }

    /// Returns the name of the documents of the experiment.
    pub(crate) fn document() -> &'static str {
        "experiment-half-of-the-orders-are-lost"
    }

    pub(crate) fn has_document(&self) -> bool {
        let place = format!("orders/rules/{}", Self::document());
        self.etcd.revision(&place).is_some()
    }
}

impl Shop {
    fn join(etcd: &Etcd, nth: usize, is_named: bool) -> Self {
        let port = Port::new();
        let zone = if nth.is_multiple_of(2) { "a" } else { "b" };
        let id = format!("shop-{nth}");
        let mut replica = Replica::new(id.parse().unwrap())
            .label("zone", zone)
            .unwrap();
        if is_named {
            replica = replica.label("admin", &port.url).unwrap();
        }
        let trust = Trust::Key(TokenKey::new(KEY.as_bytes()).unwrap());
        let store = chaos_fleet::Etcd::new(etcd.0.endpoints()).unwrap();
        let fleet = Fleet::etcd(store, "demo".parse().unwrap(), replica, trust);
        let member = fleet.hold(Duration::from_secs(5)).join(&port.injector);
        Self {
            id,
            member: member.unwrap(),
            port,
            faults: Arc::default(),
        }
    }
}

/// Calls each shop some fifty times a second.
fn call(shops: &[Shop], is_over: Arc<AtomicBool>) -> JoinHandle<()> {
    let called = shops.iter().map(|shop| {
        let layer = InjectLayer::with_injector("http.server", &shop.port.injector);
        let router = Router::new().route("/orders/{id}", get(async || "a teapot"));
        (router.layer(layer), Arc::clone(&shop.faults))
    });
    let called: Vec<_> = called.collect();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            while !is_over.load(Ordering::Relaxed) {
                for (router, faults) in &called {
                    let request = Request::get("/orders/7").body(Body::empty()).unwrap();
                    let answer = router.clone().oneshot(request).await.unwrap();
                    if answer.headers().contains_key("x-chaos-fault") {
                        faults.fetch_add(1, Ordering::Relaxed);
                    }
                    // A call is over once its answer is read.
                    axum::body::to_bytes(answer.into_body(), 1_000)
                        .await
                        .unwrap();
                }
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
    })
}

impl Drop for Shops {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.calls.take().unwrap().join();
    }
}
