//! `Look`: looks at a connection again and again while something waits for its peer.

use std::{
    io,
    task::{Context, Poll, ready},
};

use chaos_core::decision::ActiveCall;

use crate::{
    byte_fault::wait_slot::WaitSlot,
    connection::{Connection, peer_watch::INTERVAL},
    error::BoxError,
};

/// A connection, and when to look at it next.
pub(crate) struct Look {
    connection: Box<Connection>,
    interval: WaitSlot,
}

impl Look {
    pub(crate) fn at(connection: Box<Connection>) -> Self {
        let interval = WaitSlot::default();
        Self {
            connection,
            interval,
        }
    }

    /// Ready when the client has gone. To be polled while a fault waits, whose call is `active_call`.
    pub(crate) fn poll_gone(
        &mut self,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        ready!(
            self.interval
                .poll_or_start(|| active_call.wait(INTERVAL), cx)
        );
        if self.connection.has_gone() {
            return Poll::Ready(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
        // The next poll starts the next interval, unless the fault is over.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
