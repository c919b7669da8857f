//! Injects an HTTP/2 GOAWAY frame between two frames of a connection that this crate wraps.
//!
//! A service cannot ask an unmodified server to send one. But a connection that opens with HTTP/2's preface
//! consists of frames from then on, and when its owner flushes it, all frames written so far are complete.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

/// The first bytes of an HTTP/2 connection, and of no other (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A GOAWAY frame: 8 bytes of type 7 on stream 0. It announces no error, and that every stream may still be
/// served, as a graceful shutdown does (section 6.8).
const GOAWAY: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, // header
    0x7f, 0xff, 0xff, 0xff, // the last stream
    0, 0, 0, 0, // the error
];

/// Writes one GOAWAY frame when the connection allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoAwayWriter {
    /// Nothing has been read yet.
    Unread,
    /// The connection is not recognised as HTTP/2, or the frame is written.
    Off,
    /// The connection is HTTP/2, but the server has not written its preface yet.
    BeforeServerPreface,
    /// The frame can be written.
    Ready,
    /// So many bytes of the frame are written.
    Writing(u8),
}

impl GoAwayWriter {
    /// Looks at bytes that were read.
    #[inline]
    pub(crate) fn see_read(&mut self, bytes: &[u8]) {
        if *self == Self::Unread && !bytes.is_empty() {
            // Clients write the preface in one piece, and it is read in one.
            *self = match bytes.starts_with(PREFACE) {
                true => Self::BeforeServerPreface,
                false => Self::Off,
            };
        }
    }

    /// Notes that the owner of the connection has written bytes.
    #[inline]
    pub(crate) fn see_written(&mut self) {
        if *self == Self::BeforeServerPreface {
            *self = Self::Ready;
        }
    }

    /// Writes the frame, or the rest of it. To be called between two frames.
    #[cold]
    pub(crate) fn poll_send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if *self == Self::Ready {
            *self = Self::Writing(0);
        }
        self.poll_finish(io, cx)
    }

    /// Writes the rest of a frame that was begun: no other bytes may come before it.
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
                true => Self::Off,
                false => Self::Writing(done),
            };
        }
        Poll::Ready(Ok(()))
    }
}
