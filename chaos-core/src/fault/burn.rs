//! The parameters of a `burn` fault: how much of the machine is kept busy.

use std::time::Duration;

use crate::{error::RuleError, plan::bytes::not_too_long};

/// Processors or memory that are kept busy for a time, while calls go on.
///
/// A rule has one burn at a time: calls that it hits during a burn do not start another.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, fault::Burn};
///
/// // Half of the processors' time, for a minute from the first call that is hit.
/// let busy = Fault::Burn(Burn::cpu(0.5, Duration::from_secs(60))?);
/// # drop(busy);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    pub(crate) cpu: f64,
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

impl Burn {
    /// Creates a burn that keeps every processor busy for the fraction `share` of the time, which
    /// is above 0 and at most 1.
    ///
    /// # Errors
    /// Returns an error if `share` is out of range, or `time` longer than 24 hours.
    pub fn cpu(share: f64, time: Duration) -> Result<Self, RuleError> {
        if !(share > 0.0 && share <= 1.0) {
            let problem = format!("{share} is out of range");
            let allowed = "a number above 0 and at most 1";
            return Err(RuleError::new("cpu", problem, allowed));
        }
        let time = not_too_long("for", time)?;
        Ok(Self {
            cpu: share,
            memory: 0,
            time,
        })
    }

    /// Creates a burn that occupies `bytes` of memory, and writes to each page of it.
    ///
    /// # Errors
    /// Returns an error if `bytes` is 0, or `time` longer than 24 hours.
    pub fn memory(bytes: u64, time: Duration) -> Result<Self, RuleError> {
        if bytes == 0 {
            let problem = "0 bytes of memory";
            return Err(RuleError::new("memory", problem, "1B or more"));
        }
        let time = not_too_long("for", time)?;
        Ok(Self {
            cpu: 0.0,
            memory: bytes,
            time,
        })
    }
}
