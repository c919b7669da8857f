//! The policy: bounds on what rules may do, whichever source they come from.

pub(crate) mod allowance;
pub(crate) mod bounds;
pub(crate) mod limit;
pub(crate) mod set_bounds;
pub(crate) mod spending;

mod permits;

pub use self::limit::{Limit, Overflow};

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    time::Duration,
};

use crate::{
    fault::step::Step,
    guard_rail::GuardRail,
    matcher::glob::SiteGlob,
    policy::set_bounds::SetBounds,
    rule::lifetime::Lifetime,
    trigger::{budget::Budget, rate::Rate},
};

/// Bounds on what rules may do, set in code or by the environment. They apply to rules of every
/// source: the admin API, files, the environment, tokens, overlays, and the program itself.
///
/// [`Injector::check`](crate::Injector::check) checks in advance whether a rule keeps within the
/// policy. Sources outside of the program call it and refuse a rule that does not. To a rule that was
/// armed nevertheless, the bounds apply when a fault would happen.
///
/// The default policy forbids ending the process, and limits a burn to 256 MiB and one minute. It allows
/// 10,000 rules of 16 MiB in all, with 64 guard rails and 64 KiB of compiled regular expressions, and no
/// fault of a token's rule that touches more than the request that bears the token. It allows
/// everything else.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Injector, Policy, Rate};
///
/// let policy = Policy::new()
///     .sites(["db.*".parse()?, "http.client".parse()?])
///     .faults(["latency", "error"])
///     .rate(Rate::new(0.1)?)
///     .max_ttl(Duration::from_secs(3600));
/// Injector::new().set_policy(policy);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Lists of patterns. A site is allowed if each list has a pattern that matches it; combining
    /// policies keeps a list of each.
    pub(crate) sites: Vec<Arc<[SiteGlob]>>,
    pub(crate) faults: Option<Vec<Box<str>>>,
    pub(crate) rate: Rate,
    pub(crate) max_active: Option<NonZeroU32>,
    pub(crate) delay: Option<Duration>,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) max_ttl: Option<Duration>,
    pub(crate) shadow_only: bool,
    pub(crate) total: Option<NonZeroU64>,
    pub(crate) active: Option<NonZeroU32>,
    pub(crate) budget: Budget,
    pub(crate) guards: Vec<GuardRail>,
    pub(crate) exit: bool,
    pub(crate) burn_cpu: f64,
    pub(crate) burn_memory: u64,
    pub(crate) burn_time: Duration,
    pub(crate) set: SetBounds,
    pub(crate) token_process_faults: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exit: false,
            burn_cpu: 1.0,
            burn_memory: 256 << 20,
            burn_time: Duration::from_secs(60),
            set: SetBounds::DEFAULT,
            token_process_faults: false,
            ..Self::allowing_all()
        }
    }
}

impl Policy {
    /// Creates the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a policy without any bound, to which bounds are added.
    pub(crate) fn allowing_all() -> Self {
        Self {
            sites: Vec::new(),
            faults: None,
            rate: Rate::ALWAYS,
            max_active: None,
            delay: None,
            default_ttl: None,
            max_ttl: None,
            shadow_only: false,
            total: None,
            active: None,
            budget: Budget::new(),
            guards: Vec::new(),
            exit: true,
            burn_cpu: 1.0,
            burn_memory: u64::MAX,
            burn_time: Duration::MAX,
            set: SetBounds::NONE,
            token_process_faults: true,
        }
    }

    /// Sets the sites that rules may aim at, by name or pattern. Without this, rules may aim at all
    /// sites.
    #[must_use]
    pub fn sites(mut self, sites: impl IntoIterator<Item = SiteGlob>) -> Self {
        self.sites = vec![sites.into_iter().collect()];
        self
    }

