//! The outcomes of calls in a sliding window. Reads no clock.

mod judge;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::guard_rail::{GuardRail, breach::Breach, call_stats::Stats, injected_by::InjectedBy};

/// The calls that ended in one tenth of the window.
#[derive(Debug)]
struct Slot {
    number: u64,
    heads: Stats,
    /// Empty unless there is a bound on the latency to the end.
    ends: Stats,
}

/// The calls that one guard rail has measured.
#[derive(Debug)]
pub(crate) struct Outcomes {
    slots: VecDeque<Slot>,
    /// When each unfinished call began, with a number that tells calls of the same moment apart, and
    /// who has injected into it.
    under_way: BTreeMap<(Duration, u64), Arc<InjectedBy>>,
    /// The calls whose head is there, or comes now, and whose body has not ended, as in `under_way`. Empty
    /// unless there is a bound on the latency to the end.
    bodies: BTreeMap<(Duration, u64), Arc<InjectedBy>>,
    /// Whether calls count into which an overlay has injected.
    counts_overlays: bool,
    next: u64,
    /// The number of the last call that was forgotten by a reset.
    forgotten: u64,
    /// When latencies, and errors while calls are held, were judged last.
    judged: Duration,
    errors_judged: Duration,
    /// Whether a breach was reported.
    tripped: bool,
}

/// The start of a call that has not ended yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallStart(Duration, u64);

impl CallStart {
    /// Returns how long the call has taken so far.
    #[cfg(feature = "tokio")]
    pub(crate) fn taken(&self, now: Duration) -> Duration {
        now.saturating_sub(self.0)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered {
        failed: bool,
    },
    /// The caller went away before there was an answer.
    Left,
}

/// How many slots the window has.
const SLOTS: u32 = 10;

impl Outcomes {
    pub(crate) fn new(counts_overlays: bool) -> Self {
        Self {
            counts_overlays,
            slots: VecDeque::new(),
            under_way: BTreeMap::new(),
            bodies: BTreeMap::new(),
            next: 0,
            forgotten: 0,
            judged: Duration::ZERO,
            errors_judged: Duration::ZERO,
            tripped: false,
        }
    }

    /// Records that a call begins. `injected` is set while it is under way.
    pub(crate) fn begin(&mut self, now: Duration, injected: &Arc<InjectedBy>) -> CallStart {
        self.next += 1;
        let injected = Arc::clone(injected);
        self.under_way.insert((now, self.next), injected);
        CallStart(now, self.next)
    }

    /// Records that the head of a call is there, and that a body follows, before the call's
    /// [`end`](Self::end).
    pub(crate) fn begin_body(&mut self, CallStart(since, number): CallStart, rail: &GuardRail) {
        let key = (since, number);
        if let (Some(_), Some(injected)) = (rail.latency_to_end, self.under_way.get(&key)) {
            self.bodies.insert(key, Arc::clone(injected));
        }
    }

    /// Records that the body of a call ended.
    pub(crate) fn end_body(
        &mut self,
        CallStart(since, number): CallStart,
        rail: &GuardRail,
        now: Duration,
        end: CallEnd,
    ) {
        // Without it, the head was there before all was forgotten.
        let Some(injected) = self.bodies.remove(&(since, number)) else {
            return;
        };
        self.add(since, &injected, rail, now, [None, Some(end)]);
    }

    /// Records that a call ended, or if a body follows, its head.
    pub(crate) fn end(
        &mut self,
        CallStart(since, number): CallStart,
        rail: &GuardRail,
        now: Duration,
        end: CallEnd,
    ) {
        // Without it, the call began before all was forgotten.
        let Some(injected) = self.under_way.remove(&(since, number)) else {
            return;
        };
        let has_ended = !self.bodies.contains_key(&(since, number));
        self.add(
            since,
            &injected,
            rail,
            now,
            [Some(end), has_ended.then_some(end)],
        );
    }

