//! The difference between two rule sets, by rule id.

use std::collections::{HashMap, HashSet};

use axum::{Json, response::IntoResponse};
use chaos_core::{Rule, rule::RuleSet};
use serde::Serialize;
use serde_json::Value;

use crate::extract::etag::etag;

/// The answer to `PUT /v1/rules`, with or without `dry_run`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Difference {
    /// The generation after the write; that of the current rules for a dry run.
    generation: u64,
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    unchanged: Vec<String>,
    /// Rules that are unchanged, but whose order relative to the other kept rules has changed.
    moved: Vec<String>,
    /// The warnings about the new rules.
    warnings: Vec<Value>,
}

impl Difference {
    /// Compares two rule sets. Each list is in rule order. Positions are compared among the rules
    /// that are in both sets, so an added or removed rule moves no other.
    pub(crate) fn between(old: &RuleSet, new: &[Rule]) -> Self {
        let mut difference = Self {
            generation: old.generation(),
            ..Self::default()
        };
        // Maps keep this linear: a set may hold ten thousand rules.
        let after: HashSet<_> = new.iter().map(Rule::id).collect();
        let (kept, gone): (Vec<_>, Vec<_>) =
            (old.rules().iter()).partition(|rule| after.contains(rule.id()));
        difference.removed = gone.iter().map(|rule| rule.id().to_string()).collect();
        let before: HashMap<_, _> = (kept.into_iter().enumerate())
            .map(|(rank, rule)| (rule.id(), (rank, rule)))
            .collect();
        // The number of kept rules so far, and the highest old rank among them plus one.
        let (mut count, mut reach) = (0, 0);
        for rule in new {
            let list = match before.get(rule.id()) {
                None => &mut difference.added,
                Some((rank, before)) => {
                    // The same kept rules precede this one as before if the rules so far were the
                    // first in the old order, too.
                    let stays = *rank == count && reach == count;
                    count += 1;
                    reach = reach.max(rank + 1);
                    match (***before == *rule, stays) {
                        (false, _) => &mut difference.changed,
                        (true, true) => &mut difference.unchanged,
                        (true, false) => &mut difference.moved,
                    }
                }
            };
            list.push(rule.id().to_string());
        }
        difference
    }

    /// Adds the warnings of the new rules.
    pub(crate) fn warned(self, warnings: Vec<Value>) -> Self {
        Self { warnings, ..self }
    }

    /// Returns the answer to a write that resulted in `generation`.
    pub(crate) fn made(self, generation: u64) -> impl IntoResponse {
        Self { generation, ..self }.answer()
    }

    /// Returns the answer to a dry run.
    pub(crate) fn answer(self) -> impl IntoResponse {
        (etag(self.generation), Json(self))
    }
}
