//! The rules of documents that are in force at an injector, and their replacement in one edit.

use chaos_core::{
    Allowance, Injector, Leash, Rule, RuleId,
    audit::Actor,
    rule::{Change, ChangeError},
};

use crate::{document::FleetTerms, error::Refusal};

/// What of a document is in force.
#[derive(Debug)]
pub(super) struct InForce {
    /// The revision in which the document was put.
    pub(super) revision: i64,
    /// The rules, which nobody else has.
    pub(super) ids: Vec<RuleId>,
    /// The lease of the controller on whose leash they hang; 0 if on none.
    pub(super) lease: i64,
    pub(super) terms: FleetTerms,
    /// Present if the fleet has a limit.
    pub(super) limited: Option<Limited>,
}

/// A document's part of a limit of the fleet.
#[derive(Clone, Debug)]
pub(super) struct Limited {
    /// The revision of the creation of the document's key.
    pub(super) life: i64,
    pub(super) allowance: Allowance,
    pub(super) chunk: u64,
    pub(super) limit: u64,
}

/// What rules are put in force with, and hang on.
pub(super) struct Ties<'t> {
    pub(super) actor: Actor,
    pub(super) leash: Option<&'t Leash>,
    pub(super) allowance: Option<&'t Allowance>,
    /// Whether rules that have not changed hang on what they hung on.
    pub(super) are_the_same: bool,
}

/// Puts rules in force in the place of those called `mine`, in one edit.
///
/// # Errors
/// Returns an error, and changes nothing, if a rule is refused or somebody else has its id.
pub(super) fn install(
    injector: &Injector,
    mine: &[RuleId],
    rules: &[Rule],
    ties: Ties<'_>,
) -> Result<(), Refusal> {
    injector.check(rules)?;
    let handle = || {
        let mut handle = injector.as_actor(ties.actor.clone());
        if let Some(leash) = ties.leash {
            handle = handle.on_leash(leash);
        }
        if let Some(allowance) = ties.allowance {
            handle = handle.fed_by(allowance);
        }
        handle
    };
    // Each retry means that another edit succeeded, so the loop makes progress.
    loop {
        let current = injector.rules();
        let merged = merge(current.rules().iter().map(|rule| &**rule), mine, rules)?;
        match handle().apply(Change::Replace(merged), Some(current.generation())) {
            Ok(_) => break,
            Err(ChangeError::Stale { .. }) => {}
            Err(error) => return Err(refusal(error)),
        }
    }
    if !ties.are_the_same {
        // A rule that has not changed is left where it hung by the edit above.
        for rule in rules.iter().filter(|rule| mine.contains(rule.id())) {
            if let Err(error) = handle().apply(Change::Put(rule.clone()), None) {
                let ids: Vec<_> = rules.iter().map(|rule| rule.id().clone()).collect();
                remove(injector, &ties.actor, &ids);
                return Err(refusal(error));
            }
        }
    }
    Ok(())
}

/// Takes rules out of force. Those that are gone already are no error.
pub(super) fn remove(injector: &Injector, actor: &Actor, mine: &[RuleId]) {
    loop {
        let current = injector.rules();
        let rules = current.rules().iter();
        let kept: Vec<_> = rules.filter(|rule| !mine.contains(rule.id())).collect();
        if kept.len() == current.rules().len() {
            return;
        }
        let kept = kept.into_iter().map(|rule| Rule::clone(rule)).collect();
        let handle = injector.as_actor(actor.clone());
        match handle.apply(Change::Replace(kept), Some(current.generation())) {
            Err(ChangeError::Stale { .. }) => {}
            Ok(_) => return,
            Err(error) => {
                // A rule that is left alone can be refused by a policy that came later.
                tracing::warn!(target: "chaos", %error, "rules of a fleet are removed one by one");
                for id in mine {
                    let removed = handle.apply(Change::Remove(id.clone()), None);
                    if let Err(error) = removed {
                        tracing::warn!(target: "chaos", %error, rule = %id, "it stays");
                    }
                }
                return;
            }
        }
    }
}

/// Returns the rules in force with those called `mine` replaced by `rules`: in place where an id stays, the others at the
/// end.
fn merge<'r>(
    current: impl Iterator<Item = &'r Rule>,
    mine: &[RuleId],
    rules: &[Rule],
) -> Result<Vec<Rule>, Refusal> {
    let mut merged = Vec::new();
    for rule in current {
        let position = rules.iter().position(|new| new.id() == rule.id());
        match (mine.contains(rule.id()), position) {
            (true, Some(at)) => merged.push(rules[at].clone()),
            (true, None) => {}
            (false, None) => merged.push(rule.clone()),
            (false, Some(at)) => {
                let problem = format!("there is a rule `{}` already", rule.id());
                let allowed = "an id that no other rule of the replica has";
                return Err(Refusal::new(format!("rules[{at}].id"), problem, allowed));
            }
        }
    }
    let is_new = |rule: &&Rule| !merged.iter().any(|it| it.id() == rule.id());
    let new: Vec<_> = rules.iter().filter(is_new).cloned().collect();
    merged.extend(new);
    Ok(merged)
}

fn refusal(error: ChangeError) -> Refusal {
    match error {
        ChangeError::Rule(error) => error.into(),
        other => Refusal::new("", other, "rules that the replica's policy permits"),
    }
}

#[cfg(test)]
mod tests {
    use chaos_core::Fault;

    use super::*;

    fn rules(ids: &str) -> Vec<Rule> {
        let rule = |id: char| {
            let id = id.to_string().parse().unwrap();
            Rule::new(id, "s".parse().unwrap(), Fault::error("e"))
        };
        ids.chars().map(rule).collect()
    }

    #[test]
    fn rules_of_others_stay_where_they_are() {
        for (current, mine, new, expected) in [
            ("", "", "ab", Ok("ab")),
            ("XaY", "a", "ab", Ok("XaYb")),
            ("XaY", "a", "", Ok("XY")),
            ("XabY", "ab", "ba", Ok("XabY")),
            ("X", "a", "a", Ok("Xa")),
            ("a", "", "ba", Err("rules[1].id")),
        ] {
            let mine: Vec<_> = rules(mine).iter().map(|rule| rule.id().clone()).collect();
            let merged = merge(rules(current).iter(), &mine, &rules(new));
            let merged =
                merged.map(|rules| rules.iter().map(|it| it.id().as_str()).collect::<String>());
            match expected {
                Ok(ids) => assert_eq!(merged.unwrap(), ids),
                Err(field) => assert_eq!(merged.unwrap_err().field(), field),
            }
        }
    }
}
