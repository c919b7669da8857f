//! A rule that is removed when its guard is dropped.

use std::{iter, sync::Arc, time::Duration};

use crate::{
    armed::{Armed, status::Counts},
    injector::Injector,
    matcher::glob::SiteGlob,
    name::RuleId,
    overlay::Overlay,
    rule::{
        Rule,
        lifetime::Lifetime,
        rule_set::{Change, ChangeError, RuleSet},
    },
    site::Site,
    testing::{
        halt_since::halt_since,
        not_injected::{Aim, Gone, NotInjected},
    },
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
/// A rule that does not set its lifetime has no other end: the default of ten minutes, which would
/// pass at once where a test pauses or advances the clock, does not apply.
///
/// The guard is of its own rule alone: once another rule has taken its id, or what it does was changed, it
/// counts nothing, asserts nothing, and removes nothing when it is dropped. Two calls of one function whose
/// [`rule!`](https://docs.rs/chaos-rule) has no `id` are two rules, because `arm` numbers the second.
///
/// If a panic drops the guard and the rule has hit no call, the standard error says why: a test whose
/// assertion fails because of a slip in the name of a site says so, whichever assertion it is.
///
/// ```
/// use chaos_core::{Fault, Injector, Rule, inject};
///
/// let injector = Injector::new();
/// let read = || inject!(injector: &injector, "db.read");
/// let lost = injector.arm(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
/// assert!(read().is_err());
/// lost.assert_injected(1);
/// drop(lost);
/// assert!(read().is_ok());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Debug)]
#[must_use = "the rule is removed when the guard is dropped, which `let _ = …` does at once"]
pub struct RuleGuard {
    holder: Holder,
    rule: Rule,
    /// The id of the audit's newest entry before the rule was armed.
    audited: u64,
}

impl RuleGuard {
    /// Returns the rule's id.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.rule.id
    }

    /// Returns the sites that the rule aims at.
    #[must_use]
    pub fn site(&self) -> &SiteGlob {
        &self.rule.site
    }

    /// Returns what the rule has counted; `None` if the rule has been removed or replaced.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        let armed = self.armed().ok()?;
        Some(Counts::of(&armed, self.injector().now()))
    }

    /// Returns how many calls the rule has hit; 0 if it has been removed or replaced.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.counts().map_or(0, |counts| counts.injected)
    }

    /// Releases the calls that a `pause` of the rule holds now.
    pub fn release(&self) {
        if self.armed().is_err() {
            return;
        }
        match &self.holder {
            Holder::Injector(injector) => injector.release(self.rule.id.as_str()),
            Holder::Overlay(overlay) => overlay.release(self.rule.id.as_str()),
        };
    }

    /// Waits until the rule has hit `injections` calls, for at most `at_most`, and returns how many
    /// it has hit then.
    ///
    /// Injections count from the moment they begin; a `pause` counts when it holds the call. The time
    /// is tokio's: with a paused clock, the wait ends once nothing else can run.
    ///
    /// # Errors
    /// Returns an error that says why, once the time is over or the rule is gone.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    #[cfg(feature = "tokio")]
    pub async fn wait_for(&self, injections: u64, at_most: Duration) -> Result<u64, NotInjected> {
        let injector = self.injector();
        let waited = injector.when(|| self.counts(), injections);
        match tokio::time::timeout(at_most, waited).await {
            Ok(Some(injected)) => Ok(injected),
            Ok(None) | Err(_) => Err(self.not_injected(Some(injections))),
        }
    }

    /// Blocks the thread until the rule has hit `injections` calls, for at most `at_most`, and
    /// returns how many it has hit then.
    ///
    /// # Errors
    /// Returns an error that says why, once the time is over or the rule is gone.
    pub fn wait_for_blocking(
        &self,
        injections: u64,
        at_most: Duration,
    ) -> Result<u64, NotInjected> {
        let injector = self.injector();
        match injector.when_blocking(|| self.counts(), injections, at_most) {
            Some(injected) if injected >= injections => Ok(injected),
            _ => Err(self.not_injected(Some(injections))),
        }
    }

    /// Asserts that the rule has hit exactly `injections` calls.
    ///
    /// # Panics
    /// Panics if it has hit fewer or more, or has been removed or replaced, and says why as far as the counts
    /// show.
    #[track_caller]
    pub fn assert_injected(&self, injections: u64) {
        let counts = self.counts();
        if counts.is_none_or(|counts| counts.injected != injections) {
            panic!("{}", self.not_injected(Some(injections)));
        }
    }

    fn not_injected(&self, expected: Option<u64>) -> NotInjected {
        let overlay = match &self.holder {
            Holder::Overlay(overlay) => Some(overlay),
            Holder::Injector(_) => None,
        };
        let injector = self.injector();
        NotInjected::new(
            &Aim {
                rule: &self.rule,
                injector,
                overlay,
                halt: halt_since(injector, self.audited),
            },
            self.armed(),
            expected,
        )
    }

    /// Says why no call was hit, if that may be why a test fails.
    #[expect(clippy::print_stderr, reason = "the output of a test that fails")]
    fn explain_panic(&self) {
        if std::thread::panicking() && self.injected() == 0 {
            eprintln!("{}", self.not_injected(None));
        }
    }

    /// Returns the rule in force, unless another one has its id.
    fn armed(&self) -> Result<Arc<Armed>, Gone> {
        let id = self.rule.id.as_str();
        let armed = match &self.holder {
            Holder::Injector(injector) => injector.armed(id),
            Holder::Overlay(overlay) => overlay.armed(id),
        };
        match armed.ok_or(Gone::Removed)? {
            armed if armed.rule.continues(&self.rule) => Ok(armed),
            _ => Err(Gone::Replaced),
        }
    }

    fn injector(&self) -> &Injector {
        self.holder.injector()
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        self.explain_panic();
        loop {
            let rules = self.holder.rules();
            // Another rule may have taken its place, which is not this guard's to remove.
            let id = self.rule.id.as_str();
            if !rules
                .find(id)
                .is_some_and(|rule| rule.continues(&self.rule))
            {
                return;
            }
            let remove = Change::Remove(self.rule.id.clone());
            let removed = self.holder.apply(remove, Some(rules.generation()));
            if removed.is_ok() {
                return;
            }
        }
    }
}

