//! Writes into etcd by hand what a controller, or somebody else, would write.

use etcd_client::{Client, PutOptions};
use serde_json::{Value, json};

/// A writer for the fleet `shop`.
pub(crate) struct Hand {
    pub(crate) client: Client,
    beats: u64,
}

impl Hand {
    pub(crate) async fn new(endpoint: &str) -> Self {
        let client = Client::connect([endpoint], None).await.unwrap();
        Self { client, beats: 0 }
    }

    /// Grants a lease of so many seconds.
    pub(crate) async fn lease(&mut self, seconds: i64) -> i64 {
        self.client.lease_grant(seconds, None).await.unwrap().id()
    }

    /// Puts a value, on a lease unless that is 0, and returns the revision.
    pub(crate) async fn put(&mut self, key: &str, value: impl Into<Vec<u8>>, lease: i64) -> i64 {
        let options = (lease != 0).then(|| PutOptions::new().with_lease(lease));
        let key = format!("/chaos/shop/{key}");
        let answer = self.client.put(key, value, options).await.unwrap();
        answer.header().unwrap().revision()
    }

    pub(crate) async fn delete(&mut self, key: &str) {
        let key = format!("/chaos/shop/{key}");
        self.client.delete(key, None).await.unwrap();
    }

    pub(crate) async fn get(&mut self, key: &str) -> Option<Value> {
        let key = format!("/chaos/shop/{key}");
        let answer = self.client.get(key, None).await.unwrap();
        let value = answer.kvs().first()?.value().to_vec();
        Some(serde_json::from_slice(&value).unwrap())
    }

    /// Returns how often a key has been put.
    pub(crate) async fn version(&mut self, key: &str) -> i64 {
        let answer = self.client.get(format!("/chaos/shop/{key}"), None).await;
        answer.unwrap().kvs()[0].version()
    }

    /// Puts a document without a signature, and returns the revision.
    pub(crate) async fn document(&mut self, name: &str, changes: Value, lease: i64) -> i64 {
        let document = document(name, changes).to_string();
        self.put(&format!("orders/rules/{name}"), document, lease)
            .await
    }

    /// Beats once.
    pub(crate) async fn beat(&mut self, lease: i64) {
        self.beats += 1;
        self.put("orders/beat", self.beats.to_string(), lease).await;
    }
}

/// A document that fails each call at `db.read`, with changes to what is not signed: `{"document": …}` is merged in.
pub(crate) fn document(name: &str, changes: Value) -> Value {
    let mut claims = json!({
        "aud": "shop", "jti": name, "sub": "ann", "iat": 0, "exp": 4_000_000_000_u64,
        "document": {
            "rules": [{ "id": name, "site": "db.read", "faults": [{ "error": "lost" }] }],
            "meant": { "who": "all" },
            "ttl": 600_000,
            "chunk": 1,
        },
    });
    merge(&mut claims, changes);
    claims
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
