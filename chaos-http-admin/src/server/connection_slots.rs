//! The limit on open connections, and which connection is closed when it is reached.
//!
//! A new connection is always accepted: when all slots are occupied, one existing connection is closed. Anyone
//! can hold a connection open at no cost, or send a byte of a request now and then, so a connection is not
//! protected by its age. The one to be closed is chosen by three criteria, in this order:
//!
//! 1. A connection that has not presented a valid access token, before one that has. This criterion is not
//!    applied while more than half of the slots are held by authenticated connections, so a client that has a
//!    token and leaks connections cannot lock out the others.
//! 2. A connection of the [`Origin`] that holds the most slots.
//! 3. The connection on which the least recent request began or ended.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use chaos_core::Clock;
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::access::{activity::Activity, origin::Origin};

/// The number of connections that may be open at a time.
///
/// It is a quarter of the file descriptors that a process has by default, so that the port leaves enough to the
/// service, and large enough that a burst of connections does not close one that has been accepted and has sent
/// no request yet. Where a process may open fewer files, a port takes a quarter of those.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// The number of descriptors that a port needs besides those of its connections: its listener, its runtime, and
/// a connection that is accepted before another one gives way to it.
const OTHER_DESCRIPTORS: usize = 5;

/// Returns how many connections may be open at a time if this process may open so many files.
fn max_connections(open_files: usize) -> usize {
    let connections = (open_files / 4).saturating_sub(OTHER_DESCRIPTORS);
    connections.clamp(2, MAX_CONNECTIONS)
}

/// Returns how many files this process may open.
fn open_files() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    let limit = limit.and_then(|limit: u64| usize::try_from(limit).ok());
    limit.unwrap_or(usize::MAX)
}

/// The open connections, each served by a task.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    clock: Clock,
    most: usize,
    tasks: JoinSet<()>,
    occupied: HashMap<Id, Slot>,
}

#[derive(Debug)]
struct Slot {
    origin: Origin,
    activity: Arc<Activity>,
    task: AbortHandle,
}

impl ConnectionSlots {
    /// Creates as many slots as the limit on open files of this process allows.
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::monotonic(),
            most: max_connections(open_files()),
            tasks: JoinSet::new(),
            occupied: HashMap::new(),
        }
    }

    /// Spawns a task that serves a connection from `origin`, and first closes another connection if all slots
    /// are occupied.
    pub(crate) async fn serve<F>(&mut self, origin: Origin, serve: impl FnOnce(Arc<Activity>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.occupied.len() >= self.most {
            if let Some(slot) = self.eviction_candidate() {
                slot.task.abort();
            }
            // An aborted task ends when it next yields, and its socket is closed with it.
            while self.occupied.len() >= self.most && self.join_next().await {}
        }
        let activity = Activity::new(self.clock.clone());
        let task = self.tasks.spawn(serve(Arc::clone(&activity)));
        let slot = Slot {
            origin,
            activity,
            task,
        };
        self.occupied.insert(slot.task.id(), slot);
    }

    /// Waits until a connection has ended, and frees its slot. Returns `false` if there is no connection.
    ///
    /// This method is cancel safe: a slot stays occupied until its task has been joined.
    pub(crate) async fn join_next(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.occupied.remove(&id),
            Some(Err(error)) => self.occupied.remove(&error.id()),
            None => return false,
        };
        true
    }

    /// Waits until all connections have ended.
    pub(crate) async fn join_all(&mut self) {
        while self.join_next().await {}
    }

    fn eviction_candidate(&self) -> Option<&Slot> {
        let slots = || self.occupied.values();
        let authenticated = slots().filter(|slot| slot.activity.is_authenticated());
        let protects_authenticated = authenticated.count() <= self.most / 2;
        let mut per_origin: HashMap<Origin, usize> = HashMap::new();
        for slot in slots() {
            *per_origin.entry(slot.origin).or_default() += 1;
        }
        let rank = |slot: &&Slot| {
            let is_protected = protects_authenticated && slot.activity.is_authenticated();
            let connections = per_origin.get(&slot.origin).copied().unwrap_or_default();
            (
                is_protected,
                Reverse(connections),
                slot.activity.last_used(),
            )
        };
        slots().min_by_key(rank)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, net::IpAddr, time::Duration};

    use chaos_core::testing::ManualClock;

    use super::*;

    /// Returns slots that are all occupied, by connections accepted one second apart.
    async fn full() -> (ConnectionSlots, ManualClock) {
        let clock = ManualClock::new();
        let mut slots = ConnectionSlots::new();
        slots.clock = clock.clone().into();
        slots.most = MAX_CONNECTIONS;
        for _ in 0..MAX_CONNECTIONS {
            serve(&mut slots, 0).await;
            clock.advance(Duration::from_secs(1));
        }
        (slots, clock)
    }

    async fn serve(slots: &mut ConnectionSlots, host: u8) {
        let origin = Origin::of(IpAddr::from([192, 0, 2, host]));
        slots.serve(origin, |_| pending()).await;
    }

    /// Returns the origin of the connection to be closed, and the second in which it was last used.
    fn eviction_candidate(slots: &ConnectionSlots) -> (Origin, u64) {
        let slot = slots.eviction_candidate().expect("there are some");
        (slot.origin, slot.activity.last_used() / 1_000_000)
    }

    #[test]
    fn a_quarter_of_the_files_is_left_to_a_port_at_most() {
        for (open_files, expected) in [
            (0, 2),
            (16, 2),
            (64, 11),
            (256, 59),
            (1024, 251),
            (4096, 256),
            (usize::MAX, 256),
        ] {
            assert_eq!(max_connections(open_files), expected, "{open_files}");
        }
    }

    #[tokio::test]
    async fn the_longest_idle_connection_is_closed() {
        let (mut slots, _clock) = full().await;
        let first = |slot: &&Slot| slot.activity.last_used() == 0;
        let first = slots.occupied.values().find(first).expect("one");
        first.activity.touch();
        let origin = Origin::of([192, 0, 2, 0].into());
        assert_eq!(eviction_candidate(&slots), (origin, 1));
        serve(&mut slots, 0).await;
        assert_eq!(slots.occupied.len(), MAX_CONNECTIONS);
        assert_eq!(eviction_candidate(&slots), (origin, 2));
    }

    #[tokio::test]
    async fn many_connections_of_one_origin_close_no_other() {
        let (mut slots, clock) = full().await;
        serve(&mut slots, 9).await;
        for _ in 0..2 * MAX_CONNECTIONS {
            clock.advance(Duration::from_secs(1));
            serve(&mut slots, 0).await;
        }
        let quiet = Origin::of([192, 0, 2, 9].into());
        assert!(slots.occupied.values().any(|slot| slot.origin == quiet));
    }

    #[tokio::test]
    async fn a_token_protects_a_connection_unless_most_have_one() {
        let (slots, _clock) = full().await;
        let mut by_age: Vec<_> = slots.occupied.values().collect();
        by_age.sort_by_key(|slot| slot.activity.last_used());
        for (age, slot) in by_age.iter().enumerate() {
            let (_, last_used) = eviction_candidate(&slots);
            let expected = if age <= MAX_CONNECTIONS / 2 { age } else { 0 };
            assert_eq!(last_used, expected as u64);
            slot.activity.mark_authenticated();
        }
    }
}
