//! Byte faults on a connection, each direction on its own.
//!
//! Bytes pass in chunks: what one read returned, what one write offers. The faults of a direction limit
//! the size of the next chunk, then make it wait, and count how much of it has passed.

use std::{
    fmt,
    task::{Context, Poll, ready},
    time::Duration,
};

use chaos_core::{Clock, Direction, decision::ActiveCall, plan::BytesPlan};

use crate::{
    byte_fault::{Before, ByteFault, wait_slot::WaitSlot},
    connection::{
        handle::{Command, CommandReceiver},
        peer_watch::wait_while_there,
        socket::PeerClose,
    },
};

/// The largest chunk, which bounds the size of a copy.
const LARGEST_CHUNK: usize = 64 * 1024;

/// The byte faults of a connection, in both directions.
#[derive(Debug, Default)]
pub(crate) struct ConnectionByteFaults {
    request: DirectionFaults,
    response: DirectionFaults,
}

impl ConnectionByteFaults {
    pub(crate) fn of(&mut self, direction: Direction) -> &mut DirectionFaults {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Begins the injections, and drops the faults whose rules are over.
    #[cfg(feature = "client")]
    pub(crate) fn begin(&mut self) {
        for direction in [&mut self.request, &mut self.response] {
            direction.faults.retain(|fault| fault.active_call.begin());
        }
    }

    pub(crate) fn are_idle(&self) -> bool {
        self.request.is_idle() && self.response.is_idle()
    }

    /// Drops the faults whose rules are over, and the waits for them: they are active no more.
    pub(crate) fn drop_over(&mut self) {
        self.request.drop_over();
        self.response.drop_over();
    }

    /// Adds the faults of a later rule.
    pub(crate) fn append(&mut self, other: Self) {
        self.request.append(other.request);
        self.response.append(other.response);
    }
}

/// The byte faults of one direction. With none, all bytes pass.
#[derive(Default)]
pub(crate) struct DirectionFaults {
    faults: Vec<DirectionFault>,
    /// Starts with the first chunk, for a fault that asks for the time.
    clock: Option<Clock>,
    /// The largest size of the chunk that passes next, once it is decided.
    admitted: Option<usize>,
    /// How many of the faults the chunk has waited for, or waits for now.
    waited_for: usize,
    wait: WaitSlot,
    /// The injection that the wait is of.
    waits_for: Option<ActiveCall>,
}

struct DirectionFault {
    fault: ByteFault,
    end: StreamEnd,
    active_call: ActiveCall,
}

/// The peer, for which bytes wait.
#[derive(Clone, Copy)]
pub(crate) struct PeerWatch<'a> {
    pub(crate) receiver: &'a CommandReceiver,
    /// How it has to close the connection for a wait to end. What is left passes then.
    pub(crate) gone: PeerClose,
}

impl PeerWatch<'_> {
    fn wait(
        self,
        active_call: &ActiveCall,
        time: Duration,
    ) -> impl Future<Output = ()> + Send + Sync + use<> {
        let (handle, gone) = (self.receiver.handle(), self.gone);
        let wait = active_call.wait(time);
        async move {
            let has_gone = || handle.closed_by_peer() >= Some(gone);
            wait_while_there(wait, time, has_gone).await;
        }
    }
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// As if the bytes so far had been all.
    Truncated,
    /// With the connection.
    Cut(Command),
}

impl StreamEnd {
    /// The command that ends what the peer reads: a stream has no end but the FIN of its connection.
    pub(crate) fn for_written(self) -> Command {
        match self {
            Self::Truncated => Command::Close,
            Self::Cut(command) => command,
        }
    }
}

impl DirectionFaults {
    fn is_idle(&self) -> bool {
        self.faults.is_empty() && self.wait.is_empty()
    }

    fn drop_over(&mut self) {
        let waited_for = self.faults.iter().take(self.waited_for);
        self.waited_for -= waited_for
            .filter(|fault| fault.active_call.is_over())
            .count();
        self.faults.retain(|fault| !fault.active_call.is_over());
        if self.waits_for.as_ref().is_some_and(ActiveCall::is_over) {
            (self.wait, self.waits_for) = (WaitSlot::default(), None);
        }
    }

