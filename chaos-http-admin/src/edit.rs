//! How every write goes: look at the rules, decide on that, apply only if they are still the same.

use chaos_core::{Change, ChangeError, Injector, RuleSet};

use crate::problem::Problem;

/// Applies the change that `decide` makes of the current rules; returns the new generation and what
/// else `decide` said.
///
/// If someone else's edit comes in between, `decide` is asked again about the new rules, so that no
/// edit is lost; each round means that another edit went through, so this ends.
pub(crate) fn edit<T>(
    injector: &Injector,
    mut decide: impl FnMut(&RuleSet) -> Result<(Change, T), Problem>,
) -> Result<(u64, T), Problem> {
    loop {
        let rules = injector.rules();
        let (change, decided) = decide(&rules)?;
        match injector.apply(change, Some(rules.generation())) {
            Ok(generation) => return Ok((generation, decided)),
            Err(ChangeError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
