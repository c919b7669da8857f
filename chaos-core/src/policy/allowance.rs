//! `Allowance`: permits to inject, which are added while rules are armed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Permits to inject, of which rules take one for each injection, and which someone adds to while the rules are armed: a
/// limit that is fed. Clones are handles to one allowance.
///
/// Rules are fed by it that are put through [`AttributedInjector::fed_by`](crate::AttributedInjector::fed_by); all of them
/// together inject no more than was added. While it is dry, their calls are spared, and counted under
/// [`Limit::Allowance`](crate::policy::Limit::Allowance). A `limit` of a rule holds besides.
///
/// It is for a limit that many processes keep together: each takes some permits ahead from a counter that they share, and
/// adds them here, so that no call waits for the counter, and the limit holds whoever dies. What a process had not used
/// then is lost.
///
/// ```
/// use chaos_core::{Allowance, Fault, Injector, Rule, audit::Actor, inject, rule::Change};
///
/// let (injector, allowance) = (Injector::new(), Allowance::new());
/// let rule = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
/// let controller = injector.as_actor(Actor::new("controller")).fed_by(&allowance);
/// controller.apply(Change::Put(rule), None)?;
/// assert!(inject!(injector: &injector, "db.read").is_ok(), "it is dry");
/// allowance.add(2);
/// assert!(inject!(injector: &injector, "db.read").is_err());
/// assert_eq!((allowance.used(), allowance.take_back()), (1, 1));
/// assert!(inject!(injector: &injector, "db.read").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Allowance(Arc<Purse>);

/// Both are numbers that are only added to and taken from, one at a time: relaxed.
#[derive(Debug, Default)]
struct Purse {
    left: AtomicU64,
    used: AtomicU64,
}

impl Allowance {
    /// Makes an allowance without permits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds permits. There are never more than `u64::MAX`.
    pub fn add(&self, permits: u64) {
        let more = |left: u64| Some(left.saturating_add(permits));
        let _ = self.0.left.fetch_update(Relaxed, Relaxed, more);
    }

    /// Returns how many permits are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.0.left.load(Relaxed)
    }

    /// Returns how many permits were used: by injections, those of rules in shadow mode included, which only count. A call
    /// takes its permit when a rule decides to hit it, and gives it back if nothing is injected.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }

    /// Takes all permits that are left, and returns how many there were: for whoever gave them, when they are not needed any
    /// more. A call that has a permit and injects nothing may still give it back afterwards.
    #[must_use = "the permits are lost otherwise"]
    pub fn take_back(&self) -> u64 {
        self.0.left.swap(0, Relaxed)
    }

    /// Takes one permit. Returns `false` if there is none.
    pub(crate) fn take(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        let is_taken = (self.0.left.fetch_update(Relaxed, Relaxed, one_less)).is_ok();
        if is_taken {
            self.0.used.fetch_add(1, Relaxed);
        }
        is_taken
    }

    /// Gives back a permit of an injection that did not happen.
    pub(crate) fn refund(&self) {
        self.0.used.fetch_sub(1, Relaxed);
        self.add(1);
    }
}

/// Allowances are equal if they are one.
impl PartialEq for Allowance {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Allowance {}
