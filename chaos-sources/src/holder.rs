//! What a source has in force, and how that is changed: one edit that leaves all other rules alone.

use std::collections::BTreeSet;

use chaos_core::{Actor, Change, ChangeError, Injector, Rule, RuleId};

use crate::{
    error::Problem,
    merge::{Clash, merge},
};

/// One source at one injector.
#[derive(Debug)]
pub(crate) struct Holder {
    injector: Injector,
    actor: Actor,
    /// What it had put in force, whatever has become of it since.
    last: Option<Vec<Rule>>,
}

impl Holder {
    pub(crate) fn new(injector: &Injector, actor: Actor) -> Self {
        Self {
            injector: injector.clone(),
            actor,
            last: None,
        }
    }

    /// Puts `rules` in force in place of those that it had put there before, as one edit, if they are
    /// others; returns the generation that came of it, if any did.
    ///
    /// # Errors
    /// If one of them is not allowed, or the rules cannot be changed. Then none has changed.
    pub(crate) fn put(&mut self, rules: Vec<Rule>) -> Result<Option<u64>, Problem> {
        // What others have done to its rules meanwhile is undone by new ones, and not by the same.
        if self.last.as_ref() == Some(&rules) {
            return Ok(None);
        }
        self.injector.check(&rules)?;
        let mine: BTreeSet<RuleId> = (self.last.iter().flatten())
            .map(|rule| rule.id().clone())
            .collect();
        // Each round means that an edit of someone else went through.
        let generation = loop {
            let current = self.injector.rules();
            let merged = merge(current.rules(), &mine, &rules).map_err(clash)?;
            let is_same = merged.iter().eq(current.rules().iter().map(|rule| &**rule));
            if is_same {
                break None;
            }
            let signed = self.injector.as_actor(self.actor.clone());
            match signed.apply(Change::Replace(merged), Some(current.generation())) {
                Ok(generation) => break Some(generation),
                Err(ChangeError::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.last = Some(rules);
        Ok(generation)
    }

    /// How many rules it has in force, if it has ever had any.
    pub(crate) fn rules(&self) -> usize {
        self.last.as_ref().map_or(0, Vec::len)
    }

    /// Writes a refusal into the audit.
    pub(crate) fn refuse(&self, what: &str) {
        self.injector.as_actor(self.actor.clone()).refuse(what);
    }

    pub(crate) fn injector(&self) -> &Injector {
        &self.injector
    }
}

fn clash(clash: Clash) -> Problem {
    let (id, problem) = match clash {
        Clash::Twice(id) => (id, "an earlier rule of this source has this id"),
        Clash::Foreign(id) => (id, "a rule that did not come from this source has this id"),
    };
    format!("rule `{id}`: id: {problem}; allowed: an id that no other rule has").into()
}
