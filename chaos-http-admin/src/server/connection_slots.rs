//! The places that connections have at the port: few, and never held against someone who comes.
//!
//! When all are taken, one connection gives its place up to the next. Anyone can hold a connection open
//! for nothing, or send a byte of a request now and then; so it is no reason to stay that a connection
//! came first. It is one to have shown a good token, to come from an address that holds few places,
//! and to have begun a request of late, in this order. Tokens do not count while more than half of the
//! places are theirs: whoever has one and leaks connections keeps nobody else out.

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
pub(crate) struct Place {
    clock: Clock,
    /// When it came, or last began or ended a request: in microseconds of the clock.
    last: AtomicU64,
    known: AtomicBool,
}

impl Place {
    fn new(clock: Clock) -> Arc<Self> {
        let place = Self {
            clock,
            last: AtomicU64::new(0),
            known: AtomicBool::new(false),
        };
        place.is_in_use();
        Arc::new(place)
    }

    /// A request begins or ends.
    pub(crate) fn is_in_use(&self) {
        let now = self.clock.now().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        // A guess at worst if it is read meanwhile; so are the other two.
        self.last.store(now, Ordering::Relaxed);
    }

    /// It has shown a good token.
    pub(crate) fn is_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

/// The connections that are served.
#[derive(Debug)]
pub(crate) struct Places {
    clock: Clock,
    tasks: JoinSet<()>,
    held: HashMap<Id, Held>,
}

#[derive(Debug)]
struct Held {
    from: Origin,
    place: Arc<Place>,
    end: AbortHandle,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::monotonic(),
            tasks: JoinSet::new(),
            held: HashMap::new(),
        }
    }

    /// Serves a connection, if need be in the place of another.
    pub(crate) async fn take<F>(&mut self, from: Origin, serve: impl FnOnce(Arc<Place>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.held.len() >= MAX_CONNECTIONS {
            if let Some(held) = self.weakest() {
                held.end.abort();
            }
            // It ends as soon as it lets go of its thread, and its descriptor is closed with it.
            while self.held.len() >= MAX_CONNECTIONS && self.left().await {}
        }
        let place = Place::new(self.clock.clone());
        let end = self.tasks.spawn(serve(Arc::clone(&place)));
        self.held.insert(end.id(), Held { from, place, end });
    }

    /// Waits until a connection has ended; `false` if there is none. Cancel-safe.
    pub(crate) async fn left(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.held.remove(&id),
            Some(Err(error)) => self.held.remove(&error.id()),
            None => return false,
        };
        true
    }

    /// Waits until all have ended.
    pub(crate) async fn empty(&mut self) {
        while self.left().await {}
    }

    fn weakest(&self) -> Option<&Held> {
        let is_known = |held: &Held| held.place.known.load(Ordering::Relaxed);
        let known = self.held.values().filter(|held| is_known(held)).count();
        let mut crowds: HashMap<Origin, usize> = HashMap::new();
        for held in self.held.values() {
            *crowds.entry(held.from).or_default() += 1;
        }
        let rank = |held: &&Held| {
            let is_kept = known <= MAX_CONNECTIONS / 2 && is_known(held);
            let crowd = crowds.get(&held.from).copied().unwrap_or_default();
            let last = held.place.last.load(Ordering::Relaxed);
            (is_kept, Reverse(crowd), last)
        };
        self.held.values().min_by_key(rank)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, net::IpAddr, time::Duration};

    use chaos_core::ManualClock;

    use super::*;

    /// Places that are all taken, each a second after the last.
    async fn full() -> (Places, ManualClock) {
        let clock = ManualClock::new();
        let mut places = Places::new();
        places.clock = clock.clone().into();
        for _ in 0..MAX_CONNECTIONS {
            take(&mut places, 0).await;
            clock.advance(Duration::from_secs(1));
        }
        (places, clock)
    }

    async fn take(places: &mut Places, host: u8) {
        let from = Origin::of(IpAddr::from([192, 0, 2, host]));
        places.take(from, |_| pending()).await;
    }

    fn weakest(places: &Places) -> (Origin, u64) {
        let held = places.weakest().expect("there are some");
        (
            held.from,
            held.place.last.load(Ordering::Relaxed) / 1_000_000,
        )
    }

    #[tokio::test]
    async fn who_did_nothing_for_longest_gives_way() {
        let (mut places, _clock) = full().await;
        let first = |place: &&Held| place.place.last.load(Ordering::Relaxed) == 0;
        places
            .held
            .values()
            .find(first)
            .expect("one")
            .place
            .is_in_use();
        let origin = Origin::of([192, 0, 2, 0].into());
        assert_eq!(weakest(&places), (origin, 1));
        take(&mut places, 0).await;
        assert_eq!(places.held.len(), MAX_CONNECTIONS);
        assert_eq!(weakest(&places), (origin, 2));
    }

    #[tokio::test]
    async fn who_comes_in_crowds_pushes_nobody_else_out() {
        let (mut places, clock) = full().await;
        take(&mut places, 9).await;
        for _ in 0..2 * MAX_CONNECTIONS {
            clock.advance(Duration::from_secs(1));
            take(&mut places, 0).await;
        }
        let quiet = Origin::of([192, 0, 2, 9].into());
        assert!(places.held.values().any(|held| held.from == quiet));
    }

    #[tokio::test]
    async fn a_token_keeps_a_place_unless_most_have_one() {
        let (places, _clock) = full().await;
        let mut by_age: Vec<_> = places.held.values().collect();
        by_age.sort_by_key(|held| held.place.last.load(Ordering::Relaxed));
        for (age, held) in by_age.iter().enumerate() {
            let (_, last) = weakest(&places);
            let expected = if age <= MAX_CONNECTIONS / 2 { age } else { 0 };
            assert_eq!(last, expected as u64);
            held.place.is_known();
        }
    }
}
