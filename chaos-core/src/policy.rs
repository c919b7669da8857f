//! What rules may do at all, whoever wrote them.

use std::time::Duration;

use crate::{burn::Burn, cut::Abort, error::RuleError, fault::Fault, step::Step};

/// Bounds, set in code, on what rules may do.
///
/// Without one of its own, an injector never ends the process, and burns at most a quarter of a
/// gibibyte for at most a minute at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    exit: bool,
    burn_cpu: f64,
    burn_memory: u64,
    burn_time: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exit: false,
            burn_cpu: 1.0,
            burn_memory: 256 << 20,
            burn_time: Duration::from_secs(60),
        }
    }
}

impl Policy {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether an `abort` may end the process.
    #[must_use]
    pub fn allow_exit(mut self, allowed: bool) -> Self {
        self.exit = allowed;
        self
    }

    /// The most of the machine's processors that one rule may burn, from 0 to 1.
    #[must_use]
    pub fn burn_cpu(mut self, share: f64) -> Self {
        self.burn_cpu = share;
        self
    }

    /// The most memory that one rule may burn, in bytes.
    #[must_use]
    pub fn burn_memory(mut self, bytes: u64) -> Self {
        self.burn_memory = bytes;
        self
    }

    /// For how long one burn may last.
    #[must_use]
    pub fn burn_time(mut self, time: Duration) -> Self {
        self.burn_time = time;
        self
    }

    /// A step within the bounds, where a program has scaled it beyond them.
    pub(crate) fn bounded(&self, step: Step) -> Step {
        match step {
            Step::Burn(burn) => Step::Burn(Burn {
                memory: burn.memory.min(self.burn_memory),
                ..burn
            }),
            step => step,
        }
    }

    /// Whether `fault` may happen; of a choice, whether each option may.
    ///
    /// # Errors
    /// If it may not; the error says within which bounds it could.
    pub fn permits(&self, fault: &Fault) -> Result<(), RuleError> {
        match fault {
            Fault::Abort(Abort::Exit, _) if !self.exit => Err(RuleError::new(
                "abort",
                "the policy of this process does not allow \"exit\"",
                "any other abort",
            )),
            Fault::Burn(burn) => self.permits_burn(burn),
            Fault::OneOf(one_of) => one_of.check(|fault| self.permits(fault)),
            _ => Ok(()),
        }
    }

    fn permits_burn(&self, burn: &Burn) -> Result<(), RuleError> {
        let refuse = |field, allowed: String| {
            let problem = "more than the policy of this process allows";
            Err(RuleError::new(field, problem, allowed))
        };
        if burn.cpu > self.burn_cpu {
            return refuse("burn.cpu", format!("at most {}", self.burn_cpu));
        }
        if burn.memory > self.burn_memory {
            return refuse("burn.memory", format!("at most {} bytes", self.burn_memory));
        }
        if burn.time > self.burn_time {
            return refuse("burn.for", format!("at most {:?}", self.burn_time));
        }
        Ok(())
    }
}
