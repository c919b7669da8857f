//! The bound on the requests of one client that are under way. Further requests wait, up to a number,
//! and are refused beyond it. So a client that sends many requests delays itself alone.

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
pub(crate) struct RequestLimits {
    clock: Clock,
    clients: Arc<Mutex<HashMap<Client, ClientRequests>>>,
}

/// The requests of one client. A client without any is forgotten.
#[derive(Debug, Default)]
struct ClientRequests {
    /// The number of each request under way, and when it began.
    under_way: Vec<(u64, Duration)>,
    waiting: usize,
    next: u64,
    /// Notified when a request is done.
    done: Arc<Notify>,
}

/// The permit of one request of a client, which is released when this is dropped.
#[derive(Debug)]
pub(crate) struct RequestPermit {
    limits: RequestLimits,
    client: Client,
    number: u64,
}

/// There are too many requests of this client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TooMany;

impl RequestLimits {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::monotonic(),
            clients: Arc::default(),
        }
    }

    /// Waits until fewer than [`MOST`] requests of `client` are under way.
    ///
    /// # Errors
    /// Returns an error if too many requests of the client wait already.
    ///
    /// # Cancel safety
    /// This method is cancel safe: dropping the future gives up the wait.
    pub(crate) async fn acquire(&self, client: &Client) -> Result<RequestPermit, TooMany> {
        let mut waiting = None;
        loop {
            let done = match self.try_acquire(client, waiting.is_some()) {
                Ok(permit) => return Ok(permit),
                Err(Some(done)) => done,
                Err(None) => return Err(TooMany),
            };
            let mut done = pin!(done.notified());
            done.as_mut().enable();
            // One may have been done in between.
            if let Ok(permit) = self.try_acquire(client, true) {
                return Ok(permit);
            }
            waiting.get_or_insert_with(|| Waiting::begin(self, client));
            // A response that takes too long is not announced.
            let _ = timeout(LONGEST / 4, done).await;
        }
    }

    /// Takes a permit if one is free. Otherwise returns what tells of the next one, or nothing if too many wait.
    fn try_acquire(
        &self,
        client: &Client,
        waits: bool,
    ) -> Result<RequestPermit, Option<Arc<Notify>>> {
        let now = self.clock.now();
        let mut clients = self.lock();
        let requests = clients.entry(client.clone()).or_default();
        requests
            .under_way
            .retain(|(_, began)| now < *began + LONGEST);
        if requests.under_way.len() >= MOST {
            let may_wait = waits || requests.waiting < MOST_WAITING;
            return Err(may_wait.then(|| Arc::clone(&requests.done)));
        }
        let number = requests.next;
        requests.next += 1;
        requests.under_way.push((number, now));
        Ok(RequestPermit {
            limits: self.clone(),
            client: client.clone(),
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, ClientRequests>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the requests of `client`, and forgets the client if it has none.
    fn change(&self, client: &Client, change: impl FnOnce(&mut ClientRequests)) {
        let mut clients = self.lock();
        let Some(requests) = clients.get_mut(client) else {
            return;
        };
        change(requests);
        if requests.under_way.is_empty() && requests.waiting == 0 {
            clients.remove(client);
        }
    }
}

/// A request that waits.
struct Waiting<'l> {
    limits: &'l RequestLimits,
    client: &'l Client,
}

impl<'l> Waiting<'l> {
    fn begin(limits: &'l RequestLimits, client: &'l Client) -> Self {
        limits.lock().entry(client.clone()).or_default().waiting += 1;
        Self { limits, client }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.limits
            .change(self.client, |requests| requests.waiting -= 1);
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.limits.change(&self.client, |requests| {
            requests
                .under_way
                .retain(|(number, _)| *number != self.number);
            requests.done.notify_one();
        });
    }
}

impl RequestPermit {
    /// Returns a body that keeps the permit until it is sent or dropped.
    pub(crate) fn keep_in(self, body: Body) -> Body {
        Body::new(PermitBody {
            body,
            _permit: self,
        })
    }
}

/// A body that holds a permit.
struct PermitBody {
    body: Body,
    _permit: RequestPermit,
}

impl hyper::body::Body for PermitBody {
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

    fn limits() -> (RequestLimits, Client, Client) {
        let client = |name: &str| Client::Token(name.into());
        (RequestLimits::new(), client("alice"), client("bob"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_waits_for_itself_alone_and_is_refused_beyond_a_number() {
        let (limits, alice, bob) = limits();
        let mut permits = Vec::new();
        for _ in 0..MOST {
            permits.push(limits.acquire(&alice).await.unwrap());
        }
        let waits: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let (limits, alice) = (limits.clone(), alice.clone());
                tokio::spawn(async move { limits.acquire(&alice).await.map(drop) })
            })
            .collect();
        while limits.lock()[&alice].waiting < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(limits.acquire(&alice).await.map(drop), Err(TooMany));
        assert!(limits.acquire(&bob).await.is_ok());
        permits.pop();
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Ok(()));
        }
        drop(permits);
        assert!(limits.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_no_trace() {
        let (limits, alice, _) = limits();
        let mut permits = Vec::new();
        for _ in 0..MOST {
            permits.push(limits.acquire(&alice).await.unwrap());
        }
        let wait = tokio::time::timeout(Duration::from_millis(5), limits.acquire(&alice));
        assert!(wait.await.is_err());
        assert_eq!(limits.lock()[&alice].waiting, 0);
        drop(permits);
        assert!(limits.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_read_keeps_its_place_for_a_time() {
        let (mut limits, alice, _) = limits();
        let clock = chaos_core::testing::ManualClock::new();
        limits.clock = clock.clone().into();
        let mut permits = Vec::new();
        for _ in 0..MOST {
            permits.push(limits.acquire(&alice).await.unwrap());
        }
        clock.advance(LONGEST);
        assert!(limits.acquire(&alice).await.is_ok());
    }
}
