//! What replacing all rules changes, by id.

use std::collections::{HashMap, HashSet};

use axum::{Json, response::IntoResponse};
use chaos_core::{Rule, RuleSet};
use serde::Serialize;

use crate::etag::etag;

/// The answer to `PUT /v1/rules`, dry or not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Difference {
    /// In force after the write; of a dry run, now.
    generation: u64,
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    unchanged: Vec<String>,
}

impl Difference {
    /// Each list is in rule order. Where a rule stands in the order is not compared.
    pub(crate) fn between(old: &RuleSet, new: &[Rule]) -> Self {
        let mut difference = Self {
            generation: old.generation(),
            ..Self::default()
        };
        // One map each, because a set may hold ten thousand rules.
        let before: HashMap<_, _> = old.rules().iter().map(|rule| (rule.id(), rule)).collect();
        for rule in new {
            let list = match before.get(rule.id()) {
                None => &mut difference.added,
                Some(before) if ***before == *rule => &mut difference.unchanged,
                Some(_) => &mut difference.changed,
            };
            list.push(rule.id().to_string());
        }
        let after: HashSet<_> = new.iter().map(Rule::id).collect();
        let gone = old.rules().iter().filter(|rule| !after.contains(rule.id()));
        difference.removed = gone.map(|rule| rule.id().to_string()).collect();
        difference
    }

    /// The answer to a write that made `generation`.
    pub(crate) fn made(self, generation: u64) -> impl IntoResponse {
        Self { generation, ..self }.answer()
    }

    /// The answer to a dry run.
    pub(crate) fn answer(self) -> impl IntoResponse {
        (etag(self.generation), Json(self))
    }
}