    /// Adds a call to the statistics of heads and of ends, as far as it counts.
    fn add(
        &mut self,
        since: Duration,
        injected: &InjectedBy,
        rail: &GuardRail,
        now: Duration,
        [head, end]: [Option<CallEnd>; 2],
    ) {
        if !self.counts(injected) {
            return;
        }
        let injected = injected.anyone();
        let latency = now.saturating_sub(since);
        let failed = |end: CallEnd, bound: Option<(f64, Duration)>| match end {
            CallEnd::Answered { failed } => Some(failed),
            CallEnd::Left if injected && latency > rail.answered_within() => Some(true),
            // Nobody knows what the answer would have been, but it was late already.
            CallEnd::Left => bound
                .is_some_and(|(_, longest)| latency > longest)
                .then_some(false),
        };
        let head = head.and_then(|head| failed(head, rail.latency));
        let end = end.filter(|_| rail.latency_to_end.is_some());
        let end = end.and_then(|end| failed(end, rail.latency_to_end));
        if head.is_none() && end.is_none() {
            return;
        }
        self.forget(rail, now);
        let Some(slot) = self.slot(slot_number(rail, now)) else {
            return;
        };
        for (stats, failed) in [(&mut slot.heads, head), (&mut slot.ends, end)] {
            if let Some(failed) = failed {
                stats.add(latency, failed, injected);
            }
        }
    }

    /// Records that a call failed after its head, which was there at `answered` and no failure. It failed
    /// when it was counted, or if that has left the window, now.
    pub(crate) fn fail(
        &mut self,
        CallStart(_, number): CallStart,
        rail: &GuardRail,
        answered: Duration,
        now: Duration,
        injected: &InjectedBy,
    ) {
        if number <= self.forgotten || !self.counts(injected) {
            return;
        }
        self.forget(rail, now);
        let (counted, newest) = (slot_number(rail, answered), slot_number(rail, now));
        let has_left = counted + u64::from(SLOTS) <= newest;
        let is_clean = !injected.anyone();
        let Some(slot) = self.slot(if has_left { newest } else { counted }) else {
            return;
        };
        let clean = is_clean.then_some(&mut slot.heads.clean);
        for stats in [Some(&mut slot.heads.all), clean].into_iter().flatten() {
            stats.calls += u64::from(has_left);
            stats.failed += 1;
        }
    }

    /// Returns the first slot of this number or a later one, and makes one if there is none.
    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        if self.slots.back().is_none_or(|last| last.number < number) {
            self.slots.push_back(Slot {
                number,
                heads: Stats::default(),
                ends: Stats::default(),
            });
        }
        self.slots
            .iter_mut()
            .rev()
            .take_while(|slot| slot.number >= number)
            .last()
    }

    /// Returns the breach of a bound, the first time that one is broken.
    pub(crate) fn trip(&mut self, rail: &GuardRail, now: Duration) -> Option<Breach> {
        let breach = self.judge(rail, now)?;
        let is_first = !std::mem::replace(&mut self.tripped, true);
        is_first.then_some(breach)
    }

    /// Forgets all calls, those under way included, and the breach.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            // A call of before is still told from one of after.
            next: self.next,
            forgotten: self.next,
            ..Self::new(self.counts_overlays)
        };
    }

    pub(crate) fn has_tripped(&self) -> bool {
        self.tripped
    }

    /// Returns whether a call counts.
    fn counts(&self, injected: &InjectedBy) -> bool {
        self.counts_overlays || !injected.an_overlay()
    }

    /// Drops the slots that have left the window.
    fn forget(&mut self, rail: &GuardRail, now: Duration) {
        let newest = slot_number(rail, now);
        while (self.slots.front()).is_some_and(|slot| slot.number + u64::from(SLOTS) <= newest) {
            self.slots.pop_front();
        }
    }
}

fn slot_number(rail: &GuardRail, now: Duration) -> u64 {
    let slot = rail.window / SLOTS;
    u64::try_from(now.as_nanos() / slot.as_nanos()).unwrap_or(u64::MAX)
}
