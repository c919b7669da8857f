//! Random numbers: the only file that draws one.
//!
//! A rule with a key or a seed draws from dice made of (seed, rule, key or ordinal), so that calls
//! with one key, or the n-th call, are decided the same way in every run. A rule with neither draws
//! from a generator of the thread, which no other thread shares.

use std::{cell::Cell, hash::Hasher};

#[expect(clippy::disallowed_types, reason = "this is the dice file")]
use rand::rngs::SysRng;
use rand::{Rng, RngExt, SeedableRng, TryRng, distr::Distribution};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};
use siphasher::sip::SipHasher13;

use crate::name::RuleId;

/// How many different draws decide on a call: a draw has 53 bits, which a float holds exactly.
pub(crate) const DRAWS: u64 = 1 << 53;

thread_local! {
    /// The state of the cheapest generator that suffices, since only the high bits of a draw decide. It is
    /// zero until `draw_of_thread` seeds it, and no state that follows a seed is zero.
    static THREAD: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

/// Makes one step of xoroshiro128+. The generator of the crate has to be borrowed from a cell, which would
/// cost the calls that are left alone as much again as the step.
#[inline(always)]
fn step([a, b]: [u64; 2]) -> (u64, [u64; 2]) {
    let c = a ^ b;
    let next = [a.rotate_left(24) ^ c ^ (c << 16), c.rotate_left(37)];
    (a.wrapping_add(b), next)
}

/// Draws 64 uniform bits from the thread's generator.
fn draw_of_thread() -> u64 {
    if !is_thread_seeded() {
        // Without a system source of randomness there is nothing better than a constant,
        // and a fault-injection library must not bring the service down for it.
        let seed = || SysRng.try_next_u64().unwrap_or(0x9E37_79B9_7F4A_7C15);
        // It must not be zero.
        THREAD.set([seed(), seed() | 1]);
    }
    draw_at_once()
}

/// Returns whether this thread has drawn before.
pub(crate) fn is_thread_seeded() -> bool {
    THREAD.get() != [0; 2]
}

/// Draws 64 uniform bits from the thread's generator, or returns 0 if the thread has not drawn before.
#[inline(always)]
pub(crate) fn draw_at_once() -> u64 {
    let (draw, next) = step(THREAD.get());
    THREAD.set(next);
    draw
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
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(by_ordinal(
            stream, ordinal,
        )))
    }

    /// Creates the dice for every call with this key, of the rule with this [`stream`]. SipHash
    /// gives the same result on every machine, so every replica has the same dice.
    pub(crate) fn keyed(stream: u64, key: &str) -> Self {
        Self::Seeded(Xoshiro256PlusPlus::seed_from_u64(by_key(
            stream,
            key.as_bytes(),
        )))
    }

    /// Draws 64 uniform bits.
    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        match self {
            Self::Thread => draw_of_thread(),
            Self::Seeded(rng) => rng.next_u64(),
        }
    }

    /// Draws a uniform number in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.with_generator(|rng| rng.random_range(low..=high))
    }

    /// Draws once from a distribution.
    pub(crate) fn sample<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        self.with_generator(|rng| distribution.sample(rng))
    }

    fn with_generator<T>(&mut self, draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> T) -> T {
        match self {
            // The thread's generator is weak in its low bits, and a distribution may use any bit:
            // the ziggurat of the normal one takes its layer from the lowest eight. So it only
            // seeds a generator that is good in all bits; seeding mixes (SplitMix64).
            Self::Thread => draw(&mut Xoshiro256PlusPlus::seed_from_u64(draw_of_thread())),
            Self::Seeded(rng) => draw(rng),
        }
    }
}

/// Returns the first number that [`Dice::seeded`] draw.
#[inline]
pub(crate) fn first_seeded(stream: u64, ordinal: u64) -> u64 {
    first_of(by_ordinal(stream, ordinal))
}

/// Returns the first number that [`Dice::keyed`] draw.
#[inline]
pub(crate) fn first_keyed(stream: u64, key: &[u8]) -> u64 {
    first_of(by_key(stream, key))
}

/// Returns the seed of call number `ordinal`. Weyl steps keep neighbouring ordinals apart; `seed_from_u64` mixes
/// them (SplitMix64).
fn by_ordinal(stream: u64, ordinal: u64) -> u64 {
    stream.wrapping_add(ordinal.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Returns the seed of the calls with this key.
#[inline(always)]
fn by_key(stream: u64, key: &[u8]) -> u64 {
    SipHasher13::new_with_keys(stream, 0).hash(key)
}

/// Returns the first number of xoshiro256++ with this seed. It takes two of the four numbers that the generator is
/// made of, and most calls need no other number.
fn first_of(seed: u64) -> u64 {
    let mut state = SplitMix64::seed_from_u64(seed);
    let [first, _, _, last] = [(); 4].map(|()| state.next_u64());
    (first.wrapping_add(last))
        .rotate_left(23)
        .wrapping_add(first)
}

/// Hashes the seed with the rule's id, so that rules with one seed draw different numbers.
pub(crate) fn stream(seed: u64, rule: &RuleId) -> u64 {
    let mut hash = fnv::FnvHasher::default();
    hash.write(&seed.to_le_bytes());
    hash.write(rule.as_str().as_bytes());
    hash.finish()
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoroshiro128Plus;

    use super::*;

    #[test]
    fn the_first_number_is_that_of_the_published_generators() {
        for at in 0..1000 {
            let stream = u64::MAX / 1000 * at;
            let first = Dice::seeded(stream, at).draw();
            assert_eq!(first_seeded(stream, at), first);
            let key = "k".repeat(usize::try_from(at % 40).unwrap());
            let mut hash = SipHasher13::new_with_keys(stream, 0);
            hash.write(key.as_bytes());
            let mut published = Xoshiro256PlusPlus::seed_from_u64(hash.finish());
            assert_eq!(first_keyed(stream, key.as_bytes()), published.next_u64());
            assert_eq!(
                Dice::keyed(stream, &key).draw(),
                first_keyed(stream, key.as_bytes())
            );
        }
    }

    #[test]
    fn a_step_is_that_of_the_published_generator() {
        let mut state = [0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3211_u64];
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&state[0].to_le_bytes());
        seed[8..].copy_from_slice(&state[1].to_le_bytes());
        let mut published = Xoroshiro128Plus::from_seed(seed);
        for _ in 0..1000 {
            let (draw, next) = step(state);
            assert_eq!(draw, published.next_u64());
            state = next;
        }
    }
}
