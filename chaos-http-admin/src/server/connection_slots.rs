//! The slots that connections have at the port: few, and never slot against someone who comes.
//!
//! When all are taken, one connection gives its activity up to the next. Anyone can hold a connection open
//! for nothing, or send a byte of a request now and then; so it is no reason to stay that a connection
//! came first. It is one to have shown a good token, to come from an address that holds few slots,
//! and to have begun a request of late, in this order. AccessTokens do not count while more than half of the
//! slots are theirs: whoever has one and leaks connections keeps nobody else out.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use chaos_core::Clock;
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::access::origin::Origin;

/// Connections at a time: a quarter of the descriptors that a process has by default, so that nobody
/// uses up the service's; and so many that a burst of others does not push out someone who has come and
/// not spoken yet.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// What one connection says of itself.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    /// When it came, or last began or ended a request: in microseconds of the clock.
    last_used: AtomicU64,
    authenticated: AtomicBool,
}

impl Activity {
    fn new(clock: Clock) -> Arc<Self> {
        let activity = Self {
            clock,
            last_used: AtomicU64::new(0),
            authenticated: AtomicBool::new(false),
        };
        activity.touch();
        Arc::new(activity)
    }

    /// A request begins or ends.
    pub(crate) fn touch(&self) {
        let now = self.clock.now().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        // A guess at worst if it is read meanwhile; so are the other two.
        self.last_used.store(now, Ordering::Relaxed);
    }

    /// It has shown a good token.
    pub(crate) fn mark_authenticated(&self) {
        self.authenticated.store(true, Ordering::Relaxed);
    }
}

/// The connections that are served.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    clock: Clock,
    tasks: JoinSet<()>,
    occupied: HashMap<Id, Slot>,
}

#[derive(Debug)]
struct Slot {
    from: Origin,
    activity: Arc<Activity>,
    end: AbortHandle,
}

impl ConnectionSlots {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::monotonic(),
            tasks: JoinSet::new(),
            occupied: HashMap::new(),
        }
    }

    /// Serves a connection, if need be in the activity of another.
    pub(crate) async fn serve<F>(&mut self, from: Origin, serve: impl FnOnce(Arc<Activity>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.occupied.len() >= MAX_CONNECTIONS {
            if let Some(slot) = self.eviction_candidate() {
                slot.end.abort();
            }
            // It ends as soon as it lets go of its thread, and its descriptor is closed with it.
            while self.occupied.len() >= MAX_CONNECTIONS && self.join_next().await {}
        }
        let activity = Activity::new(self.clock.clone());
        let end = self.tasks.spawn(serve(Arc::clone(&activity)));
        self.occupied.insert(
            end.id(),
            Slot {
                from,
                activity,
                end,
            },
        );
    }

    /// Waits until a connection has ended; `false` if there is none. Cancel-safe.
    pub(crate) async fn join_next(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.occupied.remove(&id),
            Some(Err(error)) => self.occupied.remove(&error.id()),
            None => return false,
        };
        true
    }

    /// Waits until all have ended.
    pub(crate) async fn join_all(&mut self) {
        while self.join_next().await {}
    }

    fn eviction_candidate(&self) -> Option<&Slot> {
        let is_authenticated = |slot: &Slot| slot.activity.authenticated.load(Ordering::Relaxed);
        let authenticated = self
            .occupied
            .values()
            .filter(|slot| is_authenticated(slot))
            .count();
        let mut per_origin: HashMap<Origin, usize> = HashMap::new();
        for slot in self.occupied.values() {
            *per_origin.entry(slot.from).or_default() += 1;
        }
        let rank = |slot: &&Slot| {
            let is_protected = authenticated <= MAX_CONNECTIONS / 2 && is_authenticated(slot);
            let connections = per_origin.get(&slot.from).copied().unwrap_or_default();
            let last = slot.activity.last_used.load(Ordering::Relaxed);
            (is_protected, Reverse(connections), last)
        };
        self.occupied.values().min_by_key(rank)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, net::IpAddr, time::Duration};

    use chaos_core::ManualClock;

    use super::*;

    /// ConnectionSlots that are all taken, each a second after the last_used.
    async fn full() -> (ConnectionSlots, ManualClock) {
        let clock = ManualClock::new();
        let mut slots = ConnectionSlots::new();
        slots.clock = clock.clone().into();
        for _ in 0..MAX_CONNECTIONS {
            serve(&mut slots, 0).await;
            clock.advance(Duration::from_secs(1));
        }
        (slots, clock)
    }

    async fn serve(slots: &mut ConnectionSlots, host: u8) {
        let from = Origin::of(IpAddr::from([192, 0, 2, host]));
        slots.serve(from, |_| pending()).await;
    }

    fn eviction_candidate(slots: &ConnectionSlots) -> (Origin, u64) {
        let slot = slots.eviction_candidate().expect("there are some");
        (
            slot.from,
            slot.activity.last_used.load(Ordering::Relaxed) / 1_000_000,
        )
    }

    #[tokio::test]
    async fn the_longest_idle_connection_is_evicted() {
        let (mut slots, _clock) = full().await;
        let first = |activity: &&Slot| activity.activity.last_used.load(Ordering::Relaxed) == 0;
        slots
            .occupied
            .values()
            .find(first)
            .expect("one")
            .activity
            .touch();
        let origin = Origin::of([192, 0, 2, 0].into());
        assert_eq!(eviction_candidate(&slots), (origin, 1));
        serve(&mut slots, 0).await;
        assert_eq!(slots.occupied.len(), MAX_CONNECTIONS);
        assert_eq!(eviction_candidate(&slots), (origin, 2));
    }

    #[tokio::test]
    async fn many_connections_of_one_origin_evict_no_other() {
        let (mut slots, clock) = full().await;
        serve(&mut slots, 9).await;
        for _ in 0..2 * MAX_CONNECTIONS {
            clock.advance(Duration::from_secs(1));
            serve(&mut slots, 0).await;
        }
        let quiet = Origin::of([192, 0, 2, 9].into());
        assert!(slots.occupied.values().any(|slot| slot.from == quiet));
    }

    #[tokio::test]
    async fn a_token_keeps_a_slot_unless_most_have_one() {
        let (slots, _clock) = full().await;
        let mut by_age: Vec<_> = slots.occupied.values().collect();
        by_age.sort_by_key(|slot| slot.activity.last_used.load(Ordering::Relaxed));
        for (age, slot) in by_age.iter().enumerate() {
            let (_, last) = eviction_candidate(&slots);
            let expected = if age <= MAX_CONNECTIONS / 2 { age } else { 0 };
            assert_eq!(last, expected as u64);
            slot.activity.mark_authenticated();
        }
    }
}
