//! The policy in force, with what has been spent of it.

use std::sync::{Arc, atomic::AtomicU64};

use crate::{
    guard_rail::monitor::Monitor,
    policy::{Policy, spending::Spending},
};

/// One policy from the moment it is set. Another policy starts with nothing spent.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) policy: Policy,
    /// Injections of the policy's `total` that have begun or are about to.
    pub(crate) spent: AtomicU64,
    pub(crate) spending: Spending,
    /// What rules of tokens have spent of `total`, and of their half of the budget.
    pub(crate) spent_by_tokens: AtomicU64,
    pub(crate) spending_of_tokens: Spending,
    /// The policy's guard rails.
    pub(crate) monitors: Vec<Arc<Monitor>>,
}

impl Bounds {
    pub(crate) fn new(policy: Policy) -> Self {
        let monitors = policy.guards.iter().map(Monitor::of_policy);
        Self {
            monitors: monitors.map(Arc::new).collect(),
            policy,
            ..Self::default()
        }
    }
}
