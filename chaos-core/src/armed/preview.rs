//! Which calls a rule would hit, worked out without any call.

use std::time::Duration;

use crate::{
    armed::draw::Draw,
    call::cut,
    error::RuleError,
    rule::Rule,
    trigger::replay::{Replay, Turn},
};

/// Computes which calls a rule would hit, by their ordinals or their keys. It injects and counts
/// nothing.
///
/// It considers `rate` or `program`, `skip` and `every`, `seed`, `key` and `replay`. It ignores `limit`,
/// `max_active` and `first_attempts`, which depend on other calls, and a `window`, which depends on the time
/// of day.
///
/// ```
/// use chaos_core::{Fault, Rate, Rule, Trigger};
///
/// let trigger = Trigger::new().key("header:x-user-id".parse()?).rate(Rate::new(0.1)?);
/// let rule = Rule::new("some".parse()?, "http.server".parse()?, Fault::error("lost"));
/// let rule = rule.trigger(trigger);
/// let preview = rule.preview()?;
/// let users = ["alice", "bob", "carol"];
/// let hit: Vec<_> = users.into_iter().filter(|user| preview.hits_key(user)).collect();
/// # drop(hit);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Preview<'r> {
    rule: &'r Rule,
    draw: Draw,
    age: Duration,
}

impl Rule {
    /// Returns a preview of the calls that the rule would hit.
    ///
    /// # Errors
    /// Returns an error if the decisions are random: the rule has neither a seed nor a key, and does
    /// not replay.
    pub fn preview(&self) -> Result<Preview<'_>, RuleError> {
        let draw = Draw::of(self);
        let is_certain =
            draw.is_repeatable() || self.trigger.replay.is_some() || self.trigger.always_hits();
        if !is_certain {
            let problem = "without a seed or a key, chance decides which calls are hit";
            let allowed = "a rule with a seed or a key";
            return Err(RuleError::new("seed", problem, allowed).in_rule(self.id.as_str()));
        }
        Ok(Preview {
            rule: self,
            draw,
            age: Duration::ZERO,
        })
    }

    /// Returns whether the rule identifies its calls by a key, and not by their ordinals.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        let by_number = self
            .trigger
            .replay
            .as_deref()
            .is_some_and(Replay::counts_calls);
        self.trigger.deciding_key().is_some() && !by_number
    }
}

impl Preview<'_> {
    /// Sets the time since the rule was armed (zero by default), which a `program` depends on.
    #[must_use]
    pub fn after(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Returns whether the rule would hit the call that is the `ordinal`-th one it matches, counted from 0.
    #[must_use]
    pub fn hits_ordinal(&self, ordinal: u64) -> bool {
        let trigger = &self.rule.trigger;
        let takes = trigger.replay.is_some() || trigger.takes(ordinal);
        takes
            && !self.rule.is_keyed()
            && self.hits(Turn {
                ordinal: Some(ordinal),
                key: None,
            })
    }

    /// Returns whether the rule would hit the calls with this key.
    #[must_use]
    pub fn hits_key(&self, key: &str) -> bool {
        let key = cut(key.into());
        self.rule.is_keyed()
            && self.hits(Turn {
                ordinal: None,
                key: Some(&key),
            })
    }

    fn hits(&self, turn: Turn<'_>) -> bool {
        self.draw.hits(&self.rule.trigger, turn, self.age)
    }
}
