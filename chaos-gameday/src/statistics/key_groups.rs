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

/// The fewest groups with hit calls, and with spared ones, from which anything is concluded. One user proves nothing.
const FEWEST_GROUPS: usize = 5;

/// The fewest failed calls, and the fewest others, whose spread over the groups says how many calls fail together.
const FEWEST_CALLS: u64 = 5;

/// Returns the difference of the error ratios, hit minus spared, by groups of keys; `None` with fewer than five groups that
/// have hit calls, or fewer than five that have spared ones.
///
/// How much the failures of the groups differ shows how many of the calls are independent of each other, for hit and for spared
/// calls each from their own groups: a fault may harm whole keys, while the calls that it spares fail one by one. Newcombe's
/// interval is taken for these numbers, with the quantile of Student's t for the number of groups of each. It covers the truth
/// in 93 to 98 % of the cases as long as a key or more of those that are hit can be expected to fail, and with twelve hit keys
/// in up to 98.5 %.
#[must_use]
pub fn error_ratio_difference_by_keys(groups: &[KeyGroup]) -> Option<Difference> {
    let hit = Arm::of(groups, |it| &it.hit).interval()?;
    let spared = Arm::of(groups, |it| &it.spared).interval()?;
    Some(Difference::of(hit, spared, Method::KeyGroups))
}

/// Returns how many calls fail together: by how much more the failures spread over the groups than those of independent calls
/// would, for hit or for spared calls, whichever is more. At least 1; `None` without calls that were hit, or without calls that
/// were spared. Where fewer than five calls failed, or fewer than five did not, nothing is known of it, and all calls of a
/// group are taken for one.
#[must_use]
pub fn design_effect(groups: &[KeyGroup]) -> Option<f64> {
    let hit = Arm::of(groups, |it| &it.hit).design_effect()?;
    let spared = Arm::of(groups, |it| &it.spared).design_effect()?;
    Some(hit.max(spared))
}

/// The groups that have hit calls, or those that have spared calls.
struct Arm<'g> {
    groups: Vec<&'g Group>,
    total: Group,
}

impl<'g> Arm<'g> {
    fn of(groups: &'g [KeyGroup], calls: fn(&KeyGroup) -> &Group) -> Self {
        let groups = groups.iter().map(calls).filter(|it| it.calls > 0);
        let groups: Vec<_> = groups.collect();
        let mut total = Group::default();
        groups.iter().for_each(|it| total.add(it));
        Self { groups, total }
    }

    /// Returns the error ratio and the ends of its interval.
    fn interval(&self) -> Option<(f64, f64, f64)> {
        if self.groups.len() < FEWEST_GROUPS {
            return None;
        }
        let calls = (self.total.calls as f64 / self.design_effect()?).max(1.0);
        let t = t(self.groups.len());
        Some(wilson(self.total.error_ratio()?, calls, t))
    }

    fn design_effect(&self) -> Option<f64> {
        let ratio = self.total.error_ratio()?;
        let groups = self.groups.len() as f64;
        let others = self.total.calls.saturating_sub(self.total.failed);
        if self.groups.len() < 2 || self.total.failed.min(others) < FEWEST_CALLS {
            return Some((self.total.calls as f64 / groups).max(1.0));
        }
        let spread = |it: &&Group| (it.failed as f64 - ratio * it.calls as f64).powi(2);
        let found: f64 = self.groups.iter().map(spread).sum();
        let expected = ratio * (1.0 - ratio) * self.total.calls as f64;
        Some((found / expected * groups / (groups - 1.0)).max(1.0))
    }
}

/// The quantile 0.975 of Student's t for a number of groups, at least 2.
fn t(groups: usize) -> f64 {
    let freedom = groups.saturating_sub(1).max(1) as f64;
    StudentsT::new(0.0, 1.0, freedom).map_or(Z, |t| t.inverse_cdf(0.975))
}
