//! One connection to etcd: what of it a fleet uses.
//!
//! Every request ends in time. After an error a session is not used again: whoever had it connects anew and lists anew.

use std::{collections::VecDeque, time::Duration};

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, PutOptions, Txn, TxnOp,
    WatchOptions,
};
use tokio::time::{sleep, timeout};

pub(crate) use crate::store::watch::Watch;
use crate::{error::StoreError, store::keeper::Keeper};

/// A connection to one endpoint. Clones share it.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    pub(super) endpoint: String,
    /// How long an answer may take.
    patience: Duration,
}

/// What etcd holds at a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The revision of etcd in which the key came to be.
    pub(crate) created: i64,
    /// The revision of etcd in which it was put last.
    pub(crate) revision: i64,
    /// The lease that it hangs on; 0 if on none.
    pub(crate) lease: i64,
}

/// What a watch sees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Put(Entry),
    /// The key, and the revision in which it was deleted.
    Deleted(Vec<u8>, i64),
}

/// The state of a prefix at one revision.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) revision: i64,
    pub(crate) entries: Vec<Entry>,
}

impl Session {
    /// The number of keys that are asked for at a time.
    const PAGE: i64 = 40;
    /// The largest message that is read: a page of the largest values that etcd takes, which have 1.5 MiB unless it is told
    /// otherwise.
    const MOST_BYTES: usize = 64 * 1024 * 1024;

    pub(crate) fn new(client: Client, endpoint: &str, patience: Duration) -> Self {
        Self {
            client,
            endpoint: endpoint.to_owned(),
            patience,
        }
    }

