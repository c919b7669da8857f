//! On which terms an experiment is run: what is estimated and observed first, what ends it, and what it must have shown.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use crate::{error::ExperimentError, objects, span::Span};

/// How long the rules run in shadow mode before anything is injected, and how many calls they have to find: whom would they hit?
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// How long the rules count: 1s to 24h.
    #[serde(rename = "for")]
    pub length: Span,
    /// How many calls they have to find; at least one if it is left out. With fewer, nothing is injected.
    #[serde(default = "one_hit", deserialize_with = "objects::object")]
    pub hits: AtLeast,
}

/// How long is observed before the first phase and after the last one. Each is ten seconds if it is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// How long the probes have to hold before anything is injected: 0s to 24h.
    pub before: Span,
    /// How long the probes have to hold after the rules are gone: 0s to 24h.
    pub after: Span,
}

/// What ends the experiment early. Without it, one broken guard rail does, or somebody who halts the target.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// How many times in succession a probe has not to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub probes_failing: Option<u32>,
    /// How many guard rails have to break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub breaches: Option<u32>,
    /// By how much the calls that a rule hits have to fare worse than those that it spares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub worse_than_control: Option<WorseThanControl>,
}

/// A bound on how much worse the calls may fare that a rule hits.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WorseThanControl {
    /// The id of the rule.
    #[schemars(length(min = 1))]
    pub rule: String,
    /// The site whose calls are compared.
    #[schemars(length(min = 1))]
    pub site: String,
    /// The greatest difference of the error ratios, hit minus spared, that is not stopped: 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_ratio: f64,
}

/// What must have happened for the experiment to prove anything.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conclusive {
    /// How many calls have to be hit; 100 if it is left out.
    #[serde(deserialize_with = "objects::object")]
    pub hits: AtLeast,
}

/// A least number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    /// The least number that is enough.
    pub at_least: u64,
}

/// Something to be done after the experiment.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FollowUp {
    /// What is to be done.
    pub text: String,
    /// Who does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Something to be done after the experiment: a text, or an object with a text and its owner.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(
    untagged,
    expecting = "a text, or an object with `text` and optionally `owner`"
)]
#[schemars(rename = "FollowUp")]
pub(crate) enum FollowUpDoc {
    Text(String),
    Owned(#[serde(deserialize_with = "objects::object")] OwnedFollowUpDoc),
}

/// Something to be done, and who does it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OwnedFollowUp")]
pub(crate) struct OwnedFollowUpDoc {
    /// What is to be done.
    pub(crate) text: String,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
}

fn one_hit() -> AtLeast {
    AtLeast { at_least: 1 }
}

impl Default for Observe {
    fn default() -> Self {
        let ten = Span(Duration::from_secs(10));
        Self {
            before: ten,
            after: ten,
        }
    }
}

impl Default for Conclusive {
    fn default() -> Self {
        let hits = AtLeast { at_least: 100 };
        Self { hits }
    }
}

impl Estimate {
    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        limits::span("estimate.for", self.length, limits::PHASE).map(drop)
    }
}

impl Observe {
    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        limits::span("observe.before", self.before, limits::OBSERVE)?;
        limits::span("observe.after", self.after, limits::OBSERVE).map(drop)
    }
}

impl Conclusive {
    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        let Self { hits } = self;
        if hits.at_least > 0 {
            return Ok(());
        }
        let problem = "an experiment that hits nothing proves nothing";
        let field = "conclusive.hits.at_least";
        Err(ExperimentError::new(field, problem, "at least 1"))
    }
}

impl Stop {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), ExperimentError> {
        for (field, number) in [
            ("stop.probes_failing", self.probes_failing),
            ("stop.breaches", self.breaches),
        ] {
            if number == Some(0) {
                let problem = "0 would stop the experiment before it begins";
                return Err(ExperimentError::new(field, problem, "at least 1"));
            }
        }
        let Some(worse) = &self.worse_than_control else {
            return Ok(());
        };
        limits::text("stop.worse_than_control.site", &worse.site, limits::LINE)?;
        limits::share("stop.worse_than_control.error_ratio", worse.error_ratio)
    }
}

impl FollowUp {
    pub(super) fn read(doc: FollowUpDoc, at: &str) -> Result<Self, ExperimentError> {
        let (text, owner) = match doc {
            FollowUpDoc::Text(text) => (text, None),
            FollowUpDoc::Owned(OwnedFollowUpDoc { text, owner }) => (text, owner),
        };
        limits::text(&format!("{at}.text"), &text, limits::LINE)?;
        if let Some(owner) = &owner {
            limits::text(&format!("{at}.owner"), owner, limits::TITLE)?;
        }
        Ok(Self { text, owner })
    }

    pub(super) fn document(&self) -> FollowUpDoc {
        let Self { text, owner } = self.clone();
        if owner.is_none() {
            return FollowUpDoc::Text(text);
        }
        FollowUpDoc::Owned(OwnedFollowUpDoc { text, owner })
    }
}