    /// Sets the faults that may happen, by their [names](crate::Fault::name). Without this, all
    /// may. Each option of a `one_of` must be among them; `one_of` itself need not be.
    #[must_use]
    pub fn faults<'f>(mut self, faults: impl IntoIterator<Item = &'f str>) -> Self {
        self.faults = Some(faults.into_iter().map(Box::from).collect());
        self
    }

    /// Sets the greatest fraction of calls that one rule may hit.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// Sets the most injections that one rule may have under way at a time. A rule without a
    /// `max_active` of its own gets this one.
    #[must_use]
    pub fn max_active(mut self, injections: NonZeroU32) -> Self {
        self.max_active = Some(injections);
        self
    }

    /// Sets the longest delay of one fault, and of all delays of one call before it is served, whichever
    /// rules they come from: what goes beyond is cut. A latency that is drawn longer is cut to it; a rule
    /// with a longer hang, pause or fixed delay is refused. For a throttle, and for a delay of each
    /// chunk, it bounds each single wait.
    #[must_use]
    pub fn delay(mut self, longest: Duration) -> Self {
        self.delay = Some(longest);
        self
    }

    /// Sets the lifetime of rules that name none. Without this, it is ten minutes. If it is longer than
    /// [`max_ttl`](Self::max_ttl), `max_ttl` applies.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// Sets the longest lifetime of a rule. A rule with the lifetime `"never"` is refused.
    #[must_use]
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.max_ttl = Some(ttl);
        self
    }

    /// Sets whether rules may only match, draw and count, in the mode `shadow`.
    #[must_use]
    pub fn shadow_only(mut self, shadow_only: bool) -> Self {
        self.shadow_only = shadow_only;
        self
    }

    /// Sets the most injections of all rules together, counted from the moment the policy is set. Rules
    /// of tokens may have half of them, rounded up.
    #[must_use]
    pub fn total(mut self, injections: NonZeroU64) -> Self {
        self.total = Some(injections);
        self
    }

    /// Sets the most injections of all rules together that may be under way at a time. Rules of
    /// tokens may have half of them, rounded up, so that requests do not keep the rules of
    /// operators from firing.
    #[must_use]
    pub fn active(mut self, injections: NonZeroU32) -> Self {
        self.active = Some(injections);
        self
    }

    /// Sets the budget of all rules together, counted from the moment the policy is set. Its share
    /// is a share of the calls at sites where a rule is armed; a call that several rules hit counts
    /// once for each against it. Rules of tokens may have half of the share, and half of
    /// the delay.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Adds a guard rail that is active while any rule is armed. If it names no site, it measures
    /// at all sites together. Rules of overlays and
    /// tokens count as armed, too.
    #[must_use]
    pub fn guard(mut self, rail: GuardRail) -> Self {
        self.guards.push(rail);
        self
    }

    /// Sets whether an `abort` may end the process.
    #[must_use]
    pub fn allow_exit(mut self, allowed: bool) -> Self {
        self.exit = allowed;
        self
    }

    /// Sets the greatest fraction of the processors' time that one rule may burn.
    #[must_use]
    pub fn burn_cpu(mut self, share: Rate) -> Self {
        self.burn_cpu = share.get();
        self
    }

    /// Sets the most memory that all rules together may burn at a time, in bytes. A burn that would take
    /// more takes what is left.
    #[must_use]
    pub fn burn_memory(mut self, bytes: u64) -> Self {
        self.burn_memory = bytes;
        self
    }

    /// Sets the longest time of one burn.
    #[must_use]
    pub fn burn_time(mut self, time: Duration) -> Self {
        self.burn_time = time;
        self
    }

    /// Sets whether the rules of a token may have faults that touch more than the request that bears it:
    /// `block` and `burn`, and the aborts `reset`, `goaway` and `exit`. They may not by default.
    #[must_use]
    pub fn allow_process_faults_of_tokens(mut self, allowed: bool) -> Self {
        self.token_process_faults = allowed;
        self
    }

    /// Combines two policies: of each bound, the stricter one applies. A site must be allowed by
    /// both, and so must a fault; guard rails of both are kept.
    ///
    /// `CHAOS_POLICY` is combined with the policy of the code in this way, so it can only narrow it
    /// down.
    ///
    /// ```
    /// use chaos_core::{Policy, Rate};
    ///
    /// let code = Policy::new().rate(Rate::new(0.5)?);
    /// let environment = Policy::new().rate(Rate::new(0.1)?).shadow_only(true);
    /// let both = Policy::new().rate(Rate::new(0.1)?).shadow_only(true);
    /// assert_eq!(code.and(environment), both);
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        fn least<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
            [one, two].into_iter().flatten().min()
        }
        let faults = match (self.faults, other.faults) {
            (Some(one), Some(two)) => {
                Some(one.into_iter().filter(|name| two.contains(name)).collect())
            }
            (one, two) => one.or(two),
        };
        let rate = if other.rate.get() < self.rate.get() {
            other.rate
        } else {
            self.rate
        };
        Self {
            sites: [self.sites, other.sites].concat(),
            faults,
            rate,
            max_active: least(self.max_active, other.max_active),
            delay: least(self.delay, other.delay),
            default_ttl: least(self.default_ttl, other.default_ttl),
            max_ttl: least(self.max_ttl, other.max_ttl),
            shadow_only: self.shadow_only || other.shadow_only,
            total: least(self.total, other.total),
            active: least(self.active, other.active),
            budget: self.budget.and(other.budget),
            guards: [self.guards, other.guards].concat(),
            exit: self.exit && other.exit,
            burn_cpu: self.burn_cpu.min(other.burn_cpu),
            burn_memory: self.burn_memory.min(other.burn_memory),
            burn_time: self.burn_time.min(other.burn_time),
            set: self.set.and(other.set),
            token_process_faults: self.token_process_faults && other.token_process_faults,
        }
    }

    /// Returns whether it bounds what rules with any fault inject, besides [faults that it always
    /// bounds](Fault::is_always_bounded).
    pub(crate) fn bounds_hits(&self) -> bool {
        self.faults.is_some()
            || self.rate != Rate::ALWAYS
            || self.max_active.is_some()
            || self.delay.is_some()
            || self.shadow_only
            || self.total.is_some()
            || self.active.is_some()
            || self.budget != Budget::new()
    }

    /// Returns whether rules may aim at the site named `name`.
    #[must_use]
    pub fn reaches(&self, name: &str) -> bool {
        let has = |sites: &Arc<[SiteGlob]>| sites.iter().any(|site| site.matches(name));
        self.sites.iter().all(has)
    }

    /// Returns the deadline of a rule that is armed at `now`; `None` if it has none.
    pub(crate) fn deadline(&self, lifetime: Lifetime, now: Duration) -> Option<Duration> {
        let ttl = lifetime.ttl_or(self.default_ttl.unwrap_or(Lifetime::DEFAULT));
        let ttl = [ttl, self.max_ttl].into_iter().flatten().min();
        ttl.map(|ttl| now.saturating_add(ttl))
    }

    /// Returns how many injections of a rule may be under way at a time; `None` if it is unbounded.
    pub(crate) fn max_active_of(&self, own: Option<NonZeroU32>) -> Option<u64> {
        let least = [own, self.max_active].into_iter().flatten().min();
        least.map(|max| max.get().into())
    }

    /// Cuts a step down to the bounds, where a draw or a program has taken it beyond them.
    pub(crate) fn bounded(&self, step: Step) -> Step {
        match step {
            Step::Burn(mut burn) => {
                burn.memory = burn.memory.min(self.burn_memory);
                Step::Burn(burn)
            }
            Step::Plan(plan) => Step::Plan(match self.delay {
                Some(longest) => plan.no_longer(longest),
                None => plan,
            }),
            step => step,
        }
    }
}
