//! The outcomes of calls in a sliding window, as one guard rail sees them. Reads no clock.

mod judge;

pub(super) use self::judge::{CHECK_INTERVAL, Case};

use std::time::Duration;

use crate::{
    call::meter::{CallMeter, CallStats, CallWindow, nanos},
    guard_rail::GuardRail,
};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered {
        failed: bool,
    },
    /// The caller went away before there was an answer.
    Left,
}

/// How many groups of calls guard rails tell apart.
const GROUPS: usize = 2;
pub(super) const INJECTED: usize = 0;
pub(super) const CLEAN: usize = 1;

/// How many slots the window has.
const SLOTS: u32 = 10;

/// The counts of heads, and of ends if there is a bound on the latency to the end. Calls add to them without a
/// lock.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) heads: CallMeter<GROUPS>,
    pub(super) ends: Option<CallMeter<GROUPS>>,
}

impl Meters {
    pub(super) fn new(rail: &GuardRail) -> Self {
        let to_end = rail.latency_to_end.map(|(_, longest)| Some(longest));
        Self {
            heads: CallMeter::new(rail.latency.map(|(_, longest)| longest)),
            ends: to_end.map(CallMeter::new),
        }
    }
}

/// What a guard rail reads of its meters, and keeps from one judgement to the next.
#[derive(Debug)]
pub(super) struct Outcomes {
    heads: CallWindow<GROUPS>,
    ends: Option<CallWindow<GROUPS>>,
    /// What is read of them. It is kept, so that judging allocates nothing.
    failures: [CallStats; GROUPS],
    latencies: [CallStats; GROUPS],
    all: CallStats,
    /// When latencies were judged last.
    latencies_judged: Option<Duration>,
    /// When the calls that are held were counted last, and how many there were.
    held: Option<(Duration, u64)>,
    /// How many calls are missing before the bounds apply, if any has failed; otherwise 0.
    pub(super) missing: u64,
}

impl Outcomes {
    pub(super) fn new(rail: &GuardRail) -> Self {
        let latencies = || CallStats::new(rail.bounds_latency());
        Self {
            heads: CallWindow::new(SLOTS, rail.latency.is_some()),
            ends: (rail.latency_to_end).map(|_| CallWindow::new(SLOTS, true)),
            failures: [CallStats::new(false), CallStats::new(false)],
            latencies: [latencies(), latencies()],
            all: latencies(),
            latencies_judged: None,
            held: None,
            missing: 0,
        }
    }

    /// Moves the window to `now`, before calls of this time are counted.
    pub(super) fn advance(&mut self, rail: &GuardRail, meters: &Meters, now: Duration) {
        let number = slot_number(rail, now);
        self.heads.begin(number, &meters.heads);
        if let (Some(window), Some(meter)) = (&mut self.ends, &meters.ends) {
            window.begin(number, meter);
        }
    }

    /// Counts a call as failed after its head, which was there at `answered` and no failure. It failed when it
    /// was counted, or if that has left the window, now.
    pub(super) fn fail(
        &mut self,
        rail: &GuardRail,
        meters: &Meters,
        answered: Duration,
        group: usize,
    ) {
        let counted = slot_number(rail, answered);
        self.heads.fail(counted, group, &meters.heads);
    }

    /// Forgets all calls.
    pub(super) fn reset(&mut self, meters: &Meters) {
        self.heads.reset(&meters.heads);
        if let (Some(window), Some(meter)) = (&mut self.ends, &meters.ends) {
            window.reset(meter);
        }
        (self.latencies_judged, self.held, self.missing) = (None, None, 0);
    }
}

/// Returns the number of the slot of a time.
fn slot_number(rail: &GuardRail, now: Duration) -> u64 {
    nanos(now) / slot_nanos(rail)
}

/// Returns the nanoseconds at which the slot begins that follows the one of a time.
pub(super) fn next_slot(rail: &GuardRail, now: Duration) -> u64 {
    (slot_number(rail, now) + 1).saturating_mul(slot_nanos(rail))
}

/// Returns the nanoseconds of a slot. They are never 0, because a window has a second or more.
fn slot_nanos(rail: &GuardRail) -> u64 {
    nanos(rail.window / SLOTS)
}
