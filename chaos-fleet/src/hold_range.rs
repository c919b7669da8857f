//! How long faults may go on after the last sign of life of whoever answers for them.

use std::time::Duration;

use crate::error::Refusal;

pub(crate) const SHORTEST: Duration = Duration::from_secs(5);
pub(crate) const USUAL: Duration = Duration::from_secs(30);
pub(crate) const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Returns an error if a hold is out of its range.
pub(crate) fn check(hold: Duration) -> Result<(), Refusal> {
    match (SHORTEST..=LONGEST).contains(&hold) {
        true => Ok(()),
        false => {
            let problem = format!("{hold:?} is out of range");
            Err(Refusal::new("hold", problem, "a time from 5s to 5m"))
        }
    }
}
