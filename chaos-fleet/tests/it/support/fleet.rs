//! A fleet whose replicas only write reports.

use std::time::Duration;

use chaos_core::{Clock, token::TokenKey};
use chaos_fleet::{Controller, Document, Etcd, FleetError, Name, Operator, Trust};
use etcd_client::{Client, Txn, TxnOp};
use etcd_cluster::Cluster;
use serde_json::{Value, json};

pub(crate) fn name(name: &str) -> Name {
    name.parse().unwrap()
}

pub(crate) fn trust() -> Trust {
    Trust::Key(TokenKey::new(&[7; 32]).unwrap())
}

pub(crate) fn etcd(cluster: &Cluster) -> Etcd {
    Etcd::new(cluster.endpoints()).unwrap()
}

pub(crate) fn operator(cluster: &Cluster) -> Operator {
    Operator::new(etcd(cluster), name("shop")).trusting(trust())
}

pub(crate) async fn take(
    cluster: &Cluster,
    by: &str,
    hold: Duration,
) -> Result<Controller, FleetError> {
    Controller::take(etcd(cluster), name("shop"), trust(), by, hold).await
}

/// The document `lost`, with these fields beside its rules.
pub(crate) fn document(fields: &Value) -> Document {
    let mut document = json!({
        "name": "lost",
        "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
        "ttl": "10m",
    });
    let fields = fields.as_object().unwrap();
    document.as_object_mut().unwrap().extend(fields.clone());
    Document::from_value(document).unwrap()
}

/// What a replica has in etcd: `outcome` is what it says of the document `lost`.
pub(crate) fn report(id: &str, zone: &str, outcome: Option<Value>) -> Value {
    json!({
        "id": id,
        "labels": { "zone": zone },
        "version": "0.1.0",
        "seen": 1,
        "generation": 1,
        "state": "idle",
        "documents": outcome.map_or_else(|| json!({}), |outcome| json!({ "lost": outcome })),
    })
}

/// Writes to etcd past the library.
pub(crate) struct Raw(Client);

impl Raw {
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        Self(
            Client::connect(&cluster.endpoints()[..1], None)
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn put(&self, key: &str, value: impl ToString) {
        let key = format!("/chaos/shop/{key}");
        let put = self.0.kv_client().put(key, value.to_string(), None).await;
        put.unwrap();
    }

    pub(crate) async fn delete(&self, key: &str) {
        let key = format!("/chaos/shop/{key}");
        self.0.kv_client().delete(key, None).await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let key = format!("/chaos/shop/{key}");
        let answer = self.0.kv_client().get(key, None).await.unwrap();
        let value = answer.kvs().first();
        value.map(|kv| kv.value_str().unwrap().to_owned())
    }

    /// Returns the revisions in which a key was put, of the whole history of etcd.
    #[cfg(feature = "picker")]
    pub(crate) async fn puts(&self, key: &str) -> Vec<i64> {
        use etcd_client::{EventType, WatchOptions};
        let key = format!("/chaos/shop/{key}");
        let got = self.0.kv_client().get("/", None).await.unwrap();
        let now = got.header().unwrap().revision();
        // The end of the history is told by a put of another key.
        let (end, mut puts) = (format!("{key}~"), vec![]);
        let put = self.0.kv_client().put(end.as_str(), "", None).await;
        put.unwrap();
        let options = WatchOptions::new()
            .with_range(format!("{key}~~"))
            .with_start_revision(1);
        let mut watch = self
            .0
            .watch_client()
            .watch(key.as_str(), Some(options))
            .await
            .unwrap();
        loop {
            let answer = watch.message().await.unwrap().unwrap();
            for event in answer.events() {
                let kv = event.kv().unwrap();
                if kv.key() == end.as_bytes() && kv.mod_revision() > now {
                    return puts;
                }
                if kv.key() == key.as_bytes() && event.event_type() == EventType::Put {
                    puts.push(kv.mod_revision());
                }
            }
        }
    }

    /// Registers replicas, in one zone or another by turns.
    pub(crate) async fn register(&self, ids: impl Iterator<Item = usize>) {
        let puts: Vec<_> = ids
            .map(|at| {
                let (id, zone) = (format!("shop-{at}"), if at % 2 == 0 { "a" } else { "b" });
                let report = report(&id, zone, None).to_string();
                TxnOp::put(format!("/chaos/shop/replicas/{id}"), report, None)
            })
            .collect();
        for part in puts.chunks(100) {
            let txn = Txn::new().and_then(part);
            self.0.kv_client().txn(txn).await.unwrap();
        }
    }
}

/// Returns the leases there are, as `etcdctl` writes them.
pub(crate) fn leases(cluster: &Cluster) -> Vec<String> {
    let listed = cluster.ctl(&["lease", "list"]);
    listed.lines().skip(1).map(str::to_owned).collect()
}

/// Waits until something holds, and returns how long that took. It holds within `most`.
#[track_caller]
pub(crate) fn within<F: Future<Output = bool>>(
    most: Duration,
    holds: impl Fn() -> F,
) -> impl Future<Output = Duration> {
    let place = std::panic::Location::caller();
    async move {
        let clock = Clock::monotonic();
        while !holds().await {
            assert!(clock.now() < most, "not within {most:?}, {place}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(clock.now() < most, "after {:?}, {place}", clock.now());
        clock.now()
    }
}
