//! What an injector reports: its state, and what its rules have counted.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    armed::{Armed, arming::ArmedBy},
    audit::actor::Actor,
    guard_rail::breach::OpenBreach,
    policy::limit::Overflow,
    trigger::{attempts::Attempts, replay::Log},
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
    pub breaches: Vec<Arc<OpenBreach>>,
    /// The holders that keep the injector halted, in the order in which they halted it; empty unless it
    /// is halted. At most 100 people are listed.
    pub holders: Vec<HaltHolder>,
}

/// A holder of a halt, which keeps an injector halted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HaltHolder {
    /// Who halted, from where and why. A guard rail has the name `chaos`, and its breach as the
    /// reason.
    pub by: Actor,
    /// The kind of the holder.
    pub kind: HolderKind,
    /// The name of the fleet for which the actor has halted, if the holder is one.
    pub fleet: Option<Arc<str>>,
    /// The time since the holder halted.
    pub ago: Duration,
    /// Whether a resume is refused because of this holder: a guard rail whose breach nobody has
    /// acknowledged, a fleet, or the environment.
    pub locked: bool,
}

/// The kind of a [`HaltHolder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HolderKind {
    /// A person, or a program that halted by [`Injector::halt`](crate::Injector::halt). A resume by
    /// anyone ends every hold of this kind.
    Person,
    /// A guard rail. A resume is refused until someone acknowledges the breach.
    GuardRail,
    /// `CHAOS_DISABLED`, or a `CHAOS_POLICY` that cannot be read: for as long as the process lives.
    Environment,
    /// A fleet of which the process is a part, by
    /// [`halt_for_fleet`](crate::AttributedInjector::halt_for_fleet). Only the fleet ends its hold.
    Fleet,
}

impl HolderKind {
    /// Returns the kind's name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::GuardRail => "guard_rail",
            Self::Environment => "environment",
            Self::Fleet => "fleet",
        }
    }
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
        /// The reason of the first halt. [`Status::holders`] lists all holders.
        reason: String,
        /// The actor of the first halt.
        by: Actor,
        /// The time since that halt.
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

/// The counts of a rule. They go on until what the rule does is changed; `enabled` and `reason` may
/// change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that the rule's site and matcher matched while it was armed.
    pub matched: u64,
    /// Calls that were hit: each once, however many faults the rule has.
    pub injected: u64,
    /// Calls that would have been hit, in mode `shadow`.
    pub shadowed: u64,
    /// Calls that the rule has hit and that are still under its effect.
    pub active: u64,
    /// Logical requests that `first_attempts` has evicted since the rule was armed, because it remembers too
    /// many others.
    pub evicted: u64,
    /// Calls that would have been hit and were spared by a limit.
    pub overflow: Overflow,
    /// The time until the rule ends: at its own deadline, or sooner with its leash. Zero if it has ended, `None` if it has
    /// neither or is disabled.
    pub expires_in: Option<Duration>,
    /// The time that is left of the [`Leash`](crate::Leash) on which the rule hangs: zero if that is over, `None` if it
    /// hangs on none.
    pub leash: Option<Duration>,
    /// How many keys the calls had that were hit since the rule was armed, or would have been hit in mode `shadow`, each
    /// once: how many users, say. No more than 10,000 are counted. `None` for a rule without a key.
    pub keys: Option<u64>,
    /// Who has armed the rule, or has put it as a disabled rule. Who disables a rule, or extends it, does not arm it.
    pub armed_by: Actor,
    /// The time of day at which that was, by the injector's clock.
    pub since: SystemTime,
    /// The time of day of the rule's own deadline, if it has one: that of `since` and the lifetime, extensions
    /// included. A clock that is set meanwhile makes no difference to it.
    pub deadline: Option<SystemTime>,
}

impl Counts {
    pub(crate) fn of(rule: &Armed, now: Duration) -> Self {
        let deadline = rule.arming.deadline().filter(|_| rule.rule.enabled);
        let ArmedBy {
            actor, at, since, ..
        } = &*rule.arming.armed_by;
        let lifetime = deadline.map(|deadline| deadline.saturating_sub(*since));
        let left = deadline.map(|deadline| deadline.saturating_sub(now));
        let leash = rule.arming.leash().map(|leash| leash.left());
        let leash_of_enabled = leash.filter(|_| rule.rule.enabled);
        Self {
            matched: rule.counters.matched(),
            injected: rule.counters.injected(),
            shadowed: rule.counters.shadowed(),
            active: rule.counters.active(),
            evicted: rule.arming.attempts().map_or(0, Attempts::evicted),
            overflow: rule.counters.overflow(),
            expires_in: left.into_iter().chain(leash_of_enabled).min(),
            leash,
            keys: rule.arming.log().and_then(Log::keys),
            armed_by: actor.clone(),
            since: *at,
            deadline: lifetime.and_then(|lifetime| at.checked_add(lifetime)),
        }
    }
}
