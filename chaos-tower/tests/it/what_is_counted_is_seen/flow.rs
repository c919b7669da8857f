//! A body on its way: its bytes, its end, and what the faults on it make of both.

use std::fmt;

use http::Method;

use super::{
    case::{BytesIn, CallIn, Cut, Page},
    server::BIG,
};
use crate::support::{
    app::{MESSAGE, PIECES, TEXT, streamed},
    peer::Protocol,
};

#[derive(Clone, Default)]
pub(super) struct Flow {
    pub(super) bytes: Vec<u8>,
    pub(super) end: FlowEnd,
    /// The length that its receiver is told.
    pub(super) length: Option<usize>,
    /// Whether its last byte is known to be the last before more is asked for.
    pub(super) knows_end: bool,
    /// The gRPC status in its trailers.
    pub(super) trailer: Option<u16>,
    /// How often all of the bytes were changed.
    pub(super) changes: usize,
    /// Whether a fault depends on bytes that another has changed: then nothing is known of it.
    pub(super) is_unknown: bool,
    /// Where its frames begin.
    frames: Vec<usize>,
    /// The waits, in milliseconds, each with the byte that waits, or the end.
    waits: Vec<(usize, u64)>,
    /// How long it takes at the slowest rate. That goes on during the waits.
    throttled: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FlowEnd {
    #[default]
    Whole,
    /// As one whose sender has gone.
    Failed,
    Cut(Cut),
}

/// Without its bytes, which are many.
impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes of {:?}, {:?}",
            self.bytes.len(),
            self.length,
            self.end
        )?;
        write!(
            f,
            ", trailer {:?}, changed {} times",
            self.trailer, self.changes
        )
    }
}

impl Flow {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self {
            length: Some(bytes.len()),
            frames: (!bytes.is_empty()).then_some(0).into_iter().collect(),
            knows_end: true,
            bytes,
            ..Self::default()
        }
    }

    /// Of pieces that are as long as each other.
    fn stream(bytes: Vec<u8>) -> Self {
        let pieces = (0..bytes.len()).step_by(bytes.len() / PIECES);
        Self {
            length: None,
            frames: pieces.collect(),
            knows_end: false,
            ..Self::whole(bytes)
        }
    }

    /// The body of a request.
    pub(super) fn of_upload(call: &CallIn, protocol: Protocol) -> Self {
        let says_length = protocol == Protocol::Http1 && call.body.len() == 1;
        // Chunks that come at once may be read as one.
        let whole = Self::whole(call.bytes());
        Self {
            length: whole.length.filter(|_| says_length || call.body.is_empty()),
            ..whole
        }
    }

    /// The body of the service's own answer. `upload`: what the service has read.
    pub(super) fn of_page(call: &CallIn, upload: &Self) -> Self {
        if call.method == Method::HEAD {
            return Self::whole(Vec::new());
        }
        match call.page {
            Page::Text | Page::Late => Self::whole(TEXT.to_vec()),
            Page::Stream => Self::stream(streamed()),
            Page::Big => Self::whole(vec![b'b'; BIG]),
            Page::Empty | Page::NoContent | Page::NotModified | Page::Upgrade => {
                Self::whole(Vec::new())
            }
            Page::Messages => Self {
                trailer: Some(0),
                ..Self::stream(MESSAGE.repeat(PIECES))
            },
            Page::Echo => Self::whole(format!("{} bytes", upload.bytes.len()).into_bytes()),
        }
    }

    /// Where the n-th gRPC message ends.
    pub(super) fn messages(&self, count: usize) -> Option<usize> {
        let mut at: usize = 0;
        for _ in 0..count {
            let prefix = self.bytes.get(at..at.checked_add(5)?)?;
            let length = u32::from_be_bytes(prefix[1..].try_into().expect("four bytes"));
            at += 5 + length as usize;
        }
        (at <= self.bytes.len()).then_some(at)
    }

    /// Whether it goes on behind so many bytes, if only to its end.
    fn goes_on_after(&self, bytes: usize) -> bool {
        let length = self.bytes.len();
        bytes < length || bytes == length && !self.knows_end
    }

    fn end_at(&mut self, bytes: usize, end: FlowEnd) {
        self.bytes.truncate(bytes);
        self.end = end;
        self.trailer = None;
        self.knows_end = false;
        // What comes later is not asked for.
        self.frames.retain(|at| *at < bytes);
        self.waits.retain(|(at, _)| *at < bytes);
        self.throttled = 0;
    }

    /// How long it takes at least, in milliseconds.
    pub(super) fn takes(&self) -> u64 {
        let waits = self.waits.iter().map(|(_, time)| time);
        waits.sum::<u64>().max(self.throttled)
    }

    pub(super) fn pass(&mut self, fault: BytesIn) {
        let length = self.bytes.len();
        match fault {
            // The last byte is due when all of them are.
            BytesIn::Throttle(rate) => {
                let time = length as u64 * 1000 / rate as u64;
                self.throttled = self.throttled.max(time);
            }
            BytesIn::Truncate(bytes) if self.goes_on_after(bytes) => {
                self.end_at(bytes, FlowEnd::Failed);
            }
            BytesIn::Stall(bytes, time) if self.goes_on_after(bytes) => {
                self.waits.push((bytes, time));
            }
            BytesIn::Truncate(_) | BytesIn::Stall(..) => {}
            BytesIn::Corrupt => self.changes += 1,
            BytesIn::FirstByte(time) => self.waits.extend((length > 0).then_some((0, time))),
            BytesIn::Chunk(time) => {
                let frames = self.frames.iter().map(|at| (*at, time));
                self.waits.extend(frames);
            }
        }
    }

    /// Cuts it after so many bytes, also if these are all.
    pub(super) fn cut(&mut self, cut: Cut, bytes: usize) {
        if bytes <= self.bytes.len() {
            self.end_at(bytes, FlowEnd::Cut(cut));
        }
    }

    /// Ends it with a status after so many messages.
    pub(super) fn status_after(&mut self, messages: usize, code: u16) {
        // It may end earlier than it says, so it does not say.
        self.length = None;
        self.is_unknown |= self.changes > 0;
        if let Some(end) = self.messages(messages) {
            self.end_at(end, FlowEnd::Whole);
            self.trailer = Some(code);
        }
    }
}
