//! `GET /events`: an endless stream of server-sent events, with an event for each order and a tick
//! each second.

use std::{convert::Infallible, time::Duration};

use axum::response::sse::{Event, Sse};
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};

use crate::stop::Latch;

/// Broadcasts new orders to all listeners. Clones share one channel.
#[derive(Clone, Debug)]
pub(super) struct Feed(broadcast::Sender<i64>);

struct Listener {
    orders: broadcast::Receiver<i64>,
    clock: Interval,
    ticks: u64,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(64))
    }

    pub(super) fn ordered(&self, order: i64) {
        // Sending fails only if there are no listeners.
        let _ = self.0.send(order);
    }

    /// Returns a stream of the events from now on. It ends when `stopping` is released, because an
    /// open stream would block the graceful shutdown.
    pub(super) fn events(
        &self,
        stopping: &Latch,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let mut clock = interval(Duration::from_secs(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let listener = Listener {
            orders: self.0.subscribe(),
            clock,
            ticks: 0,
        };
        let events = stream::unfold(listener, |mut listener| async move {
            let event = listener.next().await?;
            Some((Ok(event), listener))
        });
        Sse::new(events.take_until(stopping.released()))
    }
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            order = self.orders.recv() => match order {
                Ok(order) => Some(Event::default().event("order").data(order.to_string())),
                Err(RecvError::Lagged(missed)) => {
                    Some(Event::default().event("missed").data(missed.to_string()))
                }
                Err(RecvError::Closed) => None,
            },
            _ = self.clock.tick() => {
                self.ticks += 1;
                Some(Event::default().event("tick").data(self.ticks.to_string()))
            }
        }
    }
}
