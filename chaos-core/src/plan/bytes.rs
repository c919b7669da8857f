//! What can be done to bytes on their way: those of a body, and those of a connection.
//!
//! The words are Toxiproxy's where it has one: throttle is its `bandwidth`, truncate its
//! `limit_data`, stall its `timeout`.

use std::{num::NonZeroU64, time::Duration};

use crate::{dice::Dice, error::RuleError};

/// One deed on passing bytes. Closed, like [`Plan`](crate::Plan): whoever passes bytes on must know
/// each.
#[derive(Clone, Debug)]
pub enum BytesDeed {
    /// At most so many bytes a second, counted from the first.
    Throttle(NonZeroU64),
    /// So many bytes pass; then the body ends, as if that had been all.
    TruncateAfter(u64),
    /// So many bytes pass; then nothing for so long.
    StallAfter(u64, Duration),
    /// Some bytes are changed.
    Corrupt(Corruption),
    /// The first byte waits for so long.
    FirstByte(Duration),
    /// Each chunk (a frame of a body, a read or a write of a connection) waits for so long.
    EachChunk(Duration),
}

impl BytesDeed {
    /// With no single wait longer than this.
    pub(crate) fn no_longer(self, longest: Duration) -> Self {
        match self {
            Self::StallAfter(bytes, time) => Self::StallAfter(bytes, time.min(longest)),
            Self::FirstByte(time) => Self::FirstByte(time.min(longest)),
            Self::EachChunk(time) => Self::EachChunk(time.min(longest)),
            deed @ (Self::Throttle(_) | Self::TruncateAfter(_) | Self::Corrupt(_)) => deed,
        }
    }

    /// With times and sizes that are so many times as great. A rate and a share stay.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::TruncateAfter(bytes) => Self::TruncateAfter(scaled_size(bytes, factor)),
            Self::StallAfter(bytes, time) => {
                Self::StallAfter(scaled_size(bytes, factor), scaled_time(time, factor))
            }
            Self::FirstByte(time) => Self::FirstByte(scaled_time(time, factor)),
            Self::EachChunk(time) => Self::EachChunk(scaled_time(time, factor)),
            deed @ (Self::Throttle(_) | Self::Corrupt(_)) => deed,
        }
    }
}

/// What a rule says of bytes: the same, before chance has been asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BytesFault(pub(crate) Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Throttle(NonZeroU64),
    TruncateAfter(u64),
    StallAfter(u64, Duration),
    Corrupt(f64),
    FirstByte(Duration),
    EachChunk(Duration),
}

impl BytesFault {
    /// At most so many bytes a second (Toxiproxy: `bandwidth`).
    #[must_use]
    pub fn throttle(bytes_per_second: NonZeroU64) -> Self {
        Self(Kind::Throttle(bytes_per_second))
    }

    /// Ends after so many bytes (Toxiproxy: `limit_data`).
    #[must_use]
    pub fn truncate_after(bytes: u64) -> Self {
        Self(Kind::TruncateAfter(bytes))
    }

    /// After so many bytes, nothing passes for `time`.
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn stall_after(bytes: u64, time: Duration) -> Result<Self, RuleError> {
        not_too_long("for", time).map(|time| Self(Kind::StallAfter(bytes, time)))
    }

    /// Changes each byte with this probability, above 0 and at most 1.
    ///
    /// # Errors
    /// Outside of that.
    pub fn corrupt(share: f64) -> Result<Self, RuleError> {
        if share > 0.0 && share <= 1.0 {
            return Ok(Self(Kind::Corrupt(share)));
        }
        let problem = format!("{share} is no share of bytes");
        let allowed = "a number above 0 and at most 1";
        Err(RuleError::new("corrupt", problem, allowed))
    }

    /// The first byte waits for `time`.
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn first_byte(time: Duration) -> Result<Self, RuleError> {
        not_too_long("first_byte", time).map(|time| Self(Kind::FirstByte(time)))
    }

    /// Each chunk waits for `time` (Toxiproxy: `latency`).
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn each_chunk(time: Duration) -> Result<Self, RuleError> {
        not_too_long("chunk", time).map(|time| Self(Kind::EachChunk(time)))
    }