impl Holder {
    /// Arms a rule, which lives as long as its guard unless it sets its lifetime.
    #[track_caller]
    fn arm(self, mut rule: Rule) -> RuleGuard {
        if !rule.lifetime.is_said() {
            rule = rule.lifetime(Lifetime::NEVER_ENDS);
        }
        let audited = self.injector().audit().last();
        if let Self::Overlay(overlay) = &self {
            let sites = overlay.injector().sites().into_iter();
            let aimed_at = sites.filter(|site| rule.site.matches(site.name()));
            aimed_at.for_each(Site::forget_outside);
        }
        let default_id = rule.has_default_id.then(|| rule.id.clone());
        loop {
            let rules = self.rules();
            if let Some(default_id) = &default_id {
                rule.id = free_id(default_id, &rules);
            }
            // The id is free only as long as nothing else is armed.
            let expected = default_id.as_ref().map(|_| rules.generation());
            match self.apply(Change::Put(rule.clone()), expected) {
                Err(ChangeError::Stale { .. }) => {}
                Err(error) => panic!("the rule {} cannot be armed: {error:?}", rule.id),
                Ok(_) => {
                    return RuleGuard {
                        holder: self,
                        rule,
                        audited,
                    };
                }
            }
        }
    }

    fn injector(&self) -> &Injector {
        match self {
            Self::Injector(injector) => injector,
            Self::Overlay(overlay) => overlay.injector(),
        }
    }

    fn rules(&self) -> Arc<RuleSet> {
        match self {
            Self::Injector(injector) => injector.rules(),
            Self::Overlay(overlay) => overlay.rules(),
        }
    }

    fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        match self {
            Self::Injector(injector) => injector.apply(change, expected),
            Self::Overlay(overlay) => overlay.apply(change, expected),
        }
    }
}

/// Returns `id`, or `id` with the first number from 2 that none of the rules has.
fn free_id(id: &RuleId, rules: &RuleSet) -> RuleId {
    let numbered = (2_u64..).map(|number| format!("{id}:{number}"));
    let ids = iter::once(id.to_string()).chain(numbered);
    let mut free = ids.filter(|id| rules.find(id).is_none());
    let free = free.next().and_then(|id| id.parse().ok());
    free.expect("the place of a macro leaves room for a number")
}

impl Injector {
    /// Arms a rule until the returned guard is dropped.
    ///
    /// A rule that has the id of another replaces it, unless the id is the default of
    /// [`rule!`](https://docs.rs/chaos-rule): then it is numbered, `checkout.rs:12:9:2` for example.
    ///
    /// # Panics
    /// Panics if a guard rail has stopped a rule with this id and nobody has
    /// [acknowledged](Self::acknowledge) it, or the [policy](Self::set_policy) allows no more rules.
    #[track_caller]
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        Holder::Injector(self.clone()).arm(rule)
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
    pub fn wait_for_blocking(&self, id: &str, injections: u64, at_most: Duration) -> Option<u64> {
        self.when_blocking(|| self.counts(id), injections, at_most)
    }
}

impl Overlay {
    /// Arms a rule in this overlay until the returned guard is dropped. The guard keeps the overlay
    /// alive.
    ///
    /// A rule that has the id of another replaces it, unless the id is the default of
    /// [`rule!`](https://docs.rs/chaos-rule): then it is numbered, `checkout.rs:12:9:2` for example.
    ///
    /// # Panics
    /// Panics if the rule has a guard rail, which rules of overlays cannot have, or the
    /// [policy](Injector::set_policy) allows no more rules.
    #[track_caller]
    pub fn arm(&self, rule: Rule) -> RuleGuard {
        Holder::Overlay(self.clone()).arm(rule)
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
    pub fn wait_for_blocking(&self, id: &str, injections: u64, at_most: Duration) -> Option<u64> {
        self.injector()
            .when_blocking(|| self.counts(id), injections, at_most)
    }
}
