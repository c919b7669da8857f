//! Byte faults on a body: waits for what a [`ByteFault`] decides, and ends the body where it says so.

use std::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use chaos_core::{Clock, decision::ActiveCall};

use super::{
    fault::BodyCut,
    filter::{BodyFilter, Next},
};
use crate::{
    byte_fault::{Before, ByteFault, wait_slot::WaitSlot},
    error::BoxError,
};

/// How long a body that is about to end early waits for the bytes before to be sent. Without the wait,
/// hyper closes an HTTP/1 connection with all of them still in its buffer, and drops what an HTTP/2
/// stream has not sent. A receiver that does not read loses them all the same.
pub(super) const FLUSH: Duration = Duration::from_millis(2);

/// A byte fault on one body.
///
/// A chunk is what comes as one data frame, or what the fault lets pass of one.
pub(super) struct ByteFilter {
    fault: ByteFault,
    end: BodyEnd,
    /// Starts with the first byte, for a fault that asks for the time.
    clock: Option<Clock>,
    /// The length of the chunk that waits.
    chunk: Option<usize>,
    wait: WaitSlot,
}

/// How a body ends early.
enum BodyEnd {
    /// With an error, or as if it were complete, without trailers. A body that is no longer than that ends by
    /// itself.
    Truncate(Option<BoxError>),
    /// As a cut says, even if no bytes are left; not if there are fewer bytes.
    Cut(Option<BodyCut>),
}

impl ByteFilter {
    pub(super) fn new(fault: ByteFault) -> Self {
        Self::ending(fault, BodyEnd::Truncate(None))
    }

    pub(super) fn truncate_after(bytes: u64, error: Option<BoxError>) -> Self {
        Self::ending(ByteFault::end_after(bytes), BodyEnd::Truncate(error))
    }

    pub(super) fn cut_after(bytes: u64, cut: BodyCut) -> Self {
        Self::ending(ByteFault::end_after(bytes), BodyEnd::Cut(Some(cut)))
    }

    fn ending(fault: ByteFault, end: BodyEnd) -> Self {
        Self {
            fault,
            end,
            clock: None,
            chunk: None,
            wait: WaitSlot::default(),
        }
    }
}

impl BodyFilter for ByteFilter {
    fn poll_before(
        &mut self,
        at_end: bool,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if at_end && !self.outlasts_body() {
            return Poll::Ready(Next::Continue);
        }
        let before = self.fault.before();
        let time = match before {
            Before::Pass => return Poll::Ready(Next::Continue),
            Before::Done => return Poll::Ready(Next::Remove),
            Before::Stall(time) => time,
            Before::End => FLUSH,
        };
        let wait = || active_call.wait(time);
        if before == Before::End && self.wait.is_empty() {
            // hyper flushes when a body is pending, so it is that once, however late its task is polled.
            self.wait.start(wait());
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.wait.poll_or_start(wait, cx));
        if before != Before::End {
            return Poll::Ready(Next::Remove);
        }
        Poll::Ready(Next::End(match &mut self.end {
            BodyEnd::Truncate(error) => error.take().map(Err),
            BodyEnd::Cut(cut) => cut.take().map(|cut| {
                if let Some(connection) = cut.reset {
                    connection.reset();
                }
                if let Some(trigger) = cut.trigger {
                    trigger.fire();
                }
                Err(cut.error)
            }),
        }))
    }

    fn poll_pass(
        &mut self,
        bytes: &mut Bytes,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let length = *self.chunk.get_or_insert_with(|| {
            let length = bytes.len().min(self.fault.largest_chunk());
            let now = || self.clock.get_or_insert_with(Clock::monotonic).now();
            let delay = self.fault.delay(length, now);
            if !delay.is_zero() {
                self.wait.start(active_call.wait(delay));
            }
            length
        });
        ready!(self.wait.poll(cx));
        self.chunk = None;
        if self.fault.changes(length) {
            // Copies the bytes if they are shared.
            let mut changed = BytesMut::from(mem::take(bytes));
            self.fault.change(&mut changed[..length]);
            *bytes = changed.freeze();
        }
        self.fault.pass(length);
        Poll::Ready(length)
    }

    fn outlasts_body(&self) -> bool {
        !matches!(self.end, BodyEnd::Truncate(_)) && self.fault.before() == Before::End
    }
}
