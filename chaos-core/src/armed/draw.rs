//! The draw: whether a rule hits one call.
//!
//! It is pure: the ordinal of the call, its key and the age of the rule are arguments. So the hot path and a
//! preview give the same answer to the same question.

use std::time::Duration;

use crate::{
    dice::{self, Dice},
    rule::Rule,
    trigger::{
        Trigger,
        replay::{By, Turn},
    },
};

/// A call that was hit: what decided it, and the dice for what is done to it. It is boxed, so that the
/// answer to a call that is not hit is small.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) dice: Dice,
    pub(crate) by: By,
}

impl Hit {
    pub(crate) fn by_chance() -> Box<Self> {
        Box::new(Self {
            dice: Dice::Thread,
            by: By::Chance,
        })
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

    /// Returns the hit if the call is hit; `age` is the time since the rule was armed.
    pub(crate) fn draw(self, trigger: &Trigger, turn: Turn<'_>, age: Duration) -> Option<Box<Hit>> {
        let mut dice = match (self.stream, turn) {
            (Some(stream), Turn { key: Some(key), .. }) => Dice::keyed(stream, key),
            (
                Some(stream),
                Turn {
                    ordinal: Some(ordinal),
                    ..
                },
            ) => Dice::seeded(stream, ordinal),
            _ => Dice::Thread,
        };
        // Drawn even where the answer is known, so that later draws are the same at every rate.
        let draw = dice.draw();
        let is_hit = match &trigger.replay {
            Some(calls) => calls.has(&turn),
            None => draw >> 11 < trigger.hits_of_2_53_at(age),
        };
        is_hit.then(|| {
            let by = turn.into();
            Box::new(Hit { dice, by })
        })
    }
}
