//! What the runs of [`Systematic`](crate::testing::Systematic) showed: the outcome of each, and which faults
//! broke the code.

use std::{any::Any, fmt};

use crate::fault::Fault;

/// The outcome of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The code returned `Ok`.
    Passed,
    /// The code returned an error with this text.
    Failed(String),
    /// The code panicked with this message.
    Panicked(String),
    /// The code took longer than [`Systematic::within`](crate::testing::Systematic::within) allows.
    TimedOut,
    /// The code returned `Ok`, but passed the site less often than without a fault, so nothing was
    /// injected.
    NotReached,
}

/// One run with one fault.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// The name of the site.
    pub site: String,
    /// The number of the pass through the site at which the fault is injected, from 1.
    pub pass: u64,
    /// The fault.
    pub fault: Fault,
    /// The outcome of the run.
    pub outcome: Outcome,
}

/// The outcomes of all runs, in the order of sites, passes and faults. `Display` writes a summary
/// line, and a line for each fault that broke the code.
#[derive(Clone, Debug)]
pub struct SystematicReport {
    /// The outcome of the run without a fault.
    pub(super) without: Outcome,
    pub(super) tried: Vec<Tried>,
}

impl Outcome {
    /// Returns the outcome of a run that returned `result`, or panicked with its error.
    pub(super) fn of<E: fmt::Display>(result: Result<Result<(), E>, Box<dyn Any + Send>>) -> Self {
        match result {
            Ok(Ok(())) => Self::Passed,
            Ok(Err(error)) => Self::Failed(error.to_string()),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Self::Panicked(text.unwrap_or_else(|| "the panic has no message".to_owned()))
            }
        }
    }

    /// Returns whether the code failed, panicked or took too long.
    fn is_broken(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_) | Self::TimedOut)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::NotReached => f.write_str("not reached"),
        }
    }
}

impl SystematicReport {
    /// Returns the outcome of the run without a fault. Unless it passed, no fault was tried.
    #[must_use]
    pub fn without_fault(&self) -> &Outcome {
        &self.without
    }

    /// Returns all runs with a fault, in the order of sites, passes and faults.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    /// Returns the runs that broke the code: with a failure, a panic, or a timeout.
    pub fn broken(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| tried.outcome.is_broken())
    }

    /// Returns whether a fault was injected, and none broke the code. `false` if nothing was shown:
    /// because no site was passed, or only outside of the overlay, or because injection is not
    /// allowed.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let passed = |tried: &Tried| tried.outcome == Outcome::Passed;
        self.broken().next().is_none() && self.tried.iter().any(passed)
    }
}

impl fmt::Display for SystematicReport {
    /// Writes a summary line, and a line for each fault that broke the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.without != Outcome::Passed {
            return write!(f, "without a fault: {}", self.without);
        }
        let missed = |tried: &&Tried| tried.outcome == Outcome::NotReached;
        let missed = self.tried.iter().filter(missed).count();
        let broken = self.broken().count();
        write!(f, "{broken} of {} broke it", self.tried.len())?;
        if missed > 0 {
            write!(f, ", {missed} not reached")?;
        }
        for tried in self.broken() {
            let Tried {
                site,
                pass,
                fault,
                outcome,
            } = tried;
            write!(f, "\n{site}, pass {pass}, {}: {outcome}", fault.name())?;
        }
        Ok(())
    }
}
