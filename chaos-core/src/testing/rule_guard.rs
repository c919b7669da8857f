//! A rule that is removed when its guard is dropped.

use crate::{
    armed::status::Counts,
    injector::Injector,
    name::RuleId,
    overlay::Overlay,
    rule::{Rule, rule_set::Change},
};

/// Where the rule is armed.
#[derive(Clone, Debug)]
enum Holder {
    Injector(Injector),
    Overlay(Overlay),
}

/// A rule that is armed until this guard is dropped. Dropping it removes the rule and releases the
/// calls that it delays.
///
/// If the rule has been replaced meanwhile, or what it does was changed, dropping the guard removes
/// nothing.
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
    /// Returns the rule's id.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.rule.id
    }

    /// Returns what the rule has counted; `None` if the rule has been removed.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        match &self.holder {
            Holder::Injector(injector) => injector.counts(self.rule.id.as_str()),
            Holder::Overlay(overlay) => overlay.counts(self.rule.id.as_str()),
        }
    }

    /// Returns how many calls the rule has hit; 0 if it has been removed.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.counts().map_or(0, |counts| counts.injected)
    }

    /// Releases the calls that a `pause` of the rule holds now.
    pub fn release(&self) {
        match &self.holder {
            Holder::Injector(injector) => injector.release(self.rule.id.as_str()),
            Holder::Overlay(overlay) => overlay.release(self.rule.id.as_str()),
        };
    }

    /// Waits until the rule has hit `injections` calls, and returns how many it has hit then;
    /// `None` once the rule has been removed or has expired.
    ///
    /// It waits without a bound: put a `tokio::time::timeout` around it if the calls may not come.
    /// Injections count from the moment they begin; a `pause` counts when it holds the call.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
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
            // Another rule may have taken its place, which is not this guard's to remove.
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
    /// Arms a rule until the returned guard is dropped.
    ///
    /// # Panics
    /// If a guard rail has stopped a rule with this id and nobody has
    /// [acknowledged](Self::acknowledge) it.
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        self.put(rule.clone());
        let holder = Holder::Injector(self.clone());
        RuleGuard { holder, rule }
    }

    /// Waits until the rule `id` has hit `injections` calls since it was armed, and returns how
    /// many it has hit then; `None` once there is no such rule or it has expired.
    ///
    /// It waits without a bound: put a `tokio::time::timeout` around it if the calls may not come.
    /// Injections count from the moment they begin; a `pause` counts when it holds the call.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, id: &str, injections: u64) -> Option<u64> {
        self.when(|| self.counts(id), injections).await
    }

    /// Blocks the thread until the rule `id` has hit `injections` calls since it was armed, or until
    /// `at_most` has passed, and returns how many it has hit then; `None` once there is no such
    /// rule or it has expired.
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
    /// Arms a rule in this overlay until the returned guard is dropped. The guard keeps the overlay
    /// alive.
    ///
    /// # Panics
    /// If the rule has a guard rail, which rules of overlays cannot have.
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        self.put(rule.clone());
        let holder = Holder::Overlay(self.clone());
        RuleGuard { holder, rule }
    }

    /// Waits until the overlay's rule `id` has hit `injections` calls since it was armed, and
    /// returns how many it has hit then; `None` once there is no such rule or it has expired.
    ///
    /// It waits without a bound: put a `tokio::time::timeout` around it if the calls may not come.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, id: &str, injections: u64) -> Option<u64> {
        self.injector().when(|| self.counts(id), injections).await
    }

    /// Blocks the thread until the overlay's rule `id` has hit `injections` calls since it was
    /// armed, or until `at_most` has passed, and returns how many it has hit then; `None` once
    /// there is no such rule or it has expired.
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
