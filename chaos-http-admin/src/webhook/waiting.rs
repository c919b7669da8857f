//! The entries that wait until a message about them is sent. A few wait apart; more are folded to
//! one message, so that none is lost to a slow receiver, and the memory is bounded.

use std::{cell::RefCell, collections::VecDeque, sync::Arc};

use chaos_core::audit::Entry;
use tokio::sync::Notify;

use crate::webhook::{
    event::{Event, Topic},
    folded::Folded,
    message::Message,
};

/// The number of entries about one topic that wait for a message each. More are folded.
const MAX_APART: usize = 8;

/// The entries about each topic that wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingEntries {
    halts: WaitingTopic,
    breaches: WaitingTopic,
    rules: WaitingTopic,
}

/// The entries about one topic that wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingTopic {
    entries: RefCell<FewOrFolded>,
    added: Notify,
}

#[derive(Debug)]
enum FewOrFolded {
    Few(VecDeque<(Arc<Entry>, Event)>),
    Folded(Box<Folded>),
}

impl Default for FewOrFolded {
    fn default() -> Self {
        Self::Few(VecDeque::new())
    }
}

impl WaitingEntries {
    pub(crate) fn of(&self, topic: Topic) -> &WaitingTopic {
        match topic {
            Topic::Halt => &self.halts,
            Topic::Breach => &self.breaches,
            Topic::Rules => &self.rules,
        }
    }

    /// Adds an entry, unless there is nothing to tell about it.
    pub(crate) fn add(&self, entry: &Arc<Entry>) {
        if let Some(event) = Event::of(entry) {
            let topic = self.of(event.topic);
            topic.entries.borrow_mut().add(entry, event);
            topic.added.notify_one();
        }
    }
}

impl WaitingTopic {
    /// Waits for an entry, and takes the next message with the number of entries that it is about.
    pub(crate) async fn next(&self) -> (u64, Message) {
        loop {
            let next = self.entries.borrow_mut().take();
            match next {
                Some(next) => return next,
                None => self.added.notified().await,
            }
        }
    }
}

impl FewOrFolded {
    fn add(&mut self, entry: &Arc<Entry>, event: Event) {
        match self {
            Self::Folded(folded) => folded.add(entry, event),
            Self::Few(few) => {
                few.push_back((Arc::clone(entry), event));
                if few.len() > MAX_APART {
                    let mut few = few.drain(..);
                    let folded = few.next().map(|(entry, event)| Folded::new(&entry, event));
                    if let Some(mut folded) = folded {
                        few.for_each(|(entry, event)| folded.add(&entry, event));
                        *self = Self::Folded(Box::new(folded));
                    }
                }
            }
        }
    }

    fn take(&mut self) -> Option<(u64, Message)> {
        match self {
            Self::Few(few) => {
                let (entry, event) = few.pop_front()?;
                Some((1, Message::of(&entry, &event)))
            }
            Self::Folded(_) => match std::mem::take(self) {
                Self::Folded(folded) => Some(folded.into_message()),
                Self::Few(_) => None,
            },
        }
    }
}
