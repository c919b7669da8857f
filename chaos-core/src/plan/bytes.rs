//! What can be done to passing bytes: those of a body, and those of a connection.
//!
//! Names are Toxiproxy's where it has one: throttle is its `bandwidth`, truncate its `limit_data`,
//! stall its `timeout`.

use std::{num::NonZeroU64, time::Duration};

use crate::{
    dice::{DRAWS, Dice},
    error::RuleError,
};

/// One action on passing bytes. The enum is closed, as [`Plan`](crate::Plan) is: everything that
/// passes bytes on must execute each action.
#[derive(Clone, Debug)]
pub enum BytesPlan {
    /// Pass at most this many bytes a second, counted from the first byte.
    Throttle(NonZeroU64),
    /// Pass this many bytes, and then end as if the sender had gone: a body fails, unless it is one that the
    /// end of its connection ends; a connection ends.
    TruncateAfter(u64),
    /// Pass this many bytes, and then nothing for this time.
    StallAfter(u64, Duration),
    /// Change some of the bytes.
    Corrupt(Box<Corruption>),
    /// Delay the first byte by this time.
    FirstByte(Duration),
    /// Delay each chunk (a frame of a body, a read or a write of a connection) by this time.
    EachChunk(Duration),
}

impl BytesPlan {
    /// Limits each single wait to `longest`.
    pub(crate) fn no_longer(self, longest: Duration) -> Self {
        match self {
            Self::StallAfter(bytes, time) => Self::StallAfter(bytes, time.min(longest)),
            Self::FirstByte(time) => Self::FirstByte(time.min(longest)),
            Self::EachChunk(time) => Self::EachChunk(time.min(longest)),
            other @ (Self::Throttle(_) | Self::TruncateAfter(_) | Self::Corrupt(_)) => other,
        }
    }

    /// Multiplies times and sizes by `factor`. A rate and a probability are unchanged.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::TruncateAfter(bytes) => Self::TruncateAfter(scaled_size(bytes, factor)),
            Self::StallAfter(bytes, time) => {
                Self::StallAfter(scaled_size(bytes, factor), scaled_time(time, factor))
            }
            Self::FirstByte(time) => Self::FirstByte(scaled_time(time, factor)),
            Self::EachChunk(time) => Self::EachChunk(scaled_time(time, factor)),
            other @ (Self::Throttle(_) | Self::Corrupt(_)) => other,
        }
    }
}

/// A fault of passing bytes, as a rule describes it. What is random in it is drawn for each call.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Direction, Fault, fault::BytesFault};
///
/// // The response stops for 30 seconds after its first kibibyte.
/// let stall = BytesFault::stall_after(1024, Duration::from_secs(30))?;
/// let fault = Fault::Body(stall, Direction::Response);
/// # drop(fault);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BytesFault(pub(crate) BytesFaultKind);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BytesFaultKind {
    Throttle(NonZeroU64),
    TruncateAfter(u64),
    StallAfter(u64, Duration),
    Corrupt(f64),
    FirstByte(Duration),
    EachChunk(Duration),
}

impl BytesFault {
    /// Creates a limit of this many bytes a second (Toxiproxy: `bandwidth`).
    #[must_use]
    pub fn throttle(bytes_per_second: NonZeroU64) -> Self {
        Self(BytesFaultKind::Throttle(bytes_per_second))
    }

    /// Creates an end after this many bytes, as if the sender had gone (Toxiproxy: `limit_data`). A body that
    /// is cut short fails where it is read, unless the end of its connection is what ends it.
    #[must_use]
    pub fn truncate_after(bytes: u64) -> Self {
        Self(BytesFaultKind::TruncateAfter(bytes))
    }

    /// Creates a stall: after this many bytes, nothing passes for `time` (Toxiproxy: `timeout`).
    ///
    /// # Errors
    /// Returns an error if `time` is longer than 24 hours.
    pub fn stall_after(bytes: u64, time: Duration) -> Result<Self, RuleError> {
        not_too_long("for", time).map(|time| Self(BytesFaultKind::StallAfter(bytes, time)))
    }

    /// Creates a corruption: each byte is changed with the probability `share`, above 0 and at most
    /// 1.
    ///
    /// # Errors
    /// Returns an error if `share` is out of range.
    pub fn corrupt(share: f64) -> Result<Self, RuleError> {
        if share > 0.0 && share <= 1.0 {
            return Ok(Self(BytesFaultKind::Corrupt(share)));
        }
        let problem = format!("{share} is out of range");
        let allowed = "a number above 0 and at most 1";
        Err(RuleError::new("corrupt", problem, allowed))
    }

