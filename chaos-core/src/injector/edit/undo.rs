//! Undoing an entry of the audit: each of its rules gets the form that it had before.

use std::sync::Arc;

use crate::{
    audit::{
        BeforeAndAfter, Changed, Entry, EntryDraft, action::Action, actor::Actor, undo::NotAsLeft,
        undo_error::UndoError,
    },
    injector::Injector,
    rule::{
        Rule,
        rule_set::{ChangeError, RuleSet},
    },
};

impl Injector {
    /// Undoes the changes of an entry of the [audit](Self::audit), all or nothing: a rule that it removed comes back to
    /// its place in the order, one that it changed gets its earlier form, and one that it added goes. Returns the entry
    /// that records this, which can be undone in turn.
    ///
    /// A rule that comes back is armed anew, with a new deadline and counts from 0. Rules that the entry has
    /// moved go back as well, unless someone has moved them since.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule};
    ///
    /// let injector = Injector::new();
    /// for id in ["a", "b"] {
    ///     injector.put(Rule::new(id.parse()?, "db.read".parse()?, Fault::error("lost")));
    /// }
    /// injector.remove(&"a".parse()?);
    /// let removal = injector.audit().last();
    /// injector.undo(removal)?;
    /// let rules = injector.rules();
    /// let ids: Vec<_> = rules.rules().iter().map(|rule| rule.id().as_str()).collect();
    /// assert_eq!(ids, ["a", "b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if there is no such entry or it is no longer kept, if it is none of an edit of rules, if one of
    /// its rules was changed since, if it has changed nothing that is written, or if a rule that would come back is refused.
    pub fn undo(&self, entry: u64) -> Result<Arc<Entry>, UndoError> {
        self.undo_by(&Actor::code(), entry, None)
    }

    /// Undoes the changes of an entry in the name of `actor`. If `expected` is given, only if that is the generation in
    /// force.
    pub(crate) fn undo_by(
        &self,
        actor: &Actor,
        entry: u64,
        expected: Option<u64>,
    ) -> Result<Arc<Entry>, UndoError> {
        let entry = self.entry(entry)?;
        if !entry.can_be_undone() {
            let action = entry.action;
            return Err(UndoError::NotAnEdit { action });
        }
        let changes = entry.changes();
        let is_same = |(before, after): &BeforeAndAfter| before == after;
        if !changes.is_empty() && changes.iter().all(is_same) {
            return Err(UndoError::NothingWritten);
        }
        let returning = || changes.iter().filter_map(|(before, _)| before.as_deref());
        // Before the lock, which this may take.
        self.check(returning()).map_err(ChangeError::Rule)?;
        let mut book = self.swept_book();
        let by = self.armed_by(actor, None, false);
        book.rules.check_generation(expected)?;
        let rules = match entry.undone(&changes, &book.rules.set) {
            Ok(rules) => rules,
            Err(other) => {
                drop(book);
                return Err(self.edited_since(&entry, other));
            }
        };
        book.admits_rules(returning())?;
        let bounds = self.0.hub.bounds.load();
        let before = Arc::clone(&book.rules.set);
        let edited = book.rules.restore(rules, &bounds.policy, &by)?;
        self.0.publish(&book);
        self.0.install_own(&mut book, by.since);
        let what = format!(
            "entry {}: {} by {}",
            entry.id,
            entry.action.as_str(),
            entry.actor
        );
        let changed = match &changes[..] {
            [change] if entry.is_of_one_rule() => narrowed(change, &before, edited.changed),
            _ => edited.changed,
        };
        let draft = EntryDraft::of(Action::Undo).what(what).changed(changed);
        let undo = self.note(&book, actor, draft);
        drop(book);
        edited.retired.open();
        self.notify();
        Ok(undo)
    }

    fn entry(&self, id: u64) -> Result<Arc<Entry>, UndoError> {
        // Read first, because entries are dropped meanwhile.
        let last = self.audit().last();
        match self.audit().find(id) {
            Some(entry) => Ok(entry),
            None if (1..=last).contains(&id) => Err(UndoError::Dropped),
            None => Err(UndoError::Unknown { last }),
        }
    }

    /// Returns the error for a rule that is not as the entry has left it, with the last entry that has changed it.
    fn edited_since(&self, entry: &Entry, other: NotAsLeft) -> UndoError {
        let NotAsLeft {
            rule,
            left,
            current,
        } = other;
        let is_it = |it: &Option<Arc<Rule>>| it.as_ref().is_some_and(|it| it.id == rule);
        let changes_it = |entry: &&Arc<Entry>| {
            let changes = entry.changes();
            changes
                .iter()
                .any(|(before, after)| is_it(before) || is_it(after))
        };
        let later = self.audit().after(entry.id).entries;
        let by = later.iter().rev().find(changes_it).cloned();
        UndoError::EditedSince {
            rule,
            left,
            current,
            by,
        }
    }
}

/// Returns what the undo of an edit of one rule has changed, in a form that keeps no more rules alive than it must.
fn narrowed((earlier, later): &BeforeAndAfter, before: &RuleSet, all: Changed) -> Changed {
    match later {
        Some(later) => match before.position(later.id.as_str()) {
            Some(at) => Changed::one(before, at, earlier.clone()),
            None => all,
        },
        None => Changed::One(None, earlier.clone()),
    }
}
