//! Differences for rules with a key: the calls of one key are hit or spared together, and may fail together.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{
    difference::{Difference, Method, Z, wilson},
    group::Group,
};

/// The calls whose keys fall into one of several groups by their hash. A key is always in the same group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyGroup {
    /// The calls that were hit.
    pub hit: Group,
    /// The calls that were spared.
    pub spared: Group,
}

/// Returns the difference of the error ratios, hit minus spared, by groups of keys; `None` if no call was hit or none was
/// spared.
///
/// How much the failures of the groups differ shows how many of the calls are independent of each other
/// ([`design_effect`]). Newcombe's interval is taken for that number, with the quantile of Student's t for the number of
/// groups. Unlike an interval of the mean of the groups' own differences, it does not shrink to nothing where no hit call
/// failed. It covers the truth in 95 to 98 % of the cases as long as a key or more of those that are hit can be expected to
/// fail; with twelve keys of which 1 % fail, in 93 %.
#[must_use]
pub fn error_ratio_difference_by_keys(groups: &[KeyGroup]) -> Option<Difference> {
    let (hit, spared) = totals(groups);
    let effect = design_effect(groups)?;
    let interval = |group: &Group, filled: usize| {
        let calls = (group.calls as f64 / effect).max(1.0);
        Some(wilson(group.error_ratio()?, calls, t(filled)))
    };
    let filled = |has: fn(&KeyGroup) -> bool| groups.iter().filter(|it| has(it)).count();
    let filled = filled(|it| it.hit.calls > 0 || it.spared.calls > 0);
    let (hit, spared) = (interval(&hit, filled)?, interval(&spared, filled)?);
    Some(Difference::of(hit, spared, Method::KeyGroups))
}

/// Returns by how much more the failures spread over the groups than those of independent calls would: at least 1, and the
/// number of calls that fail together if all calls of a key do. `None` without calls that were hit, or without calls that were
/// spared. If no call failed, or all did, nothing is known of it, and all calls of a group are taken for one.
#[must_use]
pub fn design_effect(groups: &[KeyGroup]) -> Option<f64> {
    let (hit, spared) = totals(groups);
    let (hit_ratio, spared_ratio) = (hit.error_ratio()?, spared.error_ratio()?);
    let (mut found, mut expected) = (0.0, 0.0);
    let mut cells = 0.0;
    for (group, ratio) in groups
        .iter()
        .flat_map(|it| [(&it.hit, hit_ratio), (&it.spared, spared_ratio)])
        .filter(|(group, _)| group.calls > 0)
    {
        let calls = group.calls as f64;
        found += (group.failed as f64 - ratio * calls).powi(2);
        expected += ratio * (1.0 - ratio) * calls;
        cells += 1.0;
    }
    if expected > 0.0 && cells > 2.0 {
        return Some((found / expected * cells / (cells - 2.0)).max(1.0));
    }
    Some(((hit.calls + spared.calls) as f64 / cells).max(1.0))
}

fn totals(groups: &[KeyGroup]) -> (Group, Group) {
    let mut totals = (Group::default(), Group::default());
    for group in groups {
        totals.0.add(&group.hit);
        totals.1.add(&group.spared);
    }
    totals
}

/// The quantile 0.975 of Student's t for a number of groups.
fn t(groups: usize) -> f64 {
    let freedom = groups.saturating_sub(1).max(1) as f64;
    StudentsT::new(0.0, 1.0, freedom).map_or(Z, |t| t.inverse_cdf(0.975))
}