    pub(crate) fn deed(self, dice: &mut Dice) -> BytesDeed {
        match self.0 {
            Kind::Throttle(rate) => BytesDeed::Throttle(rate),
            Kind::TruncateAfter(bytes) => BytesDeed::TruncateAfter(bytes),
            Kind::StallAfter(bytes, time) => BytesDeed::StallAfter(bytes, time),
            Kind::Corrupt(share) => BytesDeed::Corrupt(Corruption::new(share, dice)),
            Kind::FirstByte(time) => BytesDeed::FirstByte(time),
            Kind::EachChunk(time) => BytesDeed::EachChunk(time),
        }
    }
}

/// A wait that is longer than this is no fault but the end.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn not_too_long(field: &str, time: Duration) -> Result<Duration, RuleError> {
    if time <= LONGEST {
        return Ok(time);
    }
    let problem = format!("{time:?} is too long");
    Err(RuleError::new(field, problem, "0s to 24h"))
}

/// So many times as long, at most 24 hours.
pub(crate) fn scaled_time(time: Duration, factor: f64) -> Duration {
    // A cast stops at the bounds, and has something for every number.
    let nanos = (time.as_nanos() as f64 * factor).round() as u64;
    Duration::from_nanos(nanos).min(LONGEST)
}

/// So many times as many.
pub(crate) fn scaled_size(bytes: u64, factor: f64) -> u64 {
    (bytes as f64 * factor).round() as u64
}

/// Changes bytes by chance, the same ones for the same seed.
#[derive(Clone, Debug)]
pub struct Corruption {
    /// ln(1 - share): what turns a uniform number into the distance to the next byte.
    ln_spared: f64,
    dice: Dice,
    /// Bytes to spare before the next one is changed.
    spared: u64,
}

impl Corruption {
    fn new(share: f64, dice: &mut Dice) -> Self {
        let mut corruption = Self {
            ln_spared: (-share).ln_1p(),
            // Its own, so that the order in which bodies are read changes nothing.
            dice: Dice::seeded(dice.draw(), 0),
            spared: 0,
        };
        corruption.spared = corruption.distance();
        corruption
    }

    /// Whether it leaves the next so many bytes as they are: then they need not be copied.
    #[must_use]
    pub fn spares(&self, bytes: usize) -> bool {
        self.spared >= bytes as u64
    }

    /// Goes past the next so many bytes, which somebody else has, or has changed.
    pub fn skip(&mut self, bytes: usize) {
        let mut left = bytes as u64;
        while self.spared < left {
            left -= self.spared + 1;
            let _ = self.dice.between(1, 255);
            self.spared = self.distance();
        }
        self.spared -= left;
    }

    /// Changes some of the next bytes; each one that it changes is different afterwards.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let mut at = 0_usize;
        // A distance that no slice reaches need not fit its index.
        while let Some(next) = usize::try_from(self.spared)
            .ok()
            .and_then(|spared| at.checked_add(spared))
            .filter(|next| *next < bytes.len())
        {
            bytes[next] ^= self.dice.between(1, 255) as u8;
            at = next + 1;
            self.spared = self.distance();
        }
        self.spared -= (bytes.len() - at) as u64;
    }

    /// Geometric: how many bytes lie between two that are changed.
    fn distance(&mut self) -> u64 {
        // In (0, 1], so that the logarithm is finite.
        let uniform = ((self.dice.draw() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        (uniform.ln() / self.ln_spared) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether bytes are changed, skipped, or come in parts: the same ones are meant.
    #[test]
    fn skipping_and_changing_go_the_same_way() {
        for share in [1.0, 0.3, 0.001] {
            let start = Corruption::new(share, &mut Dice::seeded(7, 0));
            let mut whole = [0; 5000];
            start.clone().apply(&mut whole);
            let mut parts = start;
            for (at, length) in [(0, 1), (1, 999), (1000, 0), (1000, 1500), (2500, 2500)] {
                let mut part = vec![0; length];
                let mut skipping = parts.clone();
                assert_eq!(
                    parts.spares(length),
                    whole[at..at + length].iter().all(|b| *b == 0)
                );
                parts.apply(&mut part);
                skipping.skip(length);
                assert_eq!(part, whole[at..at + length]);
                assert_eq!(skipping.spared, parts.spared);
            }
        }
    }
}
