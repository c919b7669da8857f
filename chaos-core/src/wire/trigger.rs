//! Which of the matched calls, in JSON.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    budget::BudgetDoc,
    form::{Object, whole, wholes_if_any},
    not_zero,
    program::ProgramDoc,
    refuse,
};
use crate::{
    error::RuleError,
    trigger::{
        Trigger,
        attempts::FirstAttempts,
        key::Key,
        rate::Rate,
        replay::{Calls, Decisions, Replay},
    },
};

/// The fields of a rule that make its trigger.
pub(super) struct TriggerDoc {
    pub(super) rate: Option<f64>,
    pub(super) key: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) skip: u64,
    pub(super) every: Option<u64>,
    pub(super) limit: Option<u64>,
    pub(super) max_active: Option<u32>,
    pub(super) first_attempts: Option<Object<FirstAttemptsDoc>>,
    pub(super) replay: Option<Object<ReplayDoc>>,
    pub(super) program: Option<ProgramDoc>,
    pub(super) budget: Option<Object<BudgetDoc>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstAttemptsDoc {
    #[serde(deserialize_with = "whole")]
    n: u32,
    key: String,
}

/// What a log of decisions says, so that one can be put into a rule as it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayDoc {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "wholes_if_any"
    )]
    ordinals: Option<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    #[serde(default, rename = "dropped", skip_serializing)]
    _dropped: IgnoredAny,
}

impl TriggerDoc {
    pub(super) fn into_trigger(self) -> Result<Trigger, RuleError> {
        let mut trigger = Trigger::new().skip(self.skip);
        if let Some(rate) = self.rate {
            trigger = trigger.rate(Rate::new(rate)?);
        }
        if let Some(key) = self.key {
            trigger = trigger.key(read_key(&key)?);
        }
        if let Some(seed) = self.seed {
            trigger = trigger.seed(seed);
        }
        if let Some(every) = self.every {
            trigger = trigger.every(not_zero("every", every)?);
        }
        if let Some(limit) = self.limit {
            trigger = trigger.limit(not_zero("limit", limit)?);
        }
        if let Some(max) = self.max_active {
            trigger = trigger.max_active(not_zero("max_active", max)?);
        }
        if let Some(Object(first)) = self.first_attempts {
            let here = |error: RuleError| error.under("first_attempts");
            let n = not_zero("n", first.n).map_err(here)?;
            let key = read_key(&first.key).map_err(here)?;
            trigger = trigger.first_attempts(FirstAttempts::new(n, key));
        }
        if let Some(Object(calls)) = self.replay {
            let is_keyed = trigger.deciding_key().is_some();
            trigger = trigger.replay(calls.into_replay(is_keyed)?);
        }
        if let Some(program) = self.program {
            if self.rate.is_some() {
                return Err(refuse("program", "beside a rate, which it replaces"));
            }
            trigger = trigger.program(program.into_program()?);
        }
        if let Some(Object(budget)) = self.budget {
            trigger = trigger.budget(budget.into_budget()?);
        }
        Ok(trigger)
    }
}

fn read_key(key: &str) -> Result<Key, RuleError> {
    key.parse()
        .map_err(|error: RuleError| refuse("key", error.problem()))
}

impl ReplayDoc {
    fn into_replay(self, is_keyed: bool) -> Result<Replay, RuleError> {
        match (self.ordinals, self.keys) {
            (Some(ordinals), None) => Replay::ordinals(ordinals),
            (None, Some(_)) if !is_keyed => {
                Err(refuse("keys", "the rule has no key").under("replay"))
            }
            (None, Some(keys)) => Replay::keys(keys),
            _ => Err(refuse("replay", "neither or both are there")),
        }
    }
}

impl From<&Trigger> for TriggerDoc {
    fn from(trigger: &Trigger) -> Self {
        let first_attempts = trigger.first_attempts.as_ref().map(|first| {
            Object(FirstAttemptsDoc {
                n: first.n.get(),
                key: first.key.to_string(),
            })
        });
        Self {
            rate: (trigger.rate != Rate::ALWAYS).then(|| trigger.rate.get()),
            key: trigger.key.as_ref().map(Key::to_string),
            seed: trigger.seed,
            skip: trigger.skip,
            every: (trigger.every.get() != 1).then(|| trigger.every.get()),
            limit: trigger.limit.map(Into::into),
            max_active: trigger.max_active.map(Into::into),
            first_attempts,
            replay: trigger.replay.as_ref().map(|calls| Object(calls.into())),
            program: trigger.program.as_ref().map(ProgramDoc::from),
            budget: BudgetDoc::of(&trigger.budget),
        }
    }
}

impl From<&Replay> for ReplayDoc {
    fn from(replay: &Replay) -> Self {
        let (ordinals, keys) = match replay.calls() {
            Calls::Ordinals(ordinals) => (Some(ordinals.to_vec()), None),
            Calls::Keys(keys) => (None, Some(keys.iter().map(ToString::to_string).collect())),
        };
        Self {
            ordinals,
            keys,
            _dropped: IgnoredAny,
        }
    }
}

/// A log of decisions as the `replay` of a rule, with how many calls were dropped from it:
/// `{"keys": ["alice"], "dropped": 0}`.
#[must_use]
pub fn decisions_to_value(decisions: &Decisions) -> serde_json::Value {
    let calls = serde_json::to_value(ReplayDoc::from(&decisions.hits));
    let mut log = calls.expect("texts and numbers are JSON");
    log["dropped"] = decisions.dropped.into();
    log
}
