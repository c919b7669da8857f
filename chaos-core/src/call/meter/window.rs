//! What a meter has counted in a sliding window.

use std::{array, collections::VecDeque};

use super::{
    CallMeter,
    reading::{CallStats, Reading},
};

/// A sliding window over a meter, which moves by slots of time. It allocates when it is created, and not later.
///
/// Its user tells it when a slot begins, before calls are counted in it; slots without calls may be left out.
#[derive(Debug)]
pub(crate) struct CallWindow<const GROUPS: usize> {
    /// The number of each slot in the window, and what the meter had shown when it began. There is at least one.
    starts: VecDeque<(u64, Reading<GROUPS>)>,
    unused: Vec<Reading<GROUPS>>,
    /// How many slots there are in the window.
    slots: u64,
}

impl<const GROUPS: usize> CallWindow<GROUPS> {
    /// Creates a window of `slots` slots over a meter that has counted nothing so far.
    pub(crate) fn new(slots: u32, keeps_latencies: bool) -> Self {
        let reading = || array::from_fn(|_| CallStats::new(keeps_latencies));
        // While a slot begins, there is one more.
        let mut starts = VecDeque::with_capacity(slots as usize + 1);
        starts.push_back((0, reading()));
        Self {
            starts,
            unused: (0..slots).map(|_| reading()).collect(),
            slots: slots.into(),
        }
    }

    /// Begins the slot of this number, unless it or a later one has begun.
    pub(crate) fn begin(&mut self, number: u64, meter: &CallMeter<GROUPS>) {
        if self.newest() >= number {
            return;
        }
        let Some(mut start) = self.unused.pop() else {
            return;
        };
        meter.read(&mut start);
        self.starts.push_back((number, start));
        let slots = self.slots;
        let has_left = |(first, _): &(u64, _)| *first + slots <= number;
        while self.starts.front().is_some_and(has_left) {
            self.drop_oldest();
        }
    }

    /// Reads what the meter has counted in the window.
    pub(crate) fn read(&self, meter: &CallMeter<GROUPS>, reading: &mut Reading<GROUPS>) {
        meter.read(reading);
        if let Some((_, start)) = self.starts.front() {
            for (stats, start) in reading.iter_mut().zip(start) {
                stats.subtract(start);
            }
        }
    }

    /// Counts a call as failed in the slot in which it was counted, or if that has left the window, counts the
    /// call anew in the newest slot.
    pub(crate) fn fail(&mut self, counted: u64, group: usize, meter: &CallMeter<GROUPS>) {
        if counted + self.slots <= self.newest() {
            return meter.add_failed(group);
        }
        meter.fail(group);
        let later = self.starts.iter_mut().rev();
        for (_, start) in later.take_while(|(number, _)| *number > counted) {
            start[group].failed += 1;
        }
    }

    /// Forgets what was counted so far.
    pub(crate) fn reset(&mut self, meter: &CallMeter<GROUPS>) {
        while self.starts.len() > 1 {
            self.drop_oldest();
        }
        if let Some((_, start)) = self.starts.front_mut() {
            meter.read(start);
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.starts.pop_front();
        self.unused.extend(oldest.map(|(_, unused)| unused));
    }

    fn newest(&self) -> u64 {
        self.starts.back().map_or(0, |(number, _)| *number)
    }
}
