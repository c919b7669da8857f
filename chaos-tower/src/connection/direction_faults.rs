//! What is done to the bytes of one direction of a connection, and when they may pass.
//!
//! Bytes pass in chunks: what one read brought, what one write offers. A direction says first how large
//! the next chunk may be, then makes it wait, then is told how much of it has passed.

use std::{
    fmt,
    num::NonZeroU64,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use chaos_core::{ActiveCall, BytesDeed, Clock, Corruption, Direction};

use crate::connection::handle::Command;

/// No chunk is larger, so that no copy of one is.
const LARGEST: usize = 64 * 1024;

/// A throttle hands bytes out in portions that take so long: short enough to look even, long enough
/// for tokio's timer.
const PORTION: Duration = Duration::from_millis(20);

/// How far a throttle may fall behind and still catch up. A timer that is late costs no bandwidth,
/// and a connection that was idle saves none.
const SLACK: Duration = Duration::from_millis(100);

/// Both directions.
#[derive(Debug, Default)]
pub(crate) struct ByteFaults {
    request: DirectionFaults,
    response: DirectionFaults,
}

impl ByteFaults {
    pub(crate) fn of(&mut self, side: Direction) -> &mut DirectionFaults {
        match side {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(crate) fn are_idle(&self) -> bool {
        self.request.is_idle() && self.response.is_idle()
    }
}

/// One direction. Empty, it lets everything pass.
#[derive(Default)]
pub(crate) struct DirectionFaults {
    deeds: Vec<(Deed, ActiveCall)>,
    passed: u64,
    /// The size of the chunk that may pass next, once it is decided.
    admitted: Option<usize>,
    /// Which deed the chunk waits for, and on what.
    waiting: usize,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

enum Deed {
    Throttle {
        bytes_per_second: NonZeroU64,
        clock: Clock,
        /// When what has passed is paid for.
        paid: Duration,
    },
    EndAfter(u64, StreamEnd),
    StallAfter(u64, Duration),
    Corrupt(Corruption),
    FirstByte(Duration),
    EachChunk(Duration),
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// As if that had been all.
    Truncated,
    /// With the connection.
    Cut(Command),
}

impl StreamEnd {
    /// What it takes to end what the peer reads: nothing is the end of a stream but its FIN.
    pub(crate) fn of_what_is_written(self) -> Command {
        match self {
            Self::Truncated => Command::Close,
            Self::Cut(command) => command,
        }
    }
}

impl DirectionFaults {
    fn is_idle(&self) -> bool {
        self.deeds.is_empty() && self.wait.is_none()
    }

    /// Adds a deed, for as long as its rule holds.
    pub(crate) fn extend(&mut self, deed: BytesDeed, active_call: Option<ActiveCall>) {
        let Some(active_call) = active_call else {
            return;
        };
        let deed = match deed {
            BytesDeed::Throttle(bytes_per_second) => Deed::Throttle {
                bytes_per_second,
                clock: Clock::monotonic(),
                paid: Duration::ZERO,
            },
            BytesDeed::TruncateAfter(bytes) => Deed::EndAfter(bytes, StreamEnd::Truncated),
            BytesDeed::StallAfter(bytes, time) => Deed::StallAfter(bytes, time),
            BytesDeed::Corrupt(corruption) => Deed::Corrupt(corruption),
            BytesDeed::FirstByte(time) => Deed::FirstByte(time),
            BytesDeed::EachChunk(time) => Deed::EachChunk(time),
        };
        self.deeds.push((deed, active_call));
    }

    pub(crate) fn cut_after(&mut self, bytes: u64, command: Command, active_call: ActiveCall) {
        self.deeds
            .push((Deed::EndAfter(bytes, StreamEnd::Cut(command)), active_call));
    }

    /// How many of the `offered` bytes may pass next, at least one of one or more. Waits while none
    /// may.
    pub(crate) fn poll_admit(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
    ) -> Poll<Result<usize, StreamEnd>> {
        loop {
            if let Some(admitted) = self.admitted {
                return Poll::Ready(Ok(admitted.min(offered)));
            }
            ready!(self.poll_wait(cx));
            self.deeds.retain(|(_, active_call)| !active_call.is_over());
            let passed = self.passed;
            let due = |(deed, _): &(Deed, ActiveCall)| match deed {
                Deed::StallAfter(bytes, _) => *bytes <= passed,
                _ => false,
            };
            if let Some(at) = self.deeds.iter().position(due) {
                if let (Deed::StallAfter(_, time), active_call) = self.deeds.remove(at) {
                    self.wait = Some(Box::pin(active_call.wait(time)));
                }
                continue;
            }
            if let Some(end) = self.end() {
                return Poll::Ready(Err(end));
            }
            let limit = self.deeds.iter().map(|(deed, _)| deed.largest(passed));
            let limit = limit.min().unwrap_or(LARGEST as u64);
            // No larger than `LARGEST`.
            self.admitted = Some(limit.min(LARGEST as u64) as usize);
            self.waiting = 0;
        }
    }

    /// Waits as long as a chunk of `length` bytes has to. It may be asked again and again.
    pub(crate) fn poll_pass(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<()> {
        loop {
            ready!(self.poll_wait(cx));
            let Some((deed, active_call)) = self.deeds.get_mut(self.waiting) else {
                return Poll::Ready(());
            };
            self.waiting += 1;
            let time = deed.time(self.passed, length);
            if !time.is_zero() {
                self.wait = Some(Box::pin(active_call.wait(time)));
            }
        }
    }

    /// Whether it changes some of the next `length` bytes.
    pub(crate) fn changes(&self, length: usize) -> bool {
        self.deeds.iter().any(|(deed, _)| match deed {
            Deed::Corrupt(corruption) => !corruption.spares(length),
            _ => false,
        })
    }

    /// Changes the next bytes, which need not all pass: those that do not are changed alike when
    /// they come again.
    pub(crate) fn change(&self, bytes: &mut [u8]) {
        for (deed, _) in &self.deeds {
            if let Deed::Corrupt(corruption) = deed {
                corruption.clone().apply(bytes);
            }
        }
    }

    /// So many bytes of the chunk have passed. If they were the last, says how it ends.
    pub(crate) fn passed(&mut self, length: usize) -> Option<StreamEnd> {
        self.admitted = None;
        self.passed += length as u64;
        for (deed, _) in &mut self.deeds {
            match deed {
                Deed::Throttle {
                    bytes_per_second,
                    paid,
                    ..
                } => *paid += time_of(length, *bytes_per_second),
                Deed::Corrupt(corruption) => corruption.skip(length),
                _ => {}
            }
        }
        self.deeds
            .retain(|(deed, _)| !matches!(deed, Deed::FirstByte(_)));
        self.end()
    }

    fn end(&self) -> Option<StreamEnd> {
        self.deeds
            .iter()
            .find_map(|(deed, active_call)| match deed {
                Deed::EndAfter(bytes, end) if *bytes <= self.passed && !active_call.is_over() => {
                    Some(*end)
                }
                _ => None,
            })
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        Poll::Ready(())
    }
}

impl Deed {
    /// How large the next chunk may be.
    fn largest(&self, passed: u64) -> u64 {
        match self {
            Self::Throttle {
                bytes_per_second, ..
            } => (bytes_per_second.get() / (1000 / PORTION.as_millis() as u64)).max(1),
            Self::EndAfter(bytes, _) | Self::StallAfter(bytes, _) => bytes.saturating_sub(passed),
            Self::Corrupt(_) | Self::FirstByte(_) | Self::EachChunk(_) => u64::MAX,
        }
    }

    /// How long a chunk has to wait.
    fn time(&mut self, passed: u64, length: usize) -> Duration {
        match self {
            Self::Throttle {
                bytes_per_second,
                clock,
                paid,
            } => {
                let now = clock.now();
                *paid = match passed {
                    0 => now,
                    _ => now.saturating_sub(SLACK).max(*paid),
                };
                (*paid + time_of(length, *bytes_per_second)).saturating_sub(now)
            }
            Self::FirstByte(time) | Self::EachChunk(time) => *time,
            Self::EndAfter(..) | Self::StallAfter(..) | Self::Corrupt(_) => Duration::ZERO,
        }
    }
}

fn time_of(bytes: usize, bytes_per_second: NonZeroU64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_second.get() as f64)
}

impl fmt::Debug for DirectionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectionFaults")
            .field("deeds", &self.deeds.len())
            .field("passed", &self.passed)
            .finish_non_exhaustive()
    }
}
