//! What rules may do at all, whoever wrote them: bounds that no way in can pass.

pub(crate) mod bounds;
pub(crate) mod limit;
pub(crate) mod spending;

mod permits;

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    time::Duration,
};

use crate::{
    fault::{burn::Burn, step::Step},
    guard_rail::GuardRail,
    matcher::glob::SiteGlob,
    rule::lifetime::Lifetime,
    trigger::{budget::Budget, rate::Rate},
};

/// Bounds, set in code or by the environment, on what rules may do: those from the port, from a file,
/// from the environment, from a token, of an overlay and of the program itself.
///
/// [`Injector::check`](crate::Injector::check) says of rules beforehand whether they keep within them,
/// which is what every way in from outside asks; what gets in otherwise is held to them where it would
/// happen.
///
/// Without one of its own, an injector never ends the process, and burns at most a quarter of a
/// gibibyte for at most a minute at a time; all else is allowed.
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
    /// Each list must have a glob for a site: there is one for each policy that this is made of.
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
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exit: false,
            burn_cpu: 1.0,
            burn_memory: 256 << 20,
            burn_time: Duration::from_secs(60),
            ..Self::allowing_all()
        }
    }
}

impl Policy {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Without any bound: what bounds are added to.
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
        }
    }

    /// The sites that rules may aim at, by name or pattern; no others. Without this, all.
    #[must_use]
    pub fn sites(mut self, sites: impl IntoIterator<Item = SiteGlob>) -> Self {
        self.sites = vec![sites.into_iter().collect()];
        self
    }

    /// The faults that may happen, by their [names](crate::Fault::name); no others. Without this, all. Of
    /// a `one_of`, each option must be among them; `one_of` itself need not be.
    #[must_use]
    pub fn faults<'f>(mut self, faults: impl IntoIterator<Item = &'f str>) -> Self {
        self.faults = Some(faults.into_iter().map(Box::from).collect());
        self
    }

    /// The greatest share of calls that one rule may hit.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// The most injections of one rule at the same time. A rule that says nothing of it keeps to this.
    #[must_use]
    pub fn max_active(mut self, injections: NonZeroU32) -> Self {
        self.max_active = Some(injections);
        self
    }

    /// The longest that one fault may delay a call: a latency that is drawn longer is cut, a hang or a
    /// pause must not say more. A throttle, and a wait for each chunk, is bounded in each step only.
    #[must_use]
    pub fn delay(mut self, longest: Duration) -> Self {
        self.delay = Some(longest);
        self
    }

    /// How long a rule lives that does not say: ten minutes, without this.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// The longest that a rule may live. `"never"` is longer.
    #[must_use]
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.max_ttl = Some(ttl);
        self
    }

    /// Whether rules may only match, draw and count (mode `shadow`).
    #[must_use]
    pub fn shadow_only(mut self, shadow_only: bool) -> Self {
        self.shadow_only = shadow_only;
        self
    }

    /// The most injections of all rules together, from the moment the policy is set.
    #[must_use]
    pub fn total(mut self, injections: NonZeroU64) -> Self {
        self.total = Some(injections);
        self
    }

    /// The most injections of all rules together at the same time.
    #[must_use]
    pub fn active(mut self, injections: NonZeroU32) -> Self {
        self.active = Some(injections);
        self
    }

    /// What all rules may spend together. The share is of the calls that come to sites where a rule is
    /// armed, of which each rule that hits one is one more; it is counted from the moment the policy is
    /// set.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// What the service must not show while any rule is armed. Where the guard rail names no site, all
    /// sites together; what overlays alone inject, it does not watch.
    #[must_use]
    pub fn guard(mut self, rail: GuardRail) -> Self {
        self.guards.push(rail);
        self
    }

    /// Whether an `abort` may end the process.
    #[must_use]
    pub fn allow_exit(mut self, allowed: bool) -> Self {
        self.exit = allowed;
        self
    }

    /// The most of the machine's processors that one rule may burn, from 0 to 1.
    #[must_use]
    pub fn burn_cpu(mut self, share: f64) -> Self {
        self.burn_cpu = share;
        self
    }

    /// The most memory that one rule may burn, in bytes.
    #[must_use]
    pub fn burn_memory(mut self, bytes: u64) -> Self {
        self.burn_memory = bytes;
        self
    }

    /// For how long one burn may last.
    #[must_use]
    pub fn burn_time(mut self, time: Duration) -> Self {
        self.burn_time = time;
        self
    }

    /// The stricter of both, in each respect.
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
        }
    }

    /// Whether rules may reach the site called `name`.
    #[must_use]
    pub fn reaches(&self, name: &str) -> bool {
        let has = |sites: &Arc<[SiteGlob]>| sites.iter().any(|site| site.matches(name));
        self.sites.iter().all(has)
    }

    /// The deadline of a rule armed at `now`.
    pub(crate) fn deadline(&self, lifetime: Lifetime, now: Duration) -> Option<Duration> {
        let ttl = lifetime.ttl_or(self.default_ttl.unwrap_or(Lifetime::DEFAULT));
        let ttl = [ttl, self.max_ttl].into_iter().flatten().min();
        ttl.map(|ttl| now.saturating_add(ttl))
    }

    /// How many injections of a rule there may be at the same time.
    pub(crate) fn max_active_of(&self, own: Option<NonZeroU32>) -> Option<u64> {
        let least = [own, self.max_active].into_iter().flatten().min();
        least.map(|max| max.get().into())
    }

    /// A step within the bounds, where chance or a program has brought it beyond them.
    pub(crate) fn bounded(&self, step: Step) -> Step {
        match step {
            Step::Burn(burn) => Step::Burn(Burn {
                memory: burn.memory.min(self.burn_memory),
                ..burn
            }),
            Step::Plan(plan) => Step::Plan(match self.delay {
                Some(longest) => plan.no_longer(longest),
                None => plan,
            }),
            step => step,
        }
    }
}
