//! What an injector says about itself: its state, and what its rules have counted.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::Armed, audit::actor::Actor, policy::limit::Overflow, trigger::attempts::Attempts,
};

/// One moment of an injector.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Idle, armed or halted.
    pub state: State,
    /// The generation of the rules.
    pub generation: u64,
    /// How many rules there are, live or not.
    pub rules: usize,
    /// How many overlays are open.
    pub overlays: usize,
    /// Injections since the injector was made, those of rules that are gone included.
    pub injected: u64,
    /// Injections under way: calls being delayed.
    pub active: u64,
    /// What guard rails have stopped, and nobody has acknowledged yet.
    pub breaches: Vec<Arc<str>>,
}

/// Whether faults can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No rule is live.
    Idle,
    /// At least one is.
    Armed,
    /// Stopped by hand.
    #[non_exhaustive]
    Halted {
        /// Why.
        reason: String,
        /// By whom.
        by: Actor,
        /// How long ago.
        ago: Duration,
    },
}

impl State {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Armed => "armed",
            Self::Halted { .. } => "halted",
        }
    }
}

/// What keeps a halt from being undone.
#[derive(Debug)]
pub(crate) enum Lock {
    /// For good.
    Environment(Arc<str>),
    /// Until someone acknowledges it.
    Breach(Arc<str>),
}

impl Lock {
    pub(crate) fn reason(&self) -> &Arc<str> {
        let (Self::Environment(reason) | Self::Breach(reason)) = self;
        reason
    }
}

/// When someone pulled the kill switch, and why.
#[derive(Debug)]
pub(crate) struct Halt {
    pub(crate) by: Actor,
    /// On the injector's clock.
    pub(crate) since: Duration,
    /// Why nobody can resume.
    pub(crate) lock: Option<Lock>,
}

/// What a rule has counted. The counts go on for as long as the rule is unchanged; whether it is
/// enabled, and its reason, may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that the rule's site and matcher fitted while it was armed.
    pub matched: u64,
    /// Calls that were hit; each once, however many faults the rule holds.
    pub injected: u64,
    /// Calls that would have been hit, in mode `shadow`.
    pub shadowed: u64,
    /// Calls that it decided to hit and is not done with.
    pub active: u64,
    /// Logical requests that `first_attempts` forgot to make room for others, since the rule was armed.
    pub evicted: u64,
    /// Calls that would have been hit, and were spared by a limit.
    pub overflow: Overflow,
    /// Time to its deadline; zero if it has expired, `None` if there is none or it is disabled.
    pub expires_in: Option<Duration>,
}

impl Counts {
    pub(crate) fn of(rule: &Armed, now: Duration) -> Self {
        let deadline = rule.arming.deadline().filter(|_| rule.rule.enabled);
        Self {
            matched: rule.counters.matched(),
            injected: rule.counters.injected(),
            shadowed: rule.counters.shadowed(),
            active: rule.counters.active(),
            evicted: rule.arming.attempts.as_ref().map_or(0, Attempts::evicted),
            overflow: rule.counters.overflow(),
            expires_in: deadline.map(|deadline| deadline.saturating_sub(now)),
        }
    }
}
