//! The rules that a source has installed in an injector, and their replacement in a single edit
//! that leaves all other rules unchanged.

use std::collections::BTreeSet;

use chaos_core::{
    Injector, Rule, RuleId,
    audit::Actor,
    rule::{Change, ChangeError},
};

use crate::{
    error::Problem,
    merge::{IdConflict, merge},
};

/// The rules of one source in one injector.
#[derive(Debug)]
pub(crate) struct InstalledRules {
    injector: Injector,
    actor: Actor,
    /// The rules that were installed last, whatever others have done to them since.
    last: Option<Vec<Rule>>,
}

impl InstalledRules {
    /// Creates the record of a source that has installed nothing yet. Its changes are made in the
    /// name of `actor`.
    pub(crate) fn new(injector: &Injector, actor: Actor) -> Self {
        Self {
            injector: injector.clone(),
            actor,
            last: None,
        }
    }

    /// Replaces the rules that this source has installed by `rules`, in a single edit. Returns the
    /// new generation, or `None` if the rules are the same as before.
    ///
    /// # Errors
    /// Returns an error, and changes nothing, if a rule is refused or the rules cannot be changed.
    pub(crate) fn put(&mut self, rules: Vec<Rule>) -> Result<Option<u64>, Problem> {
        // Changes that others have made to the installed rules are overwritten by new rules, but
        // not by the same rules read again.
        if self.last.as_ref() == Some(&rules) {
            return Ok(None);
        }
        self.injector.check(&rules)?;
        let mine: BTreeSet<RuleId> = (self.last.iter().flatten())
            .map(|rule| rule.id().clone())
            .collect();
        // Each retry means that another edit succeeded, so the loop makes progress.
        let generation = loop {
            let current = self.injector.rules();
            let merged = merge(current.rules(), &mine, &rules).map_err(id_conflict)?;
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

    /// Returns the number of rules that were installed last.
    pub(crate) fn rules(&self) -> usize {
        self.last.as_ref().map_or(0, Vec::len)
    }

    /// Records a refusal in the audit.
    pub(crate) fn refuse(&self, what: &str) {
        self.injector.as_actor(self.actor.clone()).refuse(what);
    }

    pub(crate) fn injector(&self) -> &Injector {
        &self.injector
    }
}

fn id_conflict(id_conflict: IdConflict) -> Problem {
    let (id, problem) = match id_conflict {
        IdConflict::Duplicate(id) => (id, "an earlier rule of this source has this id"),
        IdConflict::Taken(id) => (id, "a rule that did not come from this source has this id"),
    };
    format!("rule `{id}`: id: {problem}; allowed: an id that no other rule has").into()
}
