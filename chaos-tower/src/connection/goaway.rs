//! GOAWAY, written between two frames of an HTTP/2 connection by someone who is not its owner.
//!
//! No service can ask a stock server to send one. But a connection that opens with HTTP/2's preface
//! is frames from then on, and when its owner flushes, everything written so far is whole frames.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

/// How an HTTP/2 connection begins; nothing else does (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A GOAWAY frame: 8 bytes of type 7 on stream 0; every stream may still be served, no error. It is
/// how a graceful shutdown begins (section 6.8).
const GOAWAY: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, // header
    0x7f, 0xff, 0xff, 0xff, // the last stream
    0, 0, 0, 0, // the error
];

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoAwayWriter {
    /// Nothing has been read yet.
    NotYet,
    /// It is not HTTP/2, or cannot be seen to be, or all is said.
    Never,
    /// HTTP/2, but the server's own preface comes first.
    Opening,
    /// It can be said.
    Possible,
    /// So many bytes of it are written.
    Writing(u8),
}

impl GoAwayWriter {
    /// Looks at what was read.
    #[inline]
    pub(crate) fn see_read(&mut self, bytes: &[u8]) {
        if *self == Self::NotYet && !bytes.is_empty() {
            // Clients write the preface in one piece, so that it comes in one.
            *self = match bytes.starts_with(PREFACE) {
                true => Self::Opening,
                false => Self::Never,
            };
        }
    }

    /// Sees that its owner wrote something.
    #[inline]
    pub(crate) fn see_written(&mut self) {
        if *self == Self::Opening {
            *self = Self::Possible;
        }
    }

    /// Writes it, or what is left of it. To be called between two frames.
    #[cold]
    pub(crate) fn poll_send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if *self == Self::Possible {
            *self = Self::Writing(0);
        }
        self.poll_finish(io, cx)
    }

    /// Writes what is left of it once it has begun: nothing else may come between.
    #[inline]
    pub(crate) fn poll_finish(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Self::Writing(done) = *self {
            let left = &GOAWAY[usize::from(done)..];
            let written = ready!(Pin::new(&mut *io).poll_write(cx, left))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let done = done + written as u8;
            *self = match usize::from(done) == GOAWAY.len() {
                true => Self::Never,
                false => Self::Writing(done),
            };
        }
        Poll::Ready(Ok(()))
    }
}
