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
    Corrupt(Corruption),
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
            BytesPlan::Corrupt(corruption) => Kind::Corrupt(corruption),
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
            Kind::Corrupt(_) | Kind::FirstByte(_) | Kind::EachChunk(_) => usize::MAX,
        }
    }

    /// How long a chunk of `length` bytes waits that could pass at `now`.
    ///
    /// `now` is a time since some fixed moment, the same one for all chunks.
    pub(crate) fn delay(&mut self, length: usize, now: Duration) -> Duration {
        match &mut self.kind {
            Kind::Throttle(pacer) => pacer.due(length, now).saturating_sub(now),
            Kind::FirstByte(time) | Kind::EachChunk(time) => *time,
            Kind::EndAfter(_) | Kind::StallAfter(..) | Kind::Corrupt(_) => Duration::ZERO,
        }
    }

    /// Whether the fault changes any of the next `length` bytes.
    pub(crate) fn changes(&self, length: usize) -> bool {
        match &self.kind {
            Kind::Corrupt(corruption) => !corruption.spares(length),
            _ => false,
        }
    }

    /// Changes the next bytes. Not all of them need to pass: those that do not are changed alike when
    /// they come again.
    pub(crate) fn change(&self, bytes: &mut [u8]) {
        if let Kind::Corrupt(corruption) = &self.kind {
            corruption.clone().apply(bytes);
        }
    }

    /// Counts `length` bytes of the chunk as passed.
    pub(crate) fn pass(&mut self, length: usize) {
        self.passed += length as u64;
        match &mut self.kind {
            Kind::Throttle(pacer) => pacer.pass(length),
            Kind::Corrupt(corruption) => corruption.skip(length),
            _ => {}
        }
    }
}
