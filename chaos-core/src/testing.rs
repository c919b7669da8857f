//! Tools for tests: rules that are removed when their guard is dropped, and runs that try every
//! fault at every site.

pub(crate) mod rule_guard;
pub(crate) mod systematic;

mod not_injected;
mod report;

pub use self::{
    not_injected::NotInjected,
    rule_guard::RuleGuard,
    systematic::{Outcome, Systematic, SystematicReport, Tried},
};
pub use crate::clock::ManualClock;
