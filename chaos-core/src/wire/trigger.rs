//! The fields of a rule that choose among the matched calls, in JSON.

pub(super) mod budget;
pub(super) mod program;
pub(super) mod window;

use self::{budget::BudgetDoc, program::ProgramDoc};
use super::{
    document::document,
    form::{Object, Whole},
    scalar::{not_zero, refuse},
    shape::{Documented, Shape},
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

/// What makes two calls the same one.
pub(super) const KEY: Shape = Shape::text(
    "header:NAME, query:NAME, path:PARAMETER of the rule's own path, label:NAME, peer or trace",
    "key",
    r"^(peer|trace|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|(query|path|label):[\s\S]+)$",
);

/// The fields of a rule that make its trigger.
#[derive(Default)]
pub(super) struct TriggerDoc {
    pub(super) rate: Option<f64>,
    pub(super) key: Option<String>,
    pub(super) seed: Option<Whole<u64>>,
    pub(super) skip: Option<Whole<u64>>,
    pub(super) every: Option<Whole<u64>>,
    pub(super) limit: Option<Whole<u64>>,
    pub(super) max_active: Option<Whole<u32>>,
    pub(super) first_attempts: Option<Object<FirstAttemptsDoc>>,
    pub(super) replay: Option<Object<ReplayDoc>>,
    pub(super) program: Option<ProgramDoc>,
    pub(super) budget: Option<Object<BudgetDoc>>,
}

document! {
    /// Hits the first attempts of each logical request, and no later one.
    FirstAttemptsDoc as "FirstAttempts";
    required {
        /// The number of attempts to hit.
        n: Whole<u32> = Shape::COUNT_32;
        /// Where the key of a logical request is found. Attempts with equal keys belong to one request.
        key: String = KEY;
    }
    examples r#"[{ "n": 2, "key": "header:idempotency-key" }]"#;
}

document! {
    /// The calls to hit; no others are hit. `GET /v1/rules/{id}/decisions` returns such an object.
    ReplayDoc as "Replay", "either ordinals or keys";
    optional {
        /// The numbers of the calls, counted from 0.
        ordinals: Vec<Whole<u64>> = Shape::list(&Shape::whole(0, u64::MAX), 0, 10_000)
            .allowing("a list of at most 10000 whole numbers");
        /// The keys of the calls.
        keys: Vec<String> = Shape::list(&Shape::TEXT, 0, 10_000)
            .allowing("a list of at most 10000 texts, in a rule with a key");
    }
    ignored {
        /// The number of calls that a log of decisions has dropped.
        _dropped as "dropped";
    }
    examples r#"[{ "ordinals": [3, 17] }]"#;
}

impl TriggerDoc {
    /// Makes the trigger. `within` moves an error of a field of the rule under that field.
    pub(super) fn into_trigger<W>(self, within: fn(&'static str) -> W) -> Result<Trigger, RuleError>
    where
        W: Fn(RuleError) -> RuleError,
    {
        let mut trigger = Trigger::new().skip(self.skip.map_or(0, |Whole(skip)| skip));
        if let Some(rate) = self.rate {
            trigger = trigger.rate(Rate::new(rate)?);
        }
        if let Some(key) = self.key {
            trigger = trigger.key(read_key(&key).map_err(within("key"))?);
        }
        if let Some(Whole(seed)) = self.seed {
            trigger = trigger.seed(seed);
        }
        if let Some(Whole(every)) = self.every {
            trigger = trigger.every(not_zero(every).map_err(within("every"))?);
        }
        if let Some(Whole(limit)) = self.limit {
            trigger = trigger.limit(not_zero(limit).map_err(within("limit"))?);
        }
        if let Some(Whole(max)) = self.max_active {
            trigger = trigger.max_active(not_zero(max).map_err(within("max_active"))?);
        }
        if let Some(Object(first)) = self.first_attempts {
            let first = first.into_attempts().map_err(within("first_attempts"));
            trigger = trigger.first_attempts(first?);
        }
        if let Some(Object(calls)) = self.replay {
            let is_keyed = trigger.deciding_key().is_some();
            let replay = calls.into_replay(is_keyed).map_err(within("replay"));
            trigger = trigger.replay(replay?);
        }
        if let Some(program) = self.program {
            if self.rate.is_some() {
                return Err(within("program")(refuse(
                    "beside a rate, which it replaces",
                )));
            }
            trigger = trigger.program(program.into_program()?);
        }
        if let Some(Object(budget)) = self.budget {
            trigger = trigger.budget(budget.into_budget().map_err(within("budget"))?);
        }
        Ok(trigger)
    }
}

fn read_key(key: &str) -> Result<Key, RuleError> {
    key.parse().map_err(|error: RuleError| error.at(""))
}

impl FirstAttemptsDoc {
    fn into_attempts(self) -> Result<FirstAttempts, RuleError> {
        let n = not_zero(self.n.0).map_err(Self::within("n"))?;
        let key = read_key(&self.key).map_err(Self::within("key"))?;
        Ok(FirstAttempts::new(n, key))
    }
}

impl ReplayDoc {
    fn into_replay(self, is_keyed: bool) -> Result<Replay, RuleError> {
        match (self.ordinals, self.keys) {
            (Some(ordinals), None) => {
                let ordinals = ordinals.into_iter().map(|Whole(ordinal)| ordinal);
                Replay::ordinals(ordinals).map_err(Self::at("ordinals"))
            }
            (None, Some(_)) if !is_keyed => Err(Self::refuse("keys", "the rule has no key")),
            (None, Some(keys)) => Replay::keys(keys).map_err(Self::at("keys")),
            (None, None) => Err(refuse("neither ordinals nor keys")),
            (Some(_), Some(_)) => Err(refuse("both ordinals and keys")),
        }
    }
}

impl From<&Trigger> for TriggerDoc {
    fn from(trigger: &Trigger) -> Self {
        let first_attempts = trigger.first_attempts.as_ref().map(|first| {
            Object(FirstAttemptsDoc {
                n: Whole(first.n.get()),
                key: first.key.to_string(),
            })
        });
        Self {
            rate: (trigger.rate != Rate::ALWAYS).then(|| trigger.rate.get()),
            key: trigger.key.as_deref().map(Key::to_string),
            seed: trigger.seed.map(Whole),
            skip: (trigger.skip != 0).then_some(Whole(trigger.skip)),
            every: (trigger.every.get() != 1).then(|| Whole(trigger.every.get())),
            limit: trigger.limit.map(|limit| Whole(limit.get())),
            max_active: trigger.max_active.map(|max| Whole(max.get())),
            first_attempts,
            replay: trigger.replay.as_deref().map(|calls| Object(calls.into())),
            program: trigger.program.as_deref().map(ProgramDoc::from),
            budget: trigger.budget.as_deref().and_then(BudgetDoc::of),
        }
    }
}

impl From<&Replay> for ReplayDoc {
    fn from(replay: &Replay) -> Self {
        let (ordinals, keys) = match replay.calls() {
            Calls::Ordinals(ordinals) => {
                (Some(ordinals.iter().copied().map(Whole).collect()), None)
            }
            Calls::Keys(keys) => (None, Some(keys.iter().map(ToString::to_string).collect())),
        };
        Self {
            ordinals,
            keys,
            ..Self::default()
        }
    }
}

/// Writes a log of decisions as the `replay` of a rule, with the number of calls that were dropped from it:
/// `{"keys": ["alice"], "dropped": 0}`.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "texts, numbers and string keys are always JSON"
)]
pub fn decisions_to_value(decisions: &Decisions) -> serde_json::Value {
    let calls = serde_json::to_value(ReplayDoc::from(&decisions.hits));
    let mut log = calls.expect("texts and numbers are JSON");
    log["dropped"] = decisions.dropped.into();
    log
}
