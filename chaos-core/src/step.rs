//! What a fault comes down to on one call: a plan for the adapter, or what needs none.

use std::time::Duration;

use crate::{
    burn::Burn,
    custom::CustomFault,
    plan::{Plan, Wait, WaitAfter, WaitKind},
};

/// The next thing to do. All but a plan is done by [`Decision`](crate::Decision) itself, the same
/// way wherever the site is.
#[derive(Debug)]
pub(crate) enum Step {
    Plan(Plan),
    Burn(Burn),
    Custom(CustomFault),
    Panic,
    Exit,
}

impl Step {
    /// Whether nothing can come after it.
    pub(crate) fn ends_call(&self) -> bool {
        match self {
            Self::Plan(plan) => plan.ends_call(),
            Self::Panic | Self::Exit => true,
            Self::Burn(_) | Self::Custom(_) => false,
        }
    }

    /// The delay that was drawn. How long a hang or a pause lasts, nobody knows yet.
    pub(crate) fn delay(&self) -> Duration {
        match self {
            Self::Plan(Plan::Wait(Wait {
                time,
                kind: WaitKind::Delay | WaitKind::Block,
            }))
            | Self::Plan(Plan::WaitAfter(WaitAfter::For(time))) => *time,
            _ => Duration::ZERO,
        }
    }
}
