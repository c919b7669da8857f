//! Chance: the only file that draws a number.
//!
//! A rule with a key or a seed gets dice made from (seed, rule, key or ordinal), so that the same key,
//! or the n-th call, decides the same way in every run; a rule with neither draws from a generator of
//! the thread, shared with nobody.

use std::{cell::RefCell, hash::Hasher};

#[expect(clippy::disallowed_types, reason = "this is the dice file")]
use rand::rngs::SysRng;
use rand::{Rng, RngExt, SeedableRng, distr::Distribution};
use rand_xoshiro::{Xoroshiro128Plus, Xoshiro256PlusPlus};
use siphasher::sip::SipHasher13;

use crate::name::RuleId;

thread_local! {
    /// The cheapest that is good enough: only the high bits of a draw are ever used. Made by the
    /// first draw that is not in a hurry.
    static THREAD: RefCell<Option<Xoroshiro128Plus>> = const { RefCell::new(None) };
}

fn with_thread<T>(draw: impl FnOnce(&mut Xoroshiro128Plus) -> T) -> T {
    THREAD.with_borrow_mut(|rng| {
        draw(rng.get_or_insert_with(|| {
            // Without a system source of randomness there is nothing better than a constant,
            // and a fault-injection library is no reason to bring the service down.
            Xoroshiro128Plus::try_from_rng(&mut SysRng)
                .unwrap_or_else(|_| Xoroshiro128Plus::seed_from_u64(0))
        }))
    })
}

/// 64 uniform bits of the thread's own, unless it has not drawn before.
#[inline(always)]
pub(crate) fn draw_at_once() -> Option<u64> {
    THREAD.with_borrow_mut(|rng| rng.as_mut().map(Rng::next_u64))
}

/// A source of draws for one call of one rule.
#[derive(Clone, Debug)]
pub(crate) enum Dice {
    Thread,
    Seeded(Xoshiro256PlusPlus),
}

impl Dice {
    /// The dice for call number `ordinal` of the rule whose [`stream`] this is.
    pub(crate) fn seeded(stream: u64, ordinal: u64) -> Self {
        // Weyl steps keep neighbouring ordinals apart; `seed_from_u64` mixes them (SplitMix64).
        let seed = stream.wrapping_add(ordinal.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// The dice for every call with this key, of the rule whose [`stream`] this is. SipHash is the
    /// same everywhere, so every replica has the same ones.
    pub(crate) fn keyed(stream: u64, key: &str) -> Self {
        let mut hash = SipHasher13::new_with_keys(stream, 0);
        hash.write(key.as_bytes());
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(hash.finish()))
    }

    /// 64 uniform bits.
    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        match self {
            Self::Thread => with_thread(Rng::next_u64),
            Self::Seeded(rng) => rng.next_u64(),
        }
    }

    /// A uniform number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        match self {
            Self::Thread => with_thread(|rng| rng.random_range(low..=high)),
            Self::Seeded(rng) => rng.random_range(low..=high),
        }
    }

    /// One draw from a distribution.
    pub(crate) fn sample<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        match self {
            // The thread's own generator is weak in its low bits, and a distribution may use any:
            // the ziggurat of the normal one takes its layer from the lowest eight. So it only
            // seeds a generator that is good in all of them; seeding mixes (SplitMix64).
            Self::Thread => {
                distribution.sample(&mut Xoshiro256PlusPlus::seed_from_u64(self.draw()))
            }
            Self::Seeded(rng) => distribution.sample(rng),
        }
    }
}

/// What tells the draws of one seeded rule from those of another with the same seed.
pub(crate) fn stream(seed: u64, rule: &RuleId) -> u64 {
    let mut hash = fnv::FnvHasher::default();
    hash.write(&seed.to_le_bytes());
    hash.write(rule.as_str().as_bytes());
    hash.finish()
}
