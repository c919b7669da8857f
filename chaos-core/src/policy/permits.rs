//! Whether a rule keeps within a policy, and which field does not.

use std::{fmt, time::Duration};

use super::Policy;
use crate::{
    error::RuleError,
    fault::{Fault, burn::Burn},
    matcher::glob::SiteGlob,
    plan::{bytes::BytesFaultKind, cut::Abort},
    rule::{Mode, Rule},
};

const PROBLEM: &str = "more than the policy of this process allows";

/// Creates an error at a field that goes beyond a bound.
fn beyond(field: &str, allowed: impl fmt::Display) -> RuleError {
    RuleError::new(field, PROBLEM, allowed.to_string())
}

impl Policy {
    /// Checks whether `rule` keeps within the bounds.
    ///
    /// # Errors
    /// Returns an error at the first field that does not, with the bound.
    pub fn permits_rule(&self, rule: &Rule) -> Result<(), RuleError> {
        let trigger = &rule.trigger;
        for sites in &self.sites {
            if !sites.iter().any(|site| site.covers(&rule.site)) {
                let problem = "not a site that the policy of this process allows";
                let names: Vec<_> = sites.iter().map(SiteGlob::as_str).collect();
                return Err(RuleError::new("site", problem, names.join(", ")));
            }
        }
        if self.shadow_only && rule.mode != Mode::Shadow {
            let problem = "the policy of this process allows rules only to count";
            return Err(RuleError::new("mode", problem, "\"shadow\""));
        }
        if trigger.replay.is_none() && trigger.greatest_share() > self.rate.get() {
            let field = trigger.program.as_ref().map_or("rate", |_| "program");
            return Err(beyond(
                field,
                format_args!("a rate of at most {}", self.rate.get()),
            ));
        }
        if let (Some(own), Some(most)) = (trigger.max_active, self.max_active)
            && own > most
        {
            return Err(beyond("max_active", format_args!("at most {most}")));
        }
        if let Some(most) = self.max_ttl
            && rule.lifetime.is_said()
            && rule.lifetime.ttl().is_none_or(|ttl| ttl > most)
        {
            return Err(beyond("ttl", format_args!("at most {most:?}")));
        }
        rule.faults.iter().enumerate().try_for_each(|(at, fault)| {
            self.permits(fault)
                .map_err(|error| error.under(&format!("faults[{at}]")))
        })
    }

    /// Checks whether `fault` may happen, and for a choice, whether each option may.
    ///
    /// # Errors
    /// Returns an error at the first field that goes beyond a bound, with the bound.
    pub fn permits(&self, fault: &Fault) -> Result<(), RuleError> {
        if let Fault::OneOf(one_of) = fault {
            return one_of.check(|fault| self.permits(fault));
        }
        if let Some(faults) = &self.faults
            && !faults.iter().any(|name| **name == *fault.name())
        {
            let problem = "not a fault that the policy of this process allows";
            return Err(RuleError::new(fault.name(), problem, faults.join(", ")));
        }
        if let (Some(longest), Some((field, time))) = (self.delay, longest(fault))
            && time > longest
        {
            return Err(beyond(field, format_args!("at most {longest:?}")));
        }
        match fault {
            Fault::Abort(Abort::Exit, _) if !self.exit => Err(RuleError::new(
                "abort",
                "the policy of this process does not allow \"exit\"",
                "any other abort",
            )),
            Fault::Burn(burn) => self.permits_burn(burn),
            _ => Ok(()),
        }
    }

    /// Checks whether rules may come with a token: whether they touch nothing but the request that bears it.
    ///
    /// # Errors
    /// Returns an error at the first fault that touches more.
    #[cfg(feature = "token")]
    pub(crate) fn permits_in_token(&self, rules: &[Rule]) -> Result<(), RuleError> {
        use crate::plan::cut::CutKind;

        fn touches_more(fault: &Fault) -> bool {
            match fault {
                Fault::Block(_) | Fault::Burn(_) => true,
                Fault::Abort(Abort::Exit, _) => true,
                Fault::Abort(Abort::Cut(kind), _) => {
                    matches!(kind, CutKind::Reset | CutKind::GoAway)
                }
                Fault::OneOf(one_of) => one_of.faults().any(touches_more),
                _ => false,
            }
        }
        if self.token_process_faults {
            return Ok(());
        }
        for rule in rules {
            let mut faults = rule.faults.iter().enumerate();
            if let Some((at, fault)) = faults.find(|(_, fault)| touches_more(fault)) {
                let problem = "the fault touches more than the request that bears the token";
                let allowed = "a fault other than block, burn, and the aborts reset, goaway and exit, \
                               or the policy's `token_process_faults`";
                let field = format!("faults[{at}].{}", fault.name());
                return Err(RuleError::new(field, problem, allowed).in_rule(rule.id.as_str()));
            }
        }
        Ok(())
    }

    fn permits_burn(&self, burn: &Burn) -> Result<(), RuleError> {
        if burn.cpu > self.burn_cpu {
            return Err(beyond(
                "burn.cpu",
                format_args!("at most {}", self.burn_cpu),
            ));
        }
        if burn.memory > self.burn_memory {
            let allowed = format_args!("at most {} bytes", self.burn_memory);
            return Err(beyond("burn.memory", allowed));
        }
        if burn.time > self.burn_time {
            return Err(beyond(
                "burn.for",
                format_args!("at most {:?}", self.burn_time),
            ));
        }
        Ok(())
    }
}

/// Returns the longest delay that a fault is written with, and its field. A latency of a
/// distribution with a tail has none.
fn longest(fault: &Fault) -> Option<(&'static str, Duration)> {
    match fault {
        Fault::Latency(latency, _) => latency.longest().map(|time| ("latency", time)),
        Fault::Hang(time) => Some(("hang", time.get())),
        Fault::Pause(time) => Some(("pause.max", time.get())),
        Fault::Block(time) => Some(("block", time.get())),
        Fault::Body(bytes, _) => match bytes.0 {
            BytesFaultKind::StallAfter(_, time) => Some(("body.for", time)),
            BytesFaultKind::FirstByte(time) => Some(("body.first_byte", time)),
            BytesFaultKind::EachChunk(time) => Some(("body.chunk", time)),
            BytesFaultKind::Throttle(_)
            | BytesFaultKind::TruncateAfter(_)
            | BytesFaultKind::Corrupt(_) => None,
        },
        _ => None,
    }
}
