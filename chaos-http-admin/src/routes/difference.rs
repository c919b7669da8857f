//! What replacing all rules changes, by id.

use std::collections::{HashMap, HashSet};

use axum::{Json, response::IntoResponse};
use chaos_core::{Rule, RuleSet};
use serde::Serialize;

use crate::extract::etag::etag;

/// The answer to `PUT /v1/rules`, dry or not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Difference {
    /// In force after the write; of a dry run, now.
    generation: u64,
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    unchanged: Vec<String>,
    /// As they were, but not where they were: other kept rules stand before them.
    moved: Vec<String>,
}

impl Difference {
    /// Each list is in rule order. Where a rule stands is compared among the kept rules alone, those
    /// in both lists: what is added or removed moves nothing.
    pub(crate) fn between(old: &RuleSet, new: &[Rule]) -> Self {
        let mut difference = Self {
            generation: old.generation(),
            ..Self::default()
        };
        // Maps, because a set may hold ten thousand rules.
        let after: HashSet<_> = new.iter().map(Rule::id).collect();
        let (kept, gone): (Vec<_>, Vec<_>) =
            (old.rules().iter()).partition(|rule| after.contains(rule.id()));
        difference.removed = gone.iter().map(|rule| rule.id().to_string()).collect();
        let before: HashMap<_, _> = (kept.into_iter().enumerate())
            .map(|(rank, rule)| (rule.id(), (rank, rule)))
            .collect();
        // How many kept rules came so far, and how many the old order has up to the last of these.
        let (mut count, mut reach) = (0, 0);
        for rule in new {
            let list = match before.get(rule.id()) {
                None => &mut difference.added,
                Some((rank, before)) => {
                    // The same rules stand before it as did if those so far were the first then, too.
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

    /// The answer to a write that made `generation`.
    pub(crate) fn made(self, generation: u64) -> impl IntoResponse {
        Self { generation, ..self }.answer()
    }

    /// The answer to a dry run.
    pub(crate) fn answer(self) -> impl IntoResponse {
        (etag(self.generation), Json(self))
    }
}
