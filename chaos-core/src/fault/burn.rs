//! How much of the machine is to be kept busy.

use std::time::Duration;

use crate::{error::RuleError, plan::bytes::not_too_long};

/// What is burnt while calls go on as they can. A rule burns once at a time: calls that it hits
/// meanwhile add nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    pub(crate) cpu: f64,
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

impl Burn {
    /// Keeps every processor busy for this share of the time, above 0 and at most 1.
    ///
    /// # Errors
    /// Outside of that, or if `time` is longer than 24 hours.
    pub fn cpu(share: f64, time: Duration) -> Result<Self, RuleError> {
        if !(share > 0.0 && share <= 1.0) {
            let problem = format!("{share} is no share");
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

    /// Takes so many bytes of memory, and writes to each page of it.
    ///
    /// # Errors
    /// If `bytes` is 0, or `time` longer than 24 hours.
    pub fn memory(bytes: u64, time: Duration) -> Result<Self, RuleError> {
        if bytes == 0 {
            let problem = "nothing is no memory";
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