    fn append(&mut self, other: Self) {
        if !other.faults.is_empty() {
            self.faults.extend(other.faults);
            // The next chunk is to suit them, too.
            self.admitted = None;
        }
    }

    /// Adds a fault, unless its call is over.
    pub(crate) fn push(&mut self, plan: BytesPlan, active_call: Option<ActiveCall>) {
        self.faults
            .extend(active_call.map(|active_call| DirectionFault {
                fault: ByteFault::new(plan),
                end: StreamEnd::Truncated,
                active_call,
            }));
    }

    /// Adds a cut of the connection after so many bytes.
    pub(crate) fn cut_after(&mut self, bytes: u64, command: Command, active_call: ActiveCall) {
        self.faults.push(DirectionFault {
            fault: ByteFault::end_after(bytes),
            end: StreamEnd::Cut(command),
            active_call,
        });
    }

    /// Returns how many of the `offered` bytes may pass next, at least one if any are offered. Pending
    /// while none may.
    pub(crate) fn poll_admit(
        &mut self,
        peer: PeerWatch<'_>,
        cx: &mut Context<'_>,
        offered: usize,
    ) -> Poll<Result<usize, StreamEnd>> {
        loop {
            if let Some(admitted) = self.admitted {
                return Poll::Ready(Ok(admitted.min(offered)));
            }
            ready!(self.poll_wait(cx));
            self.faults.retain(|fault| !fault.active_call.is_over());
            let mut faults = self.faults.iter().enumerate();
            let stall = faults.find_map(|(at, fault)| match fault.fault.before() {
                Before::Stall(time) => Some((at, time)),
                _ => None,
            });
            if let Some((at, time)) = stall {
                let fault = self.faults.remove(at);
                self.wait.start(peer.wait(&fault.active_call, time));
                self.waits_for = Some(fault.active_call);
                continue;
            }
            if let Some(end) = self.end() {
                return Poll::Ready(Err(end));
            }
            let largest = self.faults.iter().map(|fault| fault.fault.largest_chunk());
            // An end whose rule was over only just now leaves no byte, and no longer counts.
            self.admitted = Some(largest.fold(LARGEST_CHUNK, usize::min).max(1));
            self.waited_for = 0;
        }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.wait.poll(cx));
        self.waits_for = None;
        Poll::Ready(())
    }

    /// Waits until a chunk of `length` bytes may pass. It may be polled again after it was ready.
    pub(crate) fn poll_pass(
        &mut self,
        peer: PeerWatch<'_>,
        cx: &mut Context<'_>,
        length: usize,
    ) -> Poll<()> {
        loop {
            ready!(self.poll_wait(cx));
            let Some(fault) = self.faults.get_mut(self.waited_for) else {
                return Poll::Ready(());
            };
            self.waited_for += 1;
            let now = || self.clock.get_or_insert_with(Clock::monotonic).now();
            let delay = fault.fault.delay(length, now);
            if !delay.is_zero() {
                self.wait.start(peer.wait(&fault.active_call, delay));
                self.waits_for = Some(fault.active_call.clone());
            }
        }
    }

    /// Whether a fault changes some of the next `length` bytes.
    pub(crate) fn changes(&self, length: usize) -> bool {
        self.faults.iter().any(|fault| fault.fault.changes(length))
    }

    /// Changes the next bytes. Not all of them need to pass: those that do not are changed alike when
    /// they come again.
    pub(crate) fn change(&mut self, bytes: &mut [u8]) {
        for fault in &mut self.faults {
            fault.fault.change(bytes);
        }
    }

    /// Counts `length` bytes of the chunk as passed. Returns how the direction ends if they were the
    /// last.
    pub(crate) fn pass(&mut self, length: usize) -> Option<StreamEnd> {
        self.admitted = None;
        for fault in &mut self.faults {
            fault.fault.pass(length);
        }
        self.faults
            .retain(|fault| fault.fault.before() != Before::Done);
        self.end()
    }

    fn end(&self) -> Option<StreamEnd> {
        let ended = self
            .faults
            .iter()
            .find(|fault| fault.fault.before() == Before::End && !fault.active_call.is_over());
        ended.map(|fault| fault.end)
    }
}

impl fmt::Debug for DirectionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectionFaults")
            .field("faults", &self.faults.len())
            .finish_non_exhaustive()
    }
}
