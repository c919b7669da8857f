//! `Look`: looks at a connection again and again while something waits for its peer.

use std::{
    io,
    task::{Context, Poll, ready},
};

use crate::{
    byte_fault::wait_slot::WaitSlot,
    connection::{Connection, peer_watch::interval},
    error::BoxError,
};

/// A connection, and when to look at it next.
pub(crate) struct Look {
    connection: Box<Connection>,
    until_look: WaitSlot,
}

impl Look {
    pub(crate) fn at(connection: Box<Connection>) -> Self {
        let until_look = WaitSlot::default();
        Self {
            connection,
            until_look,
        }
    }

    /// Ready when the client has gone. To be polled while a fault waits.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        ready!(self.until_look.poll_or_start(interval, cx));
        if self.connection.has_gone() {
            return Poll::Ready(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
        // The next poll starts the next interval.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
