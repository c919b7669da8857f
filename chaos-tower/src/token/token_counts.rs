//! `TokenCounts`: how many tokens were accepted and ignored.

use std::{
    collections::{BTreeMap, btree_map},
    iter::{Chain, Once, once},
    sync::{Mutex, PoisonError},
};

/// How many tokens were accepted, and how many were ignored for each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCounts {
    /// Requests with a valid token.
    pub accepted: u64,
    /// Requests whose token was ignored, by the [name](chaos_core::token::TokenError::name) of the reason, or
    /// `crowded` if too many other tokens are valid. `headers_crowded` counts requests whose token was accepted,
    /// and whose Envoy headers were ignored.
    pub ignored: BTreeMap<&'static str, u64>,
}

/// Iterates over each outcome and its number, `accepted` first, as `tokens_seen` of the admin API takes them.
impl IntoIterator for TokenCounts {
    type Item = (&'static str, u64);
    type IntoIter = Chain<Once<Self::Item>, btree_map::IntoIter<&'static str, u64>>;

    fn into_iter(self) -> Self::IntoIter {
        once(("accepted", self.accepted)).chain(self.ignored)
    }
}

/// Counts tokens. Behind a lock, because only requests with a token are counted.
#[derive(Debug, Default)]
pub(super) struct TokenCounter(Mutex<TokenCounts>);

impl TokenCounter {
    pub(super) fn accept(&self) {
        self.with(|counts| counts.accepted += 1);
    }

    pub(super) fn ignore(&self, reason: &'static str) {
        self.with(|counts| *counts.ignored.entry(reason).or_default() += 1);
    }

    pub(super) fn read(&self) -> TokenCounts {
        self.with(|counts| counts.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut TokenCounts) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
