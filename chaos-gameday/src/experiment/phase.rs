//! A phase, and the rules that are armed in it.

use std::time::Duration;

use chaos_core::Rule;
use serde_json::Value;

use super::{
    document::PhaseDoc,
    limits::{self, text, unique},
};
use crate::{error::ExperimentError, span::Span};

/// What is injected for a while.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Phase {
    /// What the phase is called; no other phase is called so.
    pub name: String,
    /// How long the phase lasts: 1s to 24h.
    pub length: Duration,
    /// The part of the fleet's replicas in this phase, 0 to 1, in place of the target's own; `None` for an endpoint.
    pub share: Option<f64>,
    /// The rules that are armed during the phase. Without any, the phase is a pause.
    pub rules: Vec<PhaseRule>,
}

/// A rule of a phase, as core reads it and as it was written.
#[derive(Clone, Debug)]
pub struct PhaseRule {
    rule: Rule,
    json: Value,
    /// The lifetime that the rule was written with.
    own_ttl: Option<Duration>,
}

impl PhaseRule {
    pub(super) fn new(rule: Rule, json: Value, own_ttl: Option<Duration>) -> Self {
        Self {
            rule,
            json,
            own_ttl,
        }
    }

    /// Returns the id of the rule.
    #[must_use]
    pub fn id(&self) -> &str {
        self.rule.id().as_str()
    }

    /// Returns the rule. Its lifetime is that of the phase if it was written without one.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Returns the JSON of the rule as it was written.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the JSON to send so that the rule ends `ttl` after it has arrived, whatever happens to the sender. A `ttl`
    /// of its own that is shorter is kept.
    #[must_use]
    pub fn json_for(&self, ttl: Duration) -> Value {
        let ttl = self.own_ttl.map_or(ttl, |own| own.min(ttl));
        let mut json = self.json.clone();
        json["ttl"] = Span(ttl).to_string().into();
        json
    }

    /// Returns the JSON to send so that the rule, during `ttl`, counts whom it would hit and injects nothing.
    #[must_use]
    pub fn shadow_json_for(&self, ttl: Duration) -> Value {
        let mut json = self.json_for(ttl);
        json["mode"] = "shadow".into();
        json
    }
}

impl Phase {
    pub(super) fn read(doc: PhaseDoc, at: &str) -> Result<Self, ExperimentError> {
        text(&format!("{at}.name"), &doc.name, limits::NAME)?;
        let length = limits::span(&format!("{at}.for"), doc.length, limits::PHASE)?;
        if let Some(share) = doc.share {
            limits::share(&format!("{at}.share"), share)?;
        }
        limits::count(&format!("{at}.rules"), doc.rules.len(), 0, limits::RULES)?;
        let rules = doc.rules.into_iter().enumerate();
        let rules = rules.map(|(n, rule)| rule.read(&format!("{at}.rules[{n}]"), length));
        let rules: Vec<_> = rules.collect::<Result<_, _>>()?;
        let ids = rules.iter().map(PhaseRule::id);
        unique(&format!("{at}.rules"), "rule", ids)?;
        Ok(Self {
            name: doc.name,
            length,
            share: doc.share,
            rules,
        })
    }

    pub(super) fn document(&self) -> PhaseDoc {
        let json = |rule: &PhaseRule| {
            super::rule_document::RuleJson(super::strict::Strict(rule.json.clone()))
        };
        PhaseDoc {
            name: self.name.clone(),
            length: Span(self.length),
            share: self.share,
            rules: self.rules.iter().map(json).collect(),
        }
    }
}
