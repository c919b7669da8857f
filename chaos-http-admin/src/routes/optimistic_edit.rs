//! Optimistic concurrency for writes: read the rules, decide on a change, and apply it only if the
//! rules are still the same.

use chaos_core::{
    Injector,
    audit::Actor,
    rule::{Change, ChangeError, RuleSet},
};

use crate::problem::Problem;

/// Applies the change that `decide` returns for the current rules, in the name of `actor`. Returns
/// the new generation and the other value that `decide` returned. In a dry run, the change is only checked, and the
/// generation is the current one.
///
/// If another edit is applied in between, `decide` is called again with the new rules, so no edit
/// is lost. Each retry means that another edit succeeded, so the loop makes progress.
pub(crate) fn edit<T>(
    injector: &Injector,
    actor: &Actor,
    dry_run: bool,
    mut decide: impl FnMut(&RuleSet) -> Result<(Change, T), Problem>,
) -> Result<(u64, T), Problem> {
    loop {
        let rules = injector.rules();
        let (change, decided) = decide(&rules)?;
        let expected = Some(rules.generation());
        let applied = match dry_run {
            true => injector.would_apply(change, expected),
            false => {
                let signed = injector.as_actor(with_a_reason(actor, &change));
                signed.apply(change, expected)
            }
        };
        match applied {
            Ok(generation) => return Ok((generation, decided)),
            Err(ChangeError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Uses the rule's own reason for a change that was made without one.
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
