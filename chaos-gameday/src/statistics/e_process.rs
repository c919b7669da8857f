//! A test that may be looked at at any time.

use std::mem;

use super::group::Group;

/// A test of "the calls that are hit do not fail by more than `allowed` more often than those that are spared", which may be
/// looked at after each second, and stops an experiment at [`STOPS_AT`](Self::STOPS_AT).
///
/// A test that is repeated each second finds a difference sooner or later though there is none. The value of this one is at
/// most 1 on average as long as the statement is true, whenever one looks (Ville's inequality): it reaches 20 in at most 5 %
/// of the runs, however long they are.
///
/// The calls of a second are a block; a second without hit calls, or without spared ones, is one with the next. The factor of a
/// block is how likely its failures are if the hit calls fail more often than allowed by some amount, against how likely they
/// are at the point of the statement that is nearest to that (Turner and Grünwald, "Exact anytime-valid confidence intervals for
/// contingency tables and beyond", 2023). Several amounts are tried at once and averaged; how often spared calls fail is taken
/// from the blocks before.
#[derive(Clone, Debug)]
pub struct EProcess {
    allowed: f64,
    /// The number of calls that may fail together.
    together: f64,
    /// The logarithm of the product of the factors of independent calls, for each of [`Self::AMOUNTS`].
    logs: [f64; Self::AMOUNTS.len()],
    /// The calls that were hit and those that were spared in the present block.
    block: (Group, Group),
    /// The calls that were spared in the blocks before.
    spared: Group,
}

impl EProcess {
    /// The value at which an experiment is stopped.
    pub const STOPS_AT: f64 = 20.0;

    /// By how much more than allowed the hit calls may fail: the alternatives that are tried.
    const AMOUNTS: [f64; 5] = [0.03, 0.08, 0.2, 0.4, 0.8];

    /// Creates the test for an allowed difference of the error ratios, 0 to 1.
    #[must_use]
    pub fn new(allowed: f64) -> Self {
        Self {
            allowed: allowed.clamp(0.0, 1.0),
            together: 1.0,
            logs: [0.0; Self::AMOUNTS.len()],
            block: Default::default(),
            spared: Group::default(),
        }
    }

    /// Sets how many calls may fail together, as those of one key do: the test then counts so many calls as one. It is 1 at
    /// first, and never less. It may be set at any time, and counts for all calls since the test began.
    ///
    /// The test is exact if all calls that depend on each other fall into one second and are at most so many (Hölder's
    /// inequality). For keys whose calls come over a longer time, [`design_effect`](super::design_effect) is an estimate of it.
    pub fn set_calls_together(&mut self, calls: f64) {
        self.together = calls.max(1.0);
    }

    /// Takes the calls that were hit and those that were spared since it was last called, about once a second.
    pub fn add(&mut self, hit: &Group, spared: &Group) {
        self.block.0.add(&Group::of(hit.calls, hit.failed));
        self.block.1.add(&Group::of(spared.calls, spared.failed));
        // When a block ends depends on the numbers of calls alone, and not on which of them failed.
        if self.block.0.calls == 0 || self.block.1.calls == 0 {
            return;
        }
        let (hit, spared) = mem::take(&mut self.block);
        let (hit_calls, spared_calls) = (hit.calls as f64, spared.calls as f64);
        // As if one of a hundred calls had failed, half a failure's worth.
        let ratio = (self.spared.failed as f64 + 0.5) / (self.spared.calls as f64 + 50.0);
        for (log, amount) in self.logs.iter_mut().zip(Self::AMOUNTS) {
            let worse = (ratio + self.allowed + amount).min(1.0 - 1e-6);
            // Beyond that, the alternative would be no worse than what is allowed.
            if worse - ratio <= self.allowed {
                continue;
            }
            let nearest = nearest(worse, ratio, hit_calls, spared_calls, self.allowed);
            *log += likelihood(&hit, worse, nearest.0) + likelihood(&spared, ratio, nearest.1);
        }
        self.spared.add(&spared);
    }

    /// Returns the value: evidence against the statement, 1 at first, and finite.
    #[must_use]
    pub fn value(&self) -> f64 {
        let logs = self.logs.iter();
        let sum: f64 = logs.map(|log| (log / self.together).exp()).sum();
        (sum / self.logs.len() as f64).min(f64::MAX)
    }

    /// Returns whether the value has reached [`STOPS_AT`](Self::STOPS_AT).
    #[must_use]
    pub fn stops(&self) -> bool {
        self.value() >= Self::STOPS_AT
    }
}

/// The logarithm of how much more likely the failures of a group are at one ratio than at another.
fn likelihood(group: &Group, ratio: f64, other: f64) -> f64 {
    let failed = group.failed as f64;
    let others = group.calls.saturating_sub(group.failed) as f64;
    failed * (ratio / other).ln() + others * ((1.0 - ratio) / (1.0 - other)).ln()
}

/// Returns the error ratios of hit and spared calls, `allowed` apart, that are nearest to the given ones by the
/// Kullback-Leibler divergence of all calls. The divergence is convex, so its slope is searched for its zero.
fn nearest(hit: f64, spared: f64, hit_calls: f64, spared_calls: f64, allowed: f64) -> (f64, f64) {
    let slope = |at: f64, ratio: f64| (at - ratio) / (at * (1.0 - at));
    let slope = |at: f64| hit_calls * slope(at + allowed, hit) + spared_calls * slope(at, spared);
    // At the lower end both slopes point up, at the upper end both point down or meet.
    let (mut low, mut high) = (spared, hit - allowed);
    // To a billionth of a thousandth.
    for _ in 0..40 {
        let middle = low.midpoint(high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high + allowed, high)
}
