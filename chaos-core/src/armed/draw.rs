//! The draw: whether a rule hits one call.
//!
//! It is pure: the ordinal of the call, its key and the age of the rule are arguments. So the hot path and a
//! preview give the same answer to the same question.

use std::{num::NonZeroU64, time::Duration};

use crate::{
    dice::{self, Dice},
    rule::Rule,
    trigger::{Trigger, replay::Turn},
};

/// A call that was hit, with its ordinal if the rule counts calls.
///
/// It is no more than that, because a limit may spare the call: the key and the dice are worked out again
/// when the rule fires. So a rule whose limit is used up allocates nothing. It is one word that is never
/// zero, so that a verdict is returned in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit(NonZeroU64);

impl Hit {
    /// A hit of a rule that counts no calls.
    pub(crate) const BY_CHANCE: Self = Self(NonZeroU64::MAX);

    pub(crate) fn of(turn: Turn<'_>) -> Self {
        // The number of the call, counted from 1; no rule counts to the last one, which is by chance.
        let number = turn
            .ordinal
            .map(|ordinal| NonZeroU64::MIN.saturating_add(ordinal));
        number.map_or(Self::BY_CHANCE, Self)
    }

    pub(crate) fn ordinal(self) -> Option<u64> {
        (self.0 < NonZeroU64::MAX).then(|| self.0.get() - 1)
    }
}

/// The random stream of one rule, which differs from that of any other rule; `None` where chance decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    stream: Option<u64>,
}

impl Draw {
    pub(crate) fn of(rule: &Rule) -> Self {
        let trigger = &rule.trigger;
        let seed = trigger.seed.or(trigger.deciding_key().map(|_| 0));
        Self {
            stream: seed.map(|seed| dice::stream(seed, &rule.id)),
        }
    }

    /// Returns whether the same call is always decided the same way.
    pub(crate) fn is_repeatable(self) -> bool {
        self.stream.is_some()
    }

    /// Returns whether the call is hit; `age` is the time since the rule was armed.
    pub(crate) fn hits(self, trigger: &Trigger, turn: Turn<'_>, age: Duration) -> bool {
        // Drawn even where the answer is known, so that later draws are the same at every rate.
        let draw = match (self.stream, turn) {
            (Some(stream), Turn { key: Some(key), .. }) => {
                dice::first_keyed(stream, key.as_bytes())
            }
            (
                Some(stream),
                Turn {
                    ordinal: Some(ordinal),
                    ..
                },
            ) => dice::first_seeded(stream, ordinal),
            _ => Dice::Thread.draw(),
        };
        match &trigger.replay {
            Some(calls) => calls.has(&turn),
            None => draw >> 11 < trigger.hits_of_2_53_at(age),
        }
    }

    /// Returns whether a call with this key is hit by a trigger of this rate, without a replay and a program.
    #[inline(always)]
    pub(super) fn hits_key(self, hits_of_2_53: u64, key: &[u8]) -> bool {
        let stream = self.stream.unwrap_or_default();
        dice::first_keyed(stream, key) >> 11 < hits_of_2_53
    }

    /// Returns whether the call with this number is hit by a trigger without a key, a replay and a program.
    #[inline(always)]
    pub(super) fn hits_ordinal(self, trigger: &Trigger, ordinal: u64) -> bool {
        let stream = self.stream.unwrap_or_default();
        dice::first_seeded(stream, ordinal) >> 11 < trigger.hits_of_2_53()
    }

    /// Returns what is drawn for the calls with this key, from 0 to 1; a call is hit if that is below the rate. `None` if
    /// chance decides.
    pub(crate) fn of_key(self, key: &str) -> Option<f64> {
        let stream = self.stream?;
        // The draw has 53 bits, which a float holds exactly.
        Some((Dice::keyed(stream, key).draw() >> 11) as f64 / dice::DRAWS as f64)
    }

    /// Returns the dice for what is done to a call that was hit: those that go on behind the draw.
    pub(crate) fn dice_behind(self, turn: Turn<'_>) -> Dice {
        let mut dice = self.dice(turn);
        if matches!(dice, Dice::Seeded(_)) {
            dice.draw();
        }
        dice
    }

    /// Returns the dice of a call.
    fn dice(self, turn: Turn<'_>) -> Dice {
        match (self.stream, turn) {
            (Some(stream), Turn { key: Some(key), .. }) => Dice::keyed(stream, key),
            (
                Some(stream),
                Turn {
                    ordinal: Some(ordinal),
                    ..
                },
            ) => Dice::seeded(stream, ordinal),
            _ => Dice::Thread,
        }
    }
}
