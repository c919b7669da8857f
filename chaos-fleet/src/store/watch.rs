//! What happens to the keys of a prefix.

use std::collections::VecDeque;

use etcd_client::{EventType, WatchStream};

use crate::{
    error::StoreError,
    store::session::{Event, Session, entry},
};

/// What happens to the keys of a prefix.
pub(crate) struct Watch {
    pub(super) session: Session,
    pub(super) stream: WatchStream,
    pub(super) pending: VecDeque<Event>,
}

impl Watch {
    /// Says that the watch ends because it has to begin anew.
    pub(crate) fn given_up(&self) -> StoreError {
        self.session.ended("watch")
    }

    /// Returns an event that has come together with the one before.
    pub(crate) fn pending(&mut self) -> Option<Event> {
        self.pending.pop_front()
    }

    /// Waits for the next event.
    ///
    /// Cancel safe: an event is not lost.
    pub(crate) async fn next(&mut self) -> Result<Event, StoreError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            let message = self.stream.message().await;
            let Some(response) = message.map_err(|error| self.session.failed(error))? else {
                return Err(self.session.ended("watch"));
            };
            // Such as after a compaction.
            if response.canceled() {
                return Err(self.session.ended("watch"));
            }
            let events = response.events().iter().filter_map(|event| {
                let kv = event.kv()?;
                Some(match event.event_type() {
                    EventType::Put => Event::Put(entry(kv)),
                    EventType::Delete => Event::Deleted(kv.key().to_vec(), kv.mod_revision()),
                })
            });
            self.pending.extend(events);
        }
    }
}
