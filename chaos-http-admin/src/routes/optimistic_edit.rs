//! How every write goes: look at the rules, decide on that, apply only if they are still the same.

use chaos_core::{Actor, Change, ChangeError, Injector, RuleSet};

use crate::problem::Problem;

/// Applies the change that `decide` makes of the current rules, in the name of `who`; returns the new
/// generation and what else `decide` said.
///
/// If someone else's edit comes in between, `decide` is asked again about the new rules, so that no
/// edit is lost; each round means that another edit went through, so this ends.
pub(crate) fn edit<T>(
    injector: &Injector,
    actor: &Actor,
    mut decide: impl FnMut(&RuleSet) -> Result<(Change, T), Problem>,
) -> Result<(u64, T), Problem> {
    loop {
        let rules = injector.rules();
        let (change, decided) = decide(&rules)?;
        let signed = injector.as_actor(with_a_reason(actor, &change));
        match signed.apply(change, Some(rules.generation())) {
            Ok(generation) => return Ok((generation, decided)),
            Err(ChangeError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whoever gives no reason for a change has the one that the rule gives for itself.
fn with_a_reason(actor: &Actor, change: &Change) -> Actor {
    let own = match change {
        Change::Put(rule) | Change::Edit(rule) => rule.reason(),
        _ => None,
    };
    match (actor.reason(), own) {
        (None, Some(own)) => actor.clone().because(own),
        _ => actor.clone(),
    }
}