    /// Creates a delay of the first byte by `time`.
    ///
    /// # Errors
    /// Returns an error if `time` is longer than 24 hours.
    pub fn first_byte(time: Duration) -> Result<Self, RuleError> {
        not_too_long("first_byte", time).map(|time| Self(BytesFaultKind::FirstByte(time)))
    }

    /// Creates a delay of each chunk by `time` (Toxiproxy: `latency`).
    ///
    /// # Errors
    /// Returns an error if `time` is longer than 24 hours.
    pub fn each_chunk(time: Duration) -> Result<Self, RuleError> {
        not_too_long("chunk", time).map(|time| Self(BytesFaultKind::EachChunk(time)))
    }

    /// Turns the fault into the action on one call, drawing what is random.
    pub(crate) fn plan(self, dice: &mut Dice) -> BytesPlan {
        match self.0 {
            BytesFaultKind::Throttle(rate) => BytesPlan::Throttle(rate),
            BytesFaultKind::TruncateAfter(bytes) => BytesPlan::TruncateAfter(bytes),
            BytesFaultKind::StallAfter(bytes, time) => BytesPlan::StallAfter(bytes, time),
            BytesFaultKind::Corrupt(share) => {
                BytesPlan::Corrupt(Box::new(Corruption::new(share, dice)))
            }
            BytesFaultKind::FirstByte(time) => BytesPlan::FirstByte(time),
            BytesFaultKind::EachChunk(time) => BytesPlan::EachChunk(time),
        }
    }
}

/// The longest wait of any fault. No caller waits longer for a response.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns `time` if it is at most [`LONGEST`], or else an error at `field`.
pub(crate) fn not_too_long(field: &str, time: Duration) -> Result<Duration, RuleError> {
    if time <= LONGEST {
        return Ok(time);
    }
    let problem = format!("{time:?} is too long");
    Err(RuleError::new(field, problem, "0s to 24h"))
}

/// Returns `time` times `factor`, at most [`LONGEST`].
pub(crate) fn scaled_time(time: Duration, factor: f64) -> Duration {
    // A cast saturates at the bounds, and turns NaN into 0.
    let nanos = (time.as_nanos() as f64 * factor).round() as u64;
    Duration::from_nanos(nanos).min(LONGEST)
}

/// Returns `bytes` times `factor`, rounded; at most 2^64 - 1.
pub(crate) fn scaled_size(bytes: u64, factor: f64) -> u64 {
    (bytes as f64 * factor).round() as u64
}

/// Changes random bytes of a stream, the same ones for the same seed.
#[derive(Clone, Debug)]
pub struct Corruption {
    /// `ln(1 - share)`, which turns a uniform number into the distance to the next changed byte.
    ln_spared: f64,
    dice: Dice,
    /// How many bytes are left unchanged before the next change.
    spared: u64,
}

impl Corruption {
    fn new(share: f64, dice: &mut Dice) -> Self {
        let mut corruption = Self {
            ln_spared: (-share).ln_1p(),
            // Dice of its own, so that the order in which bodies are read changes nothing.
            dice: Dice::seeded(dice.draw(), 0),
            spared: 0,
        };
        corruption.spared = corruption.distance();
        corruption
    }

    /// Returns whether the next `bytes` bytes stay as they are, and so need not be copied.
    #[must_use]
    pub fn spares(&self, bytes: usize) -> bool {
        self.spared >= bytes as u64
    }

    /// Advances past the next `bytes` bytes without changing them: they stay as they are, or a
    /// clone of this has changed a copy of them.
    pub fn skip(&mut self, bytes: usize) {
        let mut left = bytes as u64;
        while self.spared < left {
            left -= self.spared + 1;
            let _ = self.dice.between(1, 255);
            self.spared = self.distance();
        }
        self.spared -= left;
    }

    /// Changes some of the next bytes in place. Each changed byte differs from the original.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let mut at = 0_usize;
        // A distance beyond the slice need not fit into an index.
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

    /// Draws how many bytes lie between two changed ones, from a geometric distribution.
    fn distance(&mut self) -> u64 {
        // In (0, 1], so that the logarithm is finite.
        let uniform = ((self.dice.draw() >> 11) + 1) as f64 / DRAWS as f64;
        (uniform.ln() / self.ln_spared) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changing, skipping and splitting the bytes leads to the same changes.
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
