//! `Look`: looks at a connection again and again while something waits for its peer.

use std::{
    io,
    task::{Context, Poll},
};

use crate::{
    connection::{Connection, peer_watch::PeriodicLook},
    error::BoxError,
};

/// A connection that is looked at while something waits for its client.
pub(crate) struct Look {
    connection: Box<Connection>,
    periodic: PeriodicLook,
}

impl Look {
    pub(crate) fn at(connection: Box<Connection>) -> Self {
        let periodic = PeriodicLook::default();
        Self {
            connection,
            periodic,
        }
    }

    /// Ready when the client has gone. To be polled while a fault waits.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        let gone = self.periodic.poll_gone(cx, || self.connection.has_gone());
        gone.map(|()| io::Error::from(io::ErrorKind::ConnectionAborted).into())
    }
}
