//! The answers of a rule, which are made once and not for each call. It is a child of `fault`, since it reads the
//! enum.

use std::sync::Arc;

use super::Fault;
use crate::{name::RuleId, plan::answer::PreparedAnswer};

/// The answers among the faults of a rule, the options of choices included. Empty for a fault of no rule.
#[derive(Debug, Default)]
pub(crate) struct PreparedAnswers(Box<[(FaultAddress, Arc<PreparedAnswer>)]>);

/// The address of a fault, which does not move while its rule is in force.
type FaultAddress = usize;

impl PreparedAnswers {
    /// Prepares the answers of a rule. They are found as long as `faults` stay where they are.
    pub(crate) fn of(rule: &RuleId, faults: &[Fault]) -> Self {
        let mut all = Vec::new();
        for fault in faults {
            match fault {
                Fault::OneOf(one_of) => one_of.faults().for_each(|fault| all.push(fault)),
                fault => all.push(fault),
            }
        }
        let prepared = all.into_iter().filter_map(|fault| {
            let answer = match fault {
                Fault::Status(answer) => PreparedAnswer::http(rule, answer),
                Fault::Grpc(status, after) => PreparedAnswer::grpc(rule, status, *after),
                _ => return None,
            };
            Some((address(fault), Arc::new(answer)))
        });
        Self(prepared.collect())
    }

    /// Returns the answer of a fault, which is made now if it is not one of the rule's.
    pub(super) fn answer(
        &self,
        fault: &Fault,
        prepare: impl FnOnce() -> PreparedAnswer,
    ) -> Arc<PreparedAnswer> {
        let address = address(fault);
        let known = self.0.iter().find(|(known, _)| *known == address);
        known.map_or_else(|| Arc::new(prepare()), |(_, answer)| Arc::clone(answer))
    }
}

fn address(fault: &Fault) -> FaultAddress {
    std::ptr::from_ref(fault).addr()
}
