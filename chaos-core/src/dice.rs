//! Random numbers: the only file that draws one.
//!
//! A rule with a key or a seed draws from dice made of (seed, rule, key or ordinal), so that calls
//! with one key, or the n-th call, are decided the same way in every run. A rule with neither draws
//! from a generator of the thread, which no other thread shares.

use std::{cell::RefCell, hash::Hasher};

#[expect(clippy::disallowed_types, reason = "this is the dice file")]
use rand::rngs::SysRng;
use rand::{Rng, RngExt, SeedableRng, distr::Distribution};
use rand_xoshiro::{Xoroshiro128Plus, Xoshiro256PlusPlus};
use siphasher::sip::SipHasher13;

use crate::name::RuleId;

thread_local! {
    /// The cheapest generator that suffices: only the high bits of a draw decide. `with_thread`
    /// creates it on its first draw; `draw_at_once` never does.
    static THREAD: RefCell<Option<Xoroshiro128Plus>> = const { RefCell::new(None) };
}

fn with_thread<T>(draw: impl FnOnce(&mut Xoroshiro128Plus) -> T) -> T {
    THREAD.with_borrow_mut(|rng| {
        draw(rng.get_or_insert_with(|| {
            // Without a system source of randomness there is nothing better than a constant,
            // and a fault-injection library must not bring the service down for it.
            Xoroshiro128Plus::try_from_rng(&mut SysRng)
                .unwrap_or_else(|_| Xoroshiro128Plus::seed_from_u64(0))
        }))
    })
}

/// Draws 64 uniform bits from the thread's generator, or returns `None` if the thread has none yet.
#[inline(always)]
pub(crate) fn draw_at_once() -> Option<u64> {
    THREAD.with_borrow_mut(|rng| rng.as_mut().map(Rng::next_u64))
}

/// The random numbers of one call of one rule.
#[derive(Clone, Debug)]
pub(crate) enum Dice {
    Thread,
    Seeded(Xoshiro256PlusPlus),
}

impl Dice {
    /// Creates the dice for call number `ordinal` of the rule with this [`stream`].
    pub(crate) fn seeded(stream: u64, ordinal: u64) -> Self {
        // Weyl steps keep neighbouring ordinals apart; `seed_from_u64` mixes them (SplitMix64).
        let seed = stream.wrapping_add(ordinal.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Creates the dice for every call with this key, of the rule with this [`stream`]. SipHash
    /// gives the same result on every machine, so every replica has the same dice.
    pub(crate) fn keyed(stream: u64, key: &str) -> Self {
        let mut hash = SipHasher13::new_with_keys(stream, 0);
        hash.write(key.as_bytes());
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(hash.finish()))
    }

    /// Draws 64 uniform bits.
    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        match self {
            Self::Thread => with_thread(Rng::next_u64),
            Self::Seeded(rng) => rng.next_u64(),
        }
    }

    /// Draws a uniform number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        match self {
            Self::Thread => with_thread(|rng| rng.random_range(low..=high)),
            Self::Seeded(rng) => rng.random_range(low..=high),
        }
    }

    /// Draws once from a distribution.
    pub(crate) fn sample<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        match self {
            // The thread's generator is weak in its low bits, and a distribution may use any bit:
            // the ziggurat of the normal one takes its layer from the lowest eight. So it only
            // seeds a generator that is good in all bits; seeding mixes (SplitMix64).
            Self::Thread => {
                distribution.sample(&mut Xoshiro256PlusPlus::seed_from_u64(self.draw()))
            }
            Self::Seeded(rng) => distribution.sample(rng),
        }
    }
}

/// Hashes the seed with the rule's id, so that rules with one seed draw different numbers.
pub(crate) fn stream(seed: u64, rule: &RuleId) -> u64 {
    let mut hash = fnv::FnvHasher::default();
    hash.write(&seed.to_le_bytes());
    hash.write(rule.as_str().as_bytes());
    hash.finish()
}