    /// Waits for an answer of etcd.
    pub(super) async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, etcd_client::Error>>,
    ) -> Result<T, StoreError> {
        match timeout(self.patience, asked).await {
            Ok(answer) => answer.map_err(|error| self.failed(error)),
            Err(_) => Err(StoreError::Silent {
                endpoint: self.endpoint.clone(),
            }),
        }
    }

    pub(super) fn failed(&self, error: etcd_client::Error) -> StoreError {
        StoreError::of(&self.endpoint, &error)
    }

    /// Says that somebody else has put a key.
    pub(crate) fn taken(&self, key: &str) -> StoreError {
        StoreError::Taken {
            endpoint: self.endpoint.clone(),
            key: key.to_owned(),
        }
    }

    pub(super) fn ended(&self, what: &'static str) -> StoreError {
        StoreError::Ended {
            endpoint: self.endpoint.clone(),
            what,
        }
    }

    /// Returns all keys that begin with `prefix`, as they are in one revision.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Listed, StoreError> {
        let mut kv = (self.client.kv_client()).max_decoding_message_size(Self::MOST_BYTES);
        let (mut entries, mut revision) = (Vec::new(), 0);
        let mut from = prefix.as_bytes().to_vec();
        loop {
            let options = GetOptions::new()
                .with_range(end_of(prefix))
                .with_limit(Self::PAGE)
                .with_revision(revision);
            let mut page = self.answer(kv.get(from, Some(options))).await?;
            if revision == 0 {
                revision = page
                    .header()
                    .map_or(0, etcd_client::ResponseHeader::revision);
            }
            entries.extend(page.take_kvs().iter().map(entry));
            let Some(last) = entries.last().filter(|_| page.more()) else {
                return Ok(Listed { revision, entries });
            };
            // The next key there can be.
            from = [last.key.as_slice(), &[0]].concat();
        }
    }

    /// Returns what a key holds.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let mut kv = self.client.kv_client();
        let answer = self.answer(kv.get(key, None)).await?;
        Ok(answer.kvs().first().map(entry))
    }

    /// Watches all keys that begin with `prefix`, from a revision on.
    pub(crate) async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, StoreError> {
        let mut watches = (self.client.watch_client()).max_decoding_message_size(Self::MOST_BYTES);
        let options = WatchOptions::new()
            .with_range(end_of(prefix))
            .with_start_revision(from);
        let stream = self.answer(watches.watch(prefix, Some(options))).await?;
        Ok(Watch {
            session: self.clone(),
            stream,
            pending: VecDeque::new(),
        })
    }

    /// Puts a value, on a lease if there is one, and returns the revision.
    pub(crate) async fn put(
        &self,
        key: &str,
        value: impl Into<Vec<u8>>,
        lease: Option<i64>,
    ) -> Result<i64, StoreError> {
        let options = lease.map(|lease| PutOptions::new().with_lease(lease));
        let mut kv = self.client.kv_client();
        let answer = self.answer(kv.put(key, value, options)).await?;
        Ok(answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision))
    }

    /// Deletes a key, and returns whether there was one.
    pub(crate) async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        let mut kv = self.client.kv_client();
        Ok(self.answer(kv.delete(key, None)).await?.deleted() > 0)
    }

    /// Deletes all keys that begin with `prefix`.
    pub(crate) async fn delete_all(&self, prefix: &str) -> Result<(), StoreError> {
        let options = DeleteOptions::new().with_range(end_of(prefix));
        let mut kv = self.client.kv_client();
        self.answer(kv.delete(prefix, Some(options))).await?;
        Ok(())
    }

    /// Puts a value if the key was put last in this revision, 0 for a key that is not there. Returns the revision of the
    /// put; `None` if the key is another by now.
    pub(crate) async fn swap(
        &self,
        key: &str,
        revision: i64,
        value: impl Into<Vec<u8>>,
        lease: Option<i64>,
    ) -> Result<Option<i64>, StoreError> {
        let options = lease.map(|lease| PutOptions::new().with_lease(lease));
        let txn = Txn::new()
            .when([Compare::mod_revision(key, CompareOp::Equal, revision)])
            .and_then([TxnOp::put(key, value, options)]);
        let mut kv = self.client.kv_client();
        let answer = self.answer(kv.txn(txn)).await?;
        let revision = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        Ok(answer.succeeded().then_some(revision))
    }

    /// Puts a value on a lease, or on none, and deletes all keys that begin with `cleared`, in one revision, which is
    /// returned. With `held`, only if that key hangs on that lease; `None` if it does not.
    pub(crate) async fn put_and_clear(
        &self,
        key: &str,
        value: impl Into<Vec<u8>>,
        lease: Option<i64>,
        cleared: &str,
        held: Option<(&str, i64)>,
    ) -> Result<Option<i64>, StoreError> {
        let options = lease.map(|lease| PutOptions::new().with_lease(lease));
        let range = DeleteOptions::new().with_range(end_of(cleared));
        let held = held.map(|(key, lease)| Compare::lease(key, CompareOp::Equal, lease));
        let txn = Txn::new()
            .when(held.into_iter().collect::<Vec<_>>())
            .and_then([
                TxnOp::put(key, value, options),
                TxnOp::delete(cleared, Some(range)),
            ]);
        let mut kv = self.client.kv_client();
        let answer = self.answer(kv.txn(txn)).await?;
        let revision = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        Ok(answer.succeeded().then_some(revision))
    }

    /// Deletes a key if it was put last in this revision, and returns whether it was.
    pub(crate) async fn delete_at(&self, key: &str, revision: i64) -> Result<bool, StoreError> {
        let txn = Txn::new()
            .when([Compare::mod_revision(key, CompareOp::Equal, revision)])
            .and_then([TxnOp::delete(key, None)]);
        let mut kv = self.client.kv_client();
        Ok(self.answer(kv.txn(txn)).await?.succeeded())
    }

    /// Puts a value if the key was put last in this revision, 0 for a key that is not there, and while another key has the
    /// life that began in a revision. Returns whether it was put.
    pub(crate) async fn swap_while(
        &self,
        key: &str,
        revision: i64,
        value: impl Into<Vec<u8>>,
        (other, life): (String, i64),
    ) -> Result<bool, StoreError> {
        let txn = Txn::new()
            .when([
                Compare::mod_revision(key, CompareOp::Equal, revision),
                Compare::create_revision(other, CompareOp::Equal, life),
            ])
            .and_then([TxnOp::put(key, value, None)]);
        let mut kv = self.client.kv_client();
        Ok(self.answer(kv.txn(txn)).await?.succeeded())
    }

    /// Grants a lease, in whole seconds, rounded up.
    pub(crate) async fn grant(&self, ttl: Duration) -> Result<i64, StoreError> {
        let seconds = i64::try_from(ttl.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
        let mut leases = self.client.lease_client();
        Ok(self.answer(leases.grant(seconds, None)).await?.id())
    }

    /// Ends a lease, and deletes all keys that hang on it.
    pub(crate) async fn revoke(&self, lease: i64) -> Result<(), StoreError> {
        let mut leases = self.client.lease_client();
        self.answer(leases.revoke(lease)).await?;
        Ok(())
    }

    /// Keeps a lease alive, by a request each `every`, until that fails.
    pub(crate) async fn keep(&self, lease: i64, every: Duration) -> StoreError {
        let mut keeper = match self.keeper(lease).await {
            Ok(keeper) => keeper,
            Err(error) => return error,
        };
        loop {
            if let Err(error) = keeper.keep().await {
                return error;
            }
            sleep(every).await;
        }
    }

    /// Keeps a lease alive once, and returns what does so again.
    pub(crate) async fn keeper(&self, lease: i64) -> Result<Keeper, StoreError> {
        let mut leases = self.client.lease_client();
        let (requests, answers) = self.answer(leases.keep_alive(lease)).await?;
        Ok(Keeper {
            session: self.clone(),
            requests,
            answers,
        })
    }
}

pub(super) fn entry(kv: &KeyValue) -> Entry {
    Entry {
        key: kv.key().to_vec(),
        value: kv.value().to_vec(),
        created: kv.create_revision(),
        revision: kv.mod_revision(),
        lease: kv.lease(),
    }
}

/// Returns the first key after all that begin with `prefix`, which ends with a letter or a slash.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
