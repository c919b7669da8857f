//! What an injector reports: its state, and what its rules have counted.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::Armed, audit::actor::Actor, policy::limit::Overflow, trigger::attempts::Attempts,
};

/// A snapshot of an injector.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Whether the injector is idle, armed or halted.
    pub state: State,
    /// The generation of the rules.
    pub generation: u64,
    /// The number of rules, whether they can act or not.
    pub rules: usize,
    /// The number of open overlays.
    pub overlays: usize,
    /// Injections since the injector was made, those of deleted rules included.
    pub injected: u64,
    /// Injections under way: calls that are being delayed or changed.
    pub active: u64,
    /// The breaches of guard rails that nobody has acknowledged.
    pub breaches: Vec<Arc<str>>,
}

/// Whether faults can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No rule can act.
    Idle,
    /// At least one rule can act.
    Armed,
    /// Stopped, by hand or by a guard rail.
    #[non_exhaustive]
    Halted {
        /// The reason that was given.
        reason: String,
        /// Who halted.
        by: Actor,
        /// The time since the halt.
        ago: Duration,
    },
}

impl State {
    /// Returns its name in JSON.
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
    /// `CHAOS_DISABLED` or an unreadable `CHAOS_POLICY`: for as long as the process lives.
    Environment(Arc<str>),
    /// A breach that nobody has acknowledged.
    Breach(Arc<str>),
}

impl Lock {
    pub(crate) fn reason(&self) -> &Arc<str> {
        let (Self::Environment(reason) | Self::Breach(reason)) = self;
        reason
    }
}

/// The halt in force.
#[derive(Debug)]
pub(crate) struct Halt {
    pub(crate) by: Actor,
    /// When, on the injector's clock.
    pub(crate) since: Duration,
    /// Why nobody can resume, if so.
    pub(crate) lock: Option<Lock>,
}

/// What a rule has counted. The counts go on until the rule changes in what it does; `enabled` and
/// `reason` may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that the rule's site and matcher matched while it was armed.
    pub matched: u64,
    /// Calls that were hit: each once, however many faults the rule has.
    pub injected: u64,
    /// Calls that would have been hit, in mode `shadow`.
    pub shadowed: u64,
    /// Calls that the rule has decided to hit and is not done with.
    pub active: u64,
    /// Logical requests that `first_attempts` has evicted to make room for others, since the rule was armed.
    pub evicted: u64,
    /// Calls that would have been hit and were spared by a limit.
    pub overflow: Overflow,
    /// The time to the deadline: zero if the rule has expired, `None` if it has no deadline or is disabled.
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
