//! What has failed how many times in succession.

use std::collections::BTreeMap;

/// How many times in succession each of several has failed, by its number.
#[derive(Debug, Default)]
pub(super) struct Strikes(BTreeMap<usize, u32>);

impl Strikes {
    /// Takes in whether the nth has failed, and returns how many times it has by now.
    pub(super) fn note(&mut self, nth: usize, has_failed: bool) -> u32 {
        let times = self.0.entry(nth).or_default();
        *times = if has_failed { *times + 1 } else { 0 };
        *times
    }
}
