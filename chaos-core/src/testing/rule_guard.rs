//! A rule that is gone when its guard is: what a test holds on to.

use crate::{
    armed::status::Counts,
    injector::Injector,
    name::RuleId,
    overlay::Overlay,
    rule::{Rule, rule_set::Change},
};

/// Who holds the rule.
#[derive(Clone, Debug)]
enum Holder {
    Injector(Injector),
    Overlay(Overlay),
}

/// A rule in force until this is dropped; then it is taken out, and the calls it delays are let go.
///
/// If somebody has put another rule in its place meanwhile, or changed what it does, that one stays.
///
/// ```
/// use chaos_core::{Fault, Injector, Rule, inject};
///
/// let injector = Injector::new();
/// let read = || inject!(injector: &injector, "db.read");
/// let lost = injector.arm(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
/// assert!(read().is_err());
/// assert_eq!(lost.injected(), 1);
/// drop(lost);
/// assert!(read().is_ok());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Debug)]
#[must_use = "the rule is taken out when this is dropped"]
pub struct RuleGuard {
    holder: Holder,
    rule: Rule,
}

impl RuleGuard {
    /// The rule's name.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.rule.id
    }

    /// What the rule has counted; `None` if somebody else has taken it out.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        match &self.holder {
            Holder::Injector(injector) => injector.counts(self.rule.id.as_str()),
            Holder::Overlay(overlay) => overlay.counts(self.rule.id.as_str()),
        }
    }

    /// How many calls it has hit.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.counts().map_or(0, |counts| counts.injected)
    }

    /// Lets go the calls that its `pause` holds now.
    pub fn release(&self) {
        match &self.holder {
            Holder::Injector(injector) => injector.release(self.rule.id.as_str()),
            Holder::Overlay(overlay) => overlay.release(self.rule.id.as_str()),
        };
    }

    /// Waits until it has hit so many calls; see [`Injector::wait_for`].
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, injections: u64) -> Option<u64> {
        match &self.holder {
            Holder::Injector(injector) => {
                injector.wait_for(self.rule.id.as_str(), injections).await
            }
            Holder::Overlay(overlay) => overlay.wait_for(self.rule.id.as_str(), injections).await,
        }
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        loop {
            let rules = match &self.holder {
                Holder::Injector(injector) => injector.rules(),
                Holder::Overlay(overlay) => overlay.rules(),
            };
            // Another rule may have come in its place, which is not this one's to remove.
            let id = self.rule.id.as_str();
            if !rules
                .find(id)
                .is_some_and(|rule| rule.continues(&self.rule))
            {
                return;
            }
            let remove = Change::Remove(self.rule.id.clone());
            let expected = Some(rules.generation());
            let removed = match &self.holder {
                Holder::Injector(injector) => injector.apply(remove, expected),
                Holder::Overlay(overlay) => overlay.apply(remove, expected),
            };
            if removed.is_ok() {
                return;
            }
        }
    }
}

impl Injector {
    /// Puts a rule in force for as long as the guard lives.
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        self.put(rule.clone());
        let holder = Holder::Injector(self.clone());
        RuleGuard { holder, rule }
    }

    /// Waits until a rule has hit so many calls since it was put in force, and says how many it has hit
    /// then; `None` once there is no such rule, or it has expired. Injections count from the moment they begin: of a
    /// `pause`, when the call is held.
    ///
    /// Put a `tokio::time::timeout` around it if they may not come. Cancel-safe.
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, id: &str, injections: u64) -> Option<u64> {
        self.when(|| self.counts(id), injections).await
    }

    /// The same, holding the thread, for so long at most: then it says how many there were.
    pub fn wait_for_blocking(
        &self,
        id: &str,
        injections: u64,
        at_most: std::time::Duration,
    ) -> Option<u64> {
        self.when_blocking(|| self.counts(id), injections, at_most)
    }
}

impl Overlay {
    /// Puts a rule in force in it for as long as the guard lives, which keeps the overlay.
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        self.put(rule.clone());
        let holder = Holder::Overlay(self.clone());
        RuleGuard { holder, rule }
    }

    /// Waits until one of its rules has hit so many calls; see [`Injector::wait_for`].
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, id: &str, injections: u64) -> Option<u64> {
        self.injector().when(|| self.counts(id), injections).await
    }

    /// The same, holding the thread, for so long at most: then it says how many there were.
    pub fn wait_for_blocking(
        &self,
        id: &str,
        injections: u64,
        at_most: std::time::Duration,
    ) -> Option<u64> {
        self.injector()
            .when_blocking(|| self.counts(id), injections, at_most)
    }
}
