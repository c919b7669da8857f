//! What a byte fault does to the bytes that pass it, whether they are those of a body or of a connection.
//!
//! A [`ByteFault`] decides and counts; it neither reads a clock nor waits. Two integrations do: a body's
//! `ByteFilter`, and a connection's `DirectionFaults`. For each chunk of bytes, an integration
//!
//! 1. asks [`before`](ByteFault::before) whether more bytes may pass at all,
//! 2. takes at most [`largest_chunk`](ByteFault::largest_chunk) bytes,
//! 3. waits for [`delay`](ByteFault::delay), which it asks once for each chunk,
//! 4. [changes](ByteFault::change) the bytes, and
//! 5. reports how many of them [passed](ByteFault::pass).

pub(crate) mod pacer;
pub(crate) mod wait_slot;

use std::time::Duration;

use chaos_core::{fault::Corruption, plan::BytesPlan};

use crate::byte_fault::pacer::Pacer;

/// One byte fault, and how many bytes have passed it.
pub(crate) struct ByteFault {
    kind: Kind,
    passed: u64,
}

enum Kind {
    Throttle(Pacer),
    EndAfter(u64),
    StallAfter(u64, Duration),
    /// The second one has changed so many of the next bytes, none of which has passed yet.
    Corrupt(Corruption, Option<(Corruption, usize)>),
    FirstByte(Duration),
    EachChunk(Duration),
}

/// What happens before the next bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: they may pass.
    Pass,
    /// They wait for so long, and the fault is done.
    Stall(Duration),
    /// No more bytes pass.
    End,
    /// The fault is done.
    Done,
}

impl ByteFault {
    pub(crate) fn new(plan: BytesPlan) -> Self {
        Self::of(match plan {
            BytesPlan::Throttle(bytes_per_second) => Kind::Throttle(Pacer::new(bytes_per_second)),
            BytesPlan::TruncateAfter(bytes) => Kind::EndAfter(bytes),
            BytesPlan::StallAfter(bytes, time) => Kind::StallAfter(bytes, time),
            BytesPlan::Corrupt(corruption) => Kind::Corrupt(*corruption, None),
            BytesPlan::FirstByte(time) => Kind::FirstByte(time),
            BytesPlan::EachChunk(time) => Kind::EachChunk(time),
        })
    }

    /// Lets so many bytes pass, then ends.
    pub(crate) fn end_after(bytes: u64) -> Self {
        Self::of(Kind::EndAfter(bytes))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, passed: 0 }
    }

    pub(crate) fn before(&self) -> Before {
        match self.kind {
            Kind::EndAfter(bytes) if bytes <= self.passed => Before::End,
            Kind::StallAfter(bytes, time) if bytes <= self.passed => Before::Stall(time),
            Kind::FirstByte(_) if self.passed > 0 => Before::Done,
            _ => Before::Pass,
        }
    }

    /// How many bytes the next chunk may hold, at least one while bytes may pass.
    pub(crate) fn largest_chunk(&self) -> usize {
        match &self.kind {
            Kind::Throttle(pacer) => pacer.quantum(),
            Kind::EndAfter(bytes) | Kind::StallAfter(bytes, _) => {
                let left = bytes.saturating_sub(self.passed);
                usize::try_from(left).unwrap_or(usize::MAX)
            }
            Kind::Corrupt(..) | Kind::FirstByte(_) | Kind::EachChunk(_) => usize::MAX,
        }
    }

    /// How long a chunk of `length` bytes waits that could pass at `now`.
    ///
    /// `now` returns a time since some fixed moment, the same one for all chunks. Few faults ask for it.
    pub(crate) fn delay(&mut self, length: usize, now: impl FnOnce() -> Duration) -> Duration {
        match &mut self.kind {
            Kind::Throttle(pacer) => {
                let now = now();
                pacer.due(length, now).saturating_sub(now)
            }
            Kind::FirstByte(time) | Kind::EachChunk(time) => *time,
            Kind::EndAfter(_) | Kind::StallAfter(..) | Kind::Corrupt(..) => Duration::ZERO,
        }
    }

    /// Whether the fault changes any of the next `length` bytes.
    pub(crate) fn changes(&self, length: usize) -> bool {
        match &self.kind {
            Kind::Corrupt(corruption, _) => !corruption.spares(length),
            _ => false,
        }
    }

    /// Changes the next bytes. Not all of them need to pass: those that do not are changed alike when
    /// they come again.
    pub(crate) fn change(&mut self, bytes: &mut [u8]) {
        if let Kind::Corrupt(corruption, ahead) = &mut self.kind {
            let mut changing = corruption.clone();
            changing.apply(bytes);
            *ahead = Some((changing, bytes.len()));
        }
    }

    /// Counts `length` bytes of the chunk as passed.
    pub(crate) fn pass(&mut self, length: usize) {
        self.passed += length as u64;
        match &mut self.kind {
            Kind::Throttle(pacer) => pacer.pass(length),
            Kind::Corrupt(corruption, ahead) => match ahead.take() {
                // What was drawn for the bytes is not drawn again.
                Some((changed, changed_bytes)) if changed_bytes == length => *corruption = changed,
                _ => corruption.skip(length),
            },
            _ => {}
        }
    }
}
