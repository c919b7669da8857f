//! Extensions: the deadline of a rule moves, and nothing else of it changes.

use std::time::Duration;

use crate::{
    audit::{EntryDraft, action::Action, actor::Actor},
    injector::Injector,
    rule::{extend_error::ExtendError, lifetime::Lifetime},
};

impl Injector {
    /// Moves the deadline of a rule by `by`, and returns the time until the new one. The rule goes on: its counts, its
    /// limits, its draws and its guard rails stay, and so does the generation, because nothing that is written in the
    /// rule changes.
    ///
    /// A delay that has begun keeps the deadline that it began with. What else the rule does to the call is done if the
    /// new deadline has not passed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chaos_core::{Fault, Injector, Rule, inject};
    ///
    /// let injector = Injector::new();
    /// injector.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
    /// assert!(inject!(injector: &injector, "db.read").is_err());
    ///
    /// injector.extend("lost", Duration::from_secs(300))?;
    /// let counts = injector.counts("lost").unwrap();
    /// assert_eq!(counts.injected, 1);
    /// assert!(counts.expires_in > Some(Duration::from_secs(890)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if there is no such rule, it is disabled, it never ends or has ended, `by` is zero, or the rule
    /// would live longer than the [policy](crate::Policy::max_ttl) allows, or longer than 365 days.
    pub fn extend(&self, id: &str, by: Duration) -> Result<Duration, ExtendError> {
        self.extend_by(&Actor::code(), id, by, None)
    }

    /// Moves the deadline of a rule in the name of `actor`. If `expected` is given, only if that is the generation in
    /// force.
    pub(crate) fn extend_by(
        &self,
        actor: &Actor,
        id: &str,
        by: Duration,
        expected: Option<u64>,
    ) -> Result<Duration, ExtendError> {
        if by.is_zero() {
            return Err(ExtendError::NoTime);
        }
        // Sweeping first puts the expiry of a rule that has ended into the audit.
        let mut book = self.swept_book();
        let (now, current) = (self.now(), book.rules.set.generation);
        if expected.is_some_and(|expected| expected != current) {
            return Err(ExtendError::Stale { current });
        }
        let max_ttl = self.0.hub.bounds.load().policy.max_ttl;
        let max_ttl = max_ttl.map_or(Lifetime::LONGEST, |most| most.min(Lifetime::LONGEST));
        let extended = book.rules.extend(id, by, max_ttl, now)?;
        self.0.install_one(&mut book, &extended, now);
        let deadline = extended.1.and_then(|rule| rule.arming.deadline());
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(now));
        let draft = EntryDraft::of(Action::Extend);
        self.note(&book, actor, draft.what(said(id, by, left)));
        drop(book);
        self.notify();
        Ok(left)
    }
}

/// Returns the details of the audit's entry.
fn said(id: &str, by: Duration, left: Duration) -> String {
    // A finer value is outdated by the time it is read.
    let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    format!("{id} by {by:?}, and so it ends in {left:?}")
}
