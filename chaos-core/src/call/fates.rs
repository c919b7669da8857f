//! What observed rules have done to a call that is under way, and how groups of such calls are told apart.

use std::{
    hash::Hasher,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use fnv::FnvHasher;

/// What a rule did to a call, or to a call below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The rule matched, and left the call alone.
    Spared,
    /// The rule injected.
    Hit,
}

/// How many groups of keys are told apart, as a power of two.
const KEY_BITS: u32 = 6;

/// The number of groups of keys that are told apart.
pub(crate) const KEY_GROUPS: usize = 1 << KEY_BITS;

/// What a rule did to a call with which key: one byte, larger for a hit than for a spared call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyedFate(u8);

impl KeyedFate {
    const NOTHING: u8 = 0;

    /// Returns the fate of a call that has this key, if the rule has one.
    pub(crate) fn of(fate: Fate, key: Option<&str>) -> Self {
        let fate = match fate {
            Fate::Spared => 1,
            Fate::Hit => 2,
        };
        Self(fate << KEY_BITS | key.map_or(0, group_of))
    }

    fn read(byte: u8) -> Option<Self> {
        (byte != Self::NOTHING).then_some(Self(byte))
    }

    /// Returns what the rule did.
    pub(crate) fn fate(self) -> Fate {
        match self.0 >> KEY_BITS {
            1 => Fate::Spared,
            _ => Fate::Hit,
        }
    }

    /// Returns the group of the key.
    pub(crate) fn key_group(self) -> usize {
        usize::from(self.0) % KEY_GROUPS
    }
}

/// Returns the group of a key, by another hash than the one by which keys are hit.
fn group_of(key: &str) -> u8 {
    let mut hasher = FnvHasher::default();
    hasher.write(key.as_bytes());
    // The upper bits of a product depend on all bits of the hash.
    let mixed = hasher.finish().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - KEY_BITS)) as u8
}

/// What each observation that counts a call knows of it. An observation has a number that no other one has. The fates are
/// set while the call is under way, and order nothing: relaxed.
#[derive(Debug)]
pub(crate) struct CallFates(Box<[(u64, AtomicU8)]>);

impl CallFates {
    /// Begins the fates of a call that observations of these numbers count: no rule has matched it.
    pub(crate) fn new(numbers: impl Iterator<Item = u64>) -> Self {
        let fates = numbers.map(|number| (number, AtomicU8::new(KeyedFate::NOTHING)));
        Self(fates.collect())
    }

    /// Notes a fate for an observation, if that counts the call. A hit outweighs a call that is spared.
    pub(crate) fn note(&self, number: u64, fate: KeyedFate) {
        for (known, noted) in &self.0 {
            if *known == number {
                noted.fetch_max(fate.0, Relaxed);
            }
        }
    }

    /// Returns what was noted for the observation of this number; `None` if the rule has matched nothing.
    pub(crate) fn of(&self, number: u64) -> Option<KeyedFate> {
        let known = self.0.iter().find(|(known, _)| *known == number);
        KeyedFate::read(known?.1.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_outweighs_a_call_that_is_spared() {
        let fates = CallFates::new([3, 5].into_iter());
        assert_eq!(fates.of(3), None);
        let (spared, hit) = (
            KeyedFate::of(Fate::Spared, Some("a")),
            KeyedFate::of(Fate::Hit, Some("b")),
        );
        fates.note(3, spared);
        assert_eq!(fates.of(3), Some(spared));
        fates.note(3, hit);
        fates.note(3, spared);
        assert_eq!(fates.of(3), Some(hit));
        assert_eq!(fates.of(3).map(KeyedFate::fate), Some(Fate::Hit));
        assert_eq!(fates.of(5), None);
    }

    #[test]
    fn keys_are_spread_over_the_groups() {
        let mut calls = [0; KEY_GROUPS];
        for user in 0..6400 {
            let fate = KeyedFate::of(Fate::Spared, Some(&format!("user-{user}")));
            assert_eq!(fate.fate(), Fate::Spared);
            calls[fate.key_group()] += 1;
        }
        // Each has 100 on average, and 50 is five standard deviations off.
        assert!(calls.iter().all(|calls| (50..=150).contains(calls)));
    }
}
