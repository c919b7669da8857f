//! What the runs of [`Systematic`](crate::testing::Systematic) showed: the outcome of each, which faults
//! broke the code, and what was not tried.

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
    /// The code returned `Ok`, but did not make every pass at which a fault was to be injected.
    NotReached,
}

/// The passes through a site at which a run injects a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Passes {
    /// One pass, by its number from 1.
    Nth(u64),
    /// Every pass.
    All,
}

/// One fault of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TriedFault {
    /// The name of the site.
    pub site: String,
    /// The passes at which the fault is injected.
    pub passes: Passes,
    /// The fault.
    pub fault: Fault,
}

/// One run with a fault, or with two.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// The faults that the run injects.
    pub faults: Vec<TriedFault>,
    /// The outcome of the run.
    pub outcome: Outcome,
}

/// Something that was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untried {
    /// Some or all faults, because injection was halted during a run, for the given reason.
    Halted(String),
    /// All faults, because the code passed no site inside its overlay. A spawned task has to be
    /// [carried](crate::Overlay::carry) into it.
    NoSite,
    /// This site, because none of the faults can happen there.
    NoFault(String),
    /// This many more passes through this site.
    MorePasses(String, u64),
    /// This pass through this site, which is made only after a fault somewhere else.
    NewPass(String, u64),
    /// This pass through this site, which is made only after two faults somewhere else.
    NewPassOfPair(String, u64),
    /// This many runs, beyond the most that are allowed.
    MoreRuns(usize),
}

/// The outcomes of all runs: first those with one fault in the order of sites, passes and faults, then
/// those with a fault at every pass of a site, then pairs.
///
/// `Display` writes a summary line, a line for each run that broke the code, and a line for each thing
/// that was not tried.
#[derive(Clone, Debug)]
pub struct SystematicReport {
    /// The outcome of the run without a fault.
    pub(super) without: Outcome,
    pub(super) tried: Vec<Tried>,
    pub(super) untried: Vec<Untried>,
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

impl SystematicReport {
    /// Returns the outcome of the run without a fault. Unless it passed, no fault was tried.
    #[must_use]
    pub fn without_fault(&self) -> &Outcome {
        &self.without
    }

    /// Returns all runs with faults, in order.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    /// Returns what was not tried.
    #[must_use]
    pub fn untried(&self) -> &[Untried] {
        &self.untried
    }

    /// Returns the runs that broke the code: with a failure, a panic, or a timeout.
    pub fn broken(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| tried.outcome.is_broken())
    }

    /// Returns whether a fault was injected, and none broke the code. Returns `false` if no fault was
    /// injected: because no site was passed, or only outside of the overlay, or because injection is
    /// not allowed. It does not look at [`untried`](Self::untried).
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let passed = |tried: &Tried| tried.outcome == Outcome::Passed;
        self.broken().next().is_none() && self.tried.iter().any(passed)
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

/// Writes `bank.note, pass 1, error`, or `every pass`.
impl fmt::Display for TriedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            passes,
            fault,
        } = self;
        match passes {
            Passes::Nth(pass) => write!(f, "{site}, pass {pass}, {}", fault.name()),
            Passes::All => write!(f, "{site}, every pass, {}", fault.name()),
        }
    }
}

/// Writes the faults, joined by `and`, and the outcome.
impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.faults.iter().map(TriedFault::to_string).collect();
        write!(f, "{}: {}", faults.join(" and "), self.outcome)
    }
}

impl fmt::Display for Untried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halted(reason) => write!(f, "injection was halted during a run: {reason}"),
            Self::NoSite => f.write_str("no site was passed in the overlay of a run"),
            Self::NoFault(site) => write!(f, "{site}: none of the faults can happen there"),
            Self::MorePasses(site, passes) => {
                write!(f, "{site}: {passes} more passes, see `most_passes`")
            }
            Self::NewPass(site, pass) => {
                write!(
                    f,
                    "{site}, pass {pass}: made only after a fault, see `pairs`"
                )
            }
            Self::NewPassOfPair(site, pass) => {
                write!(f, "{site}, pass {pass}: made only after two faults")
            }
            Self::MoreRuns(runs) => write!(f, "{runs} more runs, see `most_runs`"),
        }
    }
}

impl fmt::Display for SystematicReport {
    /// Writes a summary line, a line for each run that broke the code, and a line for each thing that
    /// was not tried.
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
            write!(f, "\n{tried}")?;
        }
        for untried in &self.untried {
            write!(f, "\nnot tried: {untried}")?;
        }
        Ok(())
    }
}
