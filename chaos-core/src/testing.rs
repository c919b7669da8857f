//! Tools for tests: rules that are removed when their guard is dropped, and runs that try every
//! fault at every site.

pub(crate) mod rule_guard;
pub(crate) mod systematic;

mod halt_since;
mod not_injected;
mod report;
mod runs;

pub use self::{
    not_injected::NotInjected,
    rule_guard::RuleGuard,
    systematic::{Outcome, Passes, Systematic, SystematicReport, Tried, TriedFault, Untried},
};
pub use crate::clock::ManualClock;
