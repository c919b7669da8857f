//! `Ties`: what the rules that are armed through one handle hang on, and are fed by.

use crate::{gate::leash::Leash, policy::allowance::Allowance};

/// What rules hang on, and are fed by, besides what is written in them. Rules that were armed together share it; most hang on nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ties {
    /// Until when the rules may act at most.
    pub(crate) leash: Option<Leash>,
    /// What each injection takes a permit from.
    pub(crate) allowance: Option<Allowance>,
}

impl Ties {
    /// Returns whether the leash is over, if there is one.
    pub(crate) fn are_over(&self) -> bool {
        self.leash.as_ref().is_some_and(Leash::is_over)
    }
}
