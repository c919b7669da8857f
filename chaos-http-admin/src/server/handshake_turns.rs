//! The order in which TLS handshakes are computed.
//!
//! A handshake takes the port's thread about a millisecond, and several with a long RSA key, and anyone may
//! begin one at the cost of a few hundred bytes. If handshakes were computed in the order in which they
//! arrive, a client would wait for those of all unauthenticated clients before it. Instead, one step of one
//! handshake is computed at a time, whatever else the thread has to do comes in between, and the next is
//! chosen by two criteria:
//!
//! 1. A client of the [`Origin`] whose last turn is the longest ago.
//! 2. Of the clients of one origin, the one that came first; every fourth time, the one that came last, if
//!    possible of those whose handshake has begun. A client that came first may be about to be
//!    closed, if its origin opens connections faster than they are served.

use std::{
    future::{Future, poll_fn},
    num::NonZeroUsize,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use lru::LruCache;
use tokio::{sync::oneshot, task::yield_now};

use crate::access::origin::Origin;

/// The number of origins whose last turn is remembered.
const MAX_ORIGINS: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// The turns of one port. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct HandshakeTurns(Arc<Mutex<TurnQueue>>);

#[derive(Debug)]
struct TurnQueue {
    /// Whether someone has the turn.
    is_taken: bool,
    /// The clients that wait for the turn. Some of them may have left.
    waiting: Vec<WaitingHandshake>,
    /// The number of clients and of turns so far.
    clients: u64,
    turns: u64,
    origins: LruCache<Origin, OriginTurns>,
}

/// The turns that an origin has had.
#[derive(Clone, Copy, Debug, Default)]
struct OriginTurns {
    count: u64,
    /// The number of the last one.
    last: u64,
}

/// A client that performs a handshake.
#[derive(Clone, Copy, Debug)]
struct HandshakeClient {
    origin: Origin,
    /// In the order of arrival.
    number: u64,
    has_begun: bool,
}

#[derive(Debug)]
struct WaitingHandshake {
    client: HandshakeClient,
    turn: oneshot::Sender<Turn>,
}

/// The right to compute. Dropping it passes it on.
#[derive(Debug)]
struct Turn(HandshakeTurns);

impl HandshakeTurns {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(TurnQueue {
            is_taken: false,
            waiting: Vec::new(),
            clients: 0,
            turns: 0,
            origins: LruCache::new(MAX_ORIGINS),
        })))
    }

    /// Completes the handshake of a client of `origin`, each step of it in a turn.
    pub(crate) async fn complete<F: Future>(&self, origin: Origin, handshake: F) -> F::Output {
        let mut handshake = pin!(handshake);
        let mut client = self.lock().client(origin);
        loop {
            let turn = self.turn(client).await;
            let step = poll_fn(|cx| Poll::Ready(handshake.as_mut().poll(cx))).await;
            drop(turn);
            if let Poll::Ready(completed) = step {
                return completed;
            }
            client.has_begun = true;
            woken().await;
        }
    }

    /// Waits for the next turn.
    ///
    /// This method is cancel safe: a turn that is not taken is passed on.
    async fn turn(&self, client: HandshakeClient) -> Turn {
        let waiting = self.lock().wait(client);
        if let Some(waiting) = waiting {
            let turn = waiting.await;
            return turn.expect("a turn is passed on to all who wait for one");
        }
        let turn = Turn(self.clone());
        // The other clients whose messages have come begin to wait meanwhile. On a single thread, the turn
        // would be free again for each of them otherwise, and they would compute in the order of arrival.
        yield_now().await;
        turn
    }

    fn lock(&self) -> MutexGuard<'_, TurnQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TurnQueue {
    /// Returns a client that has come now.
    fn client(&mut self, origin: Origin) -> HandshakeClient {
        self.clients += 1;
        HandshakeClient {
            origin,
            number: self.clients,
            has_begun: false,
        }
    }

    /// Takes the turn for `client` if it is free. Otherwise, returns what to wait on for it.
    fn wait(&mut self, client: HandshakeClient) -> Option<oneshot::Receiver<Turn>> {
        if !self.is_taken {
            self.is_taken = true;
            self.count(client.origin);
            return None;
        }
        let (turn, waiting) = oneshot::channel();
        self.waiting.push(WaitingHandshake { client, turn });
        Some(waiting)
    }

    /// Counts a turn of `origin`.
    fn count(&mut self, origin: Origin) {
        self.turns += 1;
        let count = self.of(origin).count + 1;
        let last = self.turns;
        self.origins.put(origin, OriginTurns { count, last });
    }

    fn of(&self, origin: Origin) -> OriginTurns {
        self.origins.peek(&origin).copied().unwrap_or_default()
    }

    /// Removes the one whose turn is next. Returns `None`, and frees the turn, if nobody waits.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        self.waiting.retain(|waiting| !waiting.turn.is_closed());
        let clients = || self.waiting.iter().map(|waiting| waiting.client);
        let origins = clients().map(|client| client.origin);
        let Some(origin) = origins.min_by_key(|origin| self.of(*origin).last) else {
            self.is_taken = false;
            return None;
        };
        let places = clients().enumerate();
        let places = places.filter(|(_, client)| client.origin == origin);
        let next = match self.of(origin).count % 4 {
            0 => places.max_by_key(|(_, client)| (client.has_begun, client.number)),
            _ => places.min_by_key(|(_, client)| client.number),
        };
        let (place, _) = next?;
        self.count(origin);
        Some(self.waiting.swap_remove(place).turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = self.0.lock().next();
        if let Some(next) = next {
            // If that one has left in this moment, the turn is dropped, and so passed on.
            let _ = next.send(Self(self.0.clone()));
        }
    }
}

