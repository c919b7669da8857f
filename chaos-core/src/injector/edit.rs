//! Edits: one rule or all, all or nothing, under one lock, each with an entry in the audit.

mod extend;
mod undo;

use std::{sync::Arc, time::Duration};

use crate::{
    armed::{arming::ArmedBy, ties::Ties},
    audit::{Entry, EntryDraft, action::Action, actor::Actor},
    hub::Hub,
    injector::{Book, Injector},
    name::RuleId,
    rule::{
        Rule,
        rule_set::{Change, ChangeError},
    },
};

impl Injector {
    /// Adds a rule, or replaces the one with its id in place. Returns the new generation.
    ///
    /// # Panics
    /// Panics if a guard rail has stopped a rule with this id and nobody has
    /// [acknowledged](Self::acknowledge) it, or the [policy](Self::set_policy) allows no more rules, guard
    /// rails or regular expressions. [`apply`](Self::apply) returns an error instead.
    pub fn put(&self, rule: Rule) -> u64 {
        let put = self.apply(Change::Put(rule), None);
        put.expect("no guard rail has locked the rule, and the policy has room for it")
    }

    /// Deletes a rule, and releases the calls that it delays. Returns `false` if there was none.
    pub fn remove(&self, id: &RuleId) -> bool {
        self.apply(Change::Remove(id.clone()), None).is_ok()
    }

    /// Replaces all rules at once. Returns the new generation.
    ///
    /// # Errors
    /// Returns an error if two of them have the same id, a breach locks one of them, or the policy does not allow so
    /// many.
    pub fn replace(&self, rules: Vec<Rule>) -> Result<u64, ChangeError> {
        self.apply(Change::Replace(rules), None)
    }

    /// Deletes all rules, and releases the calls that they delay. Returns the new generation.
    #[expect(
        clippy::missing_panics_doc,
        reason = "an empty list is always accepted"
    )]
    pub fn clear(&self) -> u64 {
        let cleared = self.apply(Change::Replace(Vec::new()), None);
        cleared.expect("an empty list is always accepted")
    }

    /// Applies one edit, all or nothing, and returns the new generation. If `expected` is given, the
    /// edit is applied only if that is the generation in force.
    ///
    /// When it returns, new calls see the new rules, and calls that were delayed by a rule that was
    /// changed, disabled or removed have been released.
    ///
    /// # Errors
    /// Returns an error if the edit is refused: the rules in force stay as they are, and the error says why.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        self.apply_by(&Actor::code(), None, change, expected)
    }

    /// Checks whether [`apply`](Self::apply) would accept an edit, and changes nothing. Returns the current generation.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule, rule::Change};
    ///
    /// let injector = Injector::new();
    /// let rule = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
    /// assert_eq!(injector.would_apply(Change::Put(rule), None)?, 0);
    /// assert!(injector.would_apply(Change::Remove("lost".parse()?), None).is_err());
    /// assert_eq!(injector.rules().rules().len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the error that `apply` would return.
    pub fn would_apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        let book = self.swept_book();
        book.admits(&change)?;
        let bounds = self.0.hub.bounds.load();
        book.rules.next(change, expected, &bounds.policy)?;
        Ok(book.rules.set.generation)
    }

    /// Applies one edit in the name of `actor`, whose rules hang on `ties`.
    pub(crate) fn apply_by(
        &self,
        actor: &Actor,
        ties: Option<&Arc<Ties>>,
        change: Change,
        expected: Option<u64>,
    ) -> Result<u64, ChangeError> {
        // Sweeping first puts earlier expiries into the audit before this edit.
        let mut book = self.swept_book();
        let by = self.armed_by(actor, ties, false);
        let action = Action::from(&change);
        book.admits(&change)?;
        let bounds = self.0.hub.bounds.load();
        let edited = book.rules.apply(change, expected, &bounds.policy, &by)?;
        if let Some(leash) = ties.and_then(|ties| ties.leash.as_ref()) {
            book.add_leash(leash);
        }
        self.0.publish(&book);
        match &edited.one {
            Some(one) => self.0.install_one(&mut book, one, by.since),
            None => self.0.install_own(&mut book, by.since),
        }
        let draft = EntryDraft::of(action).changed(edited.changed);
        self.note(&book, actor, draft);
        drop(book);
        edited.retired.open();
        self.notify();
        Ok(edited.generation)
    }

    /// Returns what is noted of the rules that `actor` arms now, in an overlay or not, and that hang on `ties`.
    pub(super) fn armed_by(
        &self,
        actor: &Actor,
        ties: Option<&Arc<Ties>>,
        of_overlay: bool,
    ) -> Arc<ArmedBy> {
        Arc::new(ArmedBy {
            actor: actor.clone(),
            at: self.wall(),
            since: self.now(),
            ties: ties.cloned(),
            of_overlay,
        })
    }

    /// Writes an entry into the audit. The lock is held, so that entries stand in the order in which
    /// things happen.
    pub(super) fn note(&self, book: &Book, actor: &Actor, draft: EntryDraft) -> Arc<Entry> {
        self.note_at(book.rules.set.generation, actor, draft)
    }

    /// Writes an entry into the audit without the lock: for what must not wait for it.
    pub(super) fn note_at(&self, generation: u64, actor: &Actor, draft: EntryDraft) -> Arc<Entry> {
        let Hub { audit, clock, .. } = &*self.0.hub;
        audit.add(clock.wall(), generation, actor.clone(), draft)
    }

    /// Writes down what has changed no rule. `what` may come from outside, so it is cut to a bounded
    /// length.
    pub(crate) fn note_by(&self, actor: &Actor, action: Action, what: &str) {
        let what = match what.char_indices().nth(Entry::LONGEST) {
            Some((end, _)) => &format!("{}…", &what[..end]),
            None => what,
        };
        let book = self.swept_book();
        self.note(&book, actor, EntryDraft::of(action).what(what));
        drop(book);
        self.notify();
    }

    /// Wakes the waiters for changes. The lock must be free, because a task that is woken may take it.
    pub(super) fn notify(&self) {
        self.0.hub.changed.notify();
        self.0.hub.audit.tell();
    }

    /// Writes into the audit which rules have expired or reached the end of their leash, and returns the time until the next
    /// rule does, unless its leash is extended.
    ///
    /// Rules expire without it. It is for those who want to be notified of it on time.
    pub fn sweep(&self) -> Option<Duration> {
        let book = self.swept_book();
        let now = self.now();
        let next = book
            .first_deadline
            .map(|deadline| deadline.saturating_sub(now));
        let lapse = book.soonest_lapse();
        drop(book);
        self.notify();
        [next, lapse].into_iter().flatten().min()
    }
}
