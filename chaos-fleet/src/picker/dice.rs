//! The generators of random numbers: each is a function of the seed, the pick and its ordinal, so that a picker that
//! starts again goes on, and several pickers draw alike.

use std::hash::Hasher;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use siphasher::sip::SipHasher13;

/// What is drawn. Each has numbers of its own, so that how many one takes does not change the other.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    /// The time to a pick.
    Gap,
    /// The replica.
    Choice,
}

/// Returns the generator for one draw of the pick number `ordinal`. `missed` is how often that pick has been missed.
pub(super) fn dice(
    draw: Draw,
    seed: u64,
    name: &str,
    ordinal: u64,
    missed: u32,
) -> Xoshiro256PlusPlus {
    // SipHash gives the same on every machine.
    let mut hasher = SipHasher13::new_with_keys(seed, draw as u64);
    hasher.write(name.as_bytes());
    hasher.write(&ordinal.to_le_bytes());
    hasher.write(&missed.to_le_bytes());
    Xoshiro256PlusPlus::seed_from_u64(hasher.finish())
}
