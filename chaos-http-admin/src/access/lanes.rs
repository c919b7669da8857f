//! The bound on the requests of one client that are under way. Further ones wait, and beyond a number of
//! those, they are refused: whoever asks for much waits for itself, and keeps nobody else waiting.

use std::{
    collections::HashMap,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use chaos_core::Clock;
use hyper::body::{Frame, SizeHint};
use tokio::{sync::Notify, time::timeout};

use crate::access::origin::Origin;

/// How many requests of a client are under way at a time, until their responses are sent.
const MOST: usize = 4;
/// How many further requests of a client wait. It is more than one client of ours ever sends at once.
const MOST_WAITING: usize = 128;
/// How long a response counts as under way. A client that does not read it keeps its other requests waiting
/// no longer.
const LONGEST: Duration = Duration::from_secs(5);

/// Whose requests wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The owner of an access token.
    Token(Arc<str>),
    /// Everyone without a token from one place.
    Anyone(Origin),
}

/// The requests under way of all clients.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    clock: Clock,
    lanes: Arc<Mutex<HashMap<Client, Lane>>>,
}

/// The requests of one client. A client without any has no lane.
#[derive(Debug, Default)]
struct Lane {
    /// The number of each request under way, and when it began.
    under_way: Vec<(u64, Duration)>,
    waiting: usize,
    next: u64,
    /// Notified when a request is done.
    done: Arc<Notify>,
}

/// A place in the lane of a client, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    lanes: Lanes,
    client: Client,
    number: u64,
}

/// There are too many requests of this client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TooMany;

impl Lanes {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::monotonic(),
            lanes: Arc::default(),
        }
    }

    /// Waits for a place in the lane of `client`.
    ///
    /// # Errors
    /// Returns an error if too many requests of the client wait already.
    ///
    /// # Cancel safety
    /// This method is cancel safe: dropping the future gives up the wait.
    pub(crate) async fn enter(&self, client: &Client) -> Result<Ticket, TooMany> {
        let mut waiting = None;
        loop {
            let done = match self.try_enter(client, waiting.is_some()) {
                Ok(ticket) => return Ok(ticket),
                Err(Some(done)) => done,
                Err(None) => return Err(TooMany),
            };
            let mut done = pin!(done.notified());
            done.as_mut().enable();
            // One may have been done in between.
            if let Ok(ticket) = self.try_enter(client, true) {
                return Ok(ticket);
            }
            waiting.get_or_insert_with(|| Waiting::begin(self, client));
            // A response that takes too long is not announced.
            let _ = timeout(LONGEST / 4, done).await;
        }
    }

    /// Takes a place if one is free. Otherwise returns what tells of the next one, or nothing if too many wait.
    fn try_enter(&self, client: &Client, waits: bool) -> Result<Ticket, Option<Arc<Notify>>> {
        let now = self.clock.now();
        let mut lanes = self.lock();
        let lane = lanes.entry(client.clone()).or_default();
        lane.under_way.retain(|(_, began)| now < *began + LONGEST);
        if lane.under_way.len() >= MOST {
            let may_wait = waits || lane.waiting < MOST_WAITING;
            return Err(may_wait.then(|| Arc::clone(&lane.done)));
        }
        let number = lane.next;
        lane.next += 1;
        lane.under_way.push((number, now));
        Ok(Ticket {
            lanes: self.clone(),
            client: client.clone(),
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the lane of `client`, and forgets it if it is empty.
    fn change(&self, client: &Client, change: impl FnOnce(&mut Lane)) {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(client) else {
            return;
        };
        change(lane);
        if lane.under_way.is_empty() && lane.waiting == 0 {
            lanes.remove(client);
        }
    }
}

/// A request that waits.
struct Waiting<'l> {
    lanes: &'l Lanes,
    client: &'l Client,
}

impl<'l> Waiting<'l> {
    fn begin(lanes: &'l Lanes, client: &'l Client) -> Self {
        lanes.lock().entry(client.clone()).or_default().waiting += 1;
        Self { lanes, client }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.lanes.change(self.client, |lane| lane.waiting -= 1);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lanes.change(&self.client, |lane| {
            lane.under_way.retain(|(number, _)| *number != self.number);
            lane.done.notify_one();
        });
    }
}

impl Ticket {
    /// Returns a body that keeps the place until it is sent or dropped.
    pub(crate) fn keep_in(self, body: Body) -> Body {
        Body::new(TicketBody {
            body,
            _ticket: self,
        })
    }
}

/// A body that holds a ticket.
struct TicketBody {
    body: Body,
    _ticket: Ticket,
}

impl hyper::body::Body for TicketBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes() -> (Lanes, Client, Client) {
        let client = |name: &str| Client::Token(name.into());
        (Lanes::new(), client("alice"), client("bob"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_waits_for_itself_alone_and_is_refused_beyond_a_number() {
        let (lanes, alice, bob) = lanes();
        let mut tickets = Vec::new();
        for _ in 0..MOST {
            tickets.push(lanes.enter(&alice).await.unwrap());
        }
        let waits: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let (lanes, alice) = (lanes.clone(), alice.clone());
                tokio::spawn(async move { lanes.enter(&alice).await.map(drop) })
            })
            .collect();
        while lanes.lock()[&alice].waiting < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(lanes.enter(&alice).await.map(drop), Err(TooMany));
        assert!(lanes.enter(&bob).await.is_ok());
        tickets.pop();
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Ok(()));
        }
        drop(tickets);
        assert!(lanes.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_no_trace() {
        let (lanes, alice, _) = lanes();
        let mut tickets = Vec::new();
        for _ in 0..MOST {
            tickets.push(lanes.enter(&alice).await.unwrap());
        }
        let wait = tokio::time::timeout(Duration::from_millis(5), lanes.enter(&alice));
        assert!(wait.await.is_err());
        assert_eq!(lanes.lock()[&alice].waiting, 0);
        drop(tickets);
        assert!(lanes.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_read_keeps_its_place_for_a_time() {
        let (mut lanes, alice, _) = lanes();
        let clock = chaos_core::testing::ManualClock::new();
        lanes.clock = clock.clone().into();
        let mut tickets = Vec::new();
        for _ in 0..MOST {
            tickets.push(lanes.enter(&alice).await.unwrap());
        }
        clock.advance(LONGEST);
        assert!(lanes.enter(&alice).await.is_ok());
    }
}