/// Waits until the task is woken, by whatever it has polled before.
async fn woken() {
    let mut is_first = true;
    poll_fn(|_| match std::mem::take(&mut is_first) {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::{sync::mpsc, task::JoinHandle};

    use super::*;

    fn origin(host: u8) -> Origin {
        Origin::of(IpAddr::from([192, 0, 2, host]))
    }

    impl HandshakeTurns {
        async fn take(&self, host: u8) -> Turn {
            let client = self.lock().client(origin(host));
            self.turn(client).await
        }
    }

    /// Spawns clients that send their name when they have the turn.
    async fn spawn(
        turns: &HandshakeTurns,
        clients: &[(u8, &'static str)],
    ) -> (mpsc::UnboundedReceiver<&'static str>, Vec<JoinHandle<()>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for &(host, name) in clients {
            let (turns, origin, sender) = (turns.clone(), origin(host), sender.clone());
            tasks.push(tokio::spawn(async move {
                let done = turns.complete(origin, async { sender.send(name) });
                done.await.unwrap();
            }));
            yield_now().await;
        }
        (receiver, tasks)
    }

    async fn names(mut receiver: mpsc::UnboundedReceiver<&'static str>) -> String {
        let mut names = String::new();
        while let Some(name) = receiver.recv().await {
            names += name;
        }
        names
    }

    #[tokio::test]
    async fn the_origin_that_waits_longest_is_next_and_of_its_clients_the_first() {
        let turns = HandshakeTurns::new();
        let turn = turns.take(1).await;
        let clients = [(1, "a"), (1, "b"), (2, "x"), (1, "c"), (2, "y"), (3, "z")];
        let (receiver, _tasks) = spawn(&turns, &clients).await;
        drop(turn);
        assert_eq!(names(receiver).await, "yzaxbc");
        // The turn is free again.
        drop(turns.take(1).await);
    }

    #[tokio::test]
    async fn every_fourth_turn_of_an_origin_is_for_the_last() {
        let turns = HandshakeTurns::new();
        let turn = turns.take(1).await;
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let (receiver, _tasks) = spawn(&turns, &names.map(|name| (1, name))).await;
        drop(turn);
        assert_eq!(self::names(receiver).await, "abchdefg");
    }

    #[tokio::test]
    async fn who_leaves_is_passed_over() {
        let turns = HandshakeTurns::new();
        let turn = turns.take(1).await;
        let (receiver, tasks) = spawn(&turns, &[(1, "a"), (2, "b"), (3, "c")]).await;
        tasks[1].abort();
        drop(turn);
        // The one who is next leaves when the turn is passed on, and has not taken it yet.
        tasks[2].abort();
        assert_eq!(names(receiver).await, "a");
        drop(turns.take(1).await);
    }
}
