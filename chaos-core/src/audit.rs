//! The audit: a bounded list of the actions on an injector and their actors, in order.
//!
//! An entry is added under the injector's own lock, so that the entries of edits have the order of
//! their generations, one entry for each edit. Followers of the list are notified after that lock has
//! been released.

pub(crate) mod action;
pub(crate) mod actor;
mod changed;
mod follower;
pub(crate) mod undo;
pub(crate) mod undo_error;

pub(crate) use self::changed::Changed;
use self::follower::Followers;
pub use self::{
    action::Action, actor::Actor, changed::BeforeAndAfter, follower::AuditFollower,
    undo_error::UndoError,
};

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::gate::changed::ChangeNotifier;

/// One entry of an injector's [`Audit`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The number of the entry. Ids start at 1 and have no gaps for as long as the injector lives.
    pub id: u64,
    /// The time of day at which it happened, by the injector's clock.
    pub at: SystemTime,
    /// The actor: who acted, from where and why.
    pub actor: Actor,
    /// The action that was done.
    pub action: Action,
    /// Details of the action, if it has any: what was refused and why, which bound was broken, the rule
    /// whose calls were released, the rule whose deadline was moved and by how much, the entry that was undone, the earlier holders of a halt, the holders whose holds a resume has
    /// ended, the subject and the rules of a signed token, or what has changed in a file that was
    /// reloaded. At most 1,000 characters of what was refused, signed or reloaded are kept.
    pub what: Option<Arc<str>>,
    /// The generation of the rule set after the action.
    pub generation: u64,
    changed: Changed,
}

/// An entry without its id, its time and its actor, which [`Audit::add`] is given apart.
pub(crate) struct EntryDraft {
    action: Action,
    what: Option<Arc<str>>,
    changed: Changed,
}

impl EntryDraft {
    /// Creates an entry of this action, without details.
    pub(crate) fn of(action: Action) -> Self {
        Self {
            action,
            what: None,
            changed: Changed::Nothing,
        }
    }

    /// Sets the details.
    pub(crate) fn what(mut self, what: impl Into<Arc<str>>) -> Self {
        self.what = Some(what.into());
        self
    }

    /// Sets which rules were changed.
    pub(crate) fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }
}

impl Entry {
    /// How many characters of what was refused, signed or reloaded an entry keeps.
    pub(crate) const LONGEST: usize = 1000;

    /// Returns the rules that the action changed, each before and after it.
    ///
    /// Removed rules come first; the others have the order of the rule set after the action. An
    /// action that changed no rule returns an empty list.
    #[must_use]
    pub fn changes(&self) -> Vec<BeforeAndAfter> {
        self.changed.list()
    }
}

/// The latest entries of an injector's audit. Clones share one list.
///
/// The audit holds the last [`MOST`](Self::MOST) entries of actions that took effect and, apart from
/// those, the last [`MOST`](Self::MOST) refusals, so that refusals never displace an edit. It keeps old
/// rules of about 64 MiB of memory alive, and drops entries early if they hold more. A program that
/// must not miss an entry follows the list with [`after`](Self::after) and [`wait`](Self::wait), and
/// reports its progress with an [`AuditFollower`].
///
/// ```
/// use chaos_core::{Fault, Injector, Rule};
///
/// let injector = Injector::new();
/// injector.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
/// injector.halt("that is enough");
///
/// let seen = injector.audit().after(0);
/// let actions: Vec<_> = seen.entries.iter().map(|entry| entry.action.as_str()).collect();
/// assert_eq!(actions, ["put", "halt"]);
/// assert_eq!(seen.missed, 0);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<List>);

#[derive(Debug, Default)]
struct List {
    ring: Mutex<Ring>,
    /// The id of the newest entry. Written under the lock, read without.
    last: AtomicU64,
    changed: ChangeNotifier,
}

#[derive(Debug, Default)]
struct Ring {
    done: VecDeque<Arc<Entry>>,
    refused: VecDeque<Arc<Entry>>,
    /// About how many bytes of memory the rules take that `done` keeps alive. A refusal keeps none.
    weight: u64,
    followers: Followers,
}

/// The entries that [`Audit::after`] returns, and the number of those that were dropped.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Entries {
    /// In the order of their ids.
    pub entries: Vec<Arc<Entry>>,
    /// How many entries came after the requested id and have been dropped since.
    pub missed: u64,
}

impl Audit {
    /// The number of entries that are kept of actions that took effect, and also the number of
    /// refusals.
    pub const MOST: usize = 1000;
    /// How many bytes of memory the rules may take that the kept entries keep alive.
    const MOST_BYTES: u64 = 64 * 1024 * 1024;
    /// How many bytes they may take if a follower has not seen the entries.
    const MOST_UNSEEN_BYTES: u64 = 256 * 1024 * 1024;

    /// Returns a handle that keeps the entries from now on until they are [seen](AuditFollower::seen).
    ///
    /// ```
    /// use chaos_core::Injector;
    ///
    /// let injector = Injector::new();
    /// let follower = injector.audit().follow();
    /// injector.halt("enough seen");
    /// for entry in injector.audit().after(0).entries {
    ///     println!("{}", entry.action.as_str()); // or write it into a file
    ///     follower.seen(entry.id);
    /// }
    /// ```
    #[must_use = "nothing is kept for it when it is dropped"]
    pub fn follow(&self) -> AuditFollower {
        let mut ring = self.ring();
        ring.followers.add(self.last())
    }

    /// Returns the entries with an id above `id`. Pass 0 for all that are kept.
    #[must_use]
    pub fn after(&self, id: u64) -> Entries {
        let ring = self.ring();
        let newer = |entries: &VecDeque<Arc<Entry>>| {
            let first = entries.partition_point(|entry| entry.id <= id);
            entries.range(first..).cloned().collect::<Vec<_>>()
        };
        let (mut entries, refused) = (newer(&ring.done), newer(&ring.refused));
        let all = self.last().saturating_sub(id);
        drop(ring);
        entries.extend(refused);
        entries.sort_unstable_by_key(|entry| entry.id);
        let missed = all - entries.len() as u64;
        Entries { entries, missed }
    }

    /// Returns the entry with this id, if it is kept.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Entry>> {
        let ring = self.ring();
        let find = |entries: &VecDeque<Arc<Entry>>| {
            let at = entries.binary_search_by_key(&id, |entry| entry.id);
            at.ok().map(|at| Arc::clone(&entries[at]))
        };
        find(&ring.done).or_else(|| find(&ring.refused))
    }

    /// Returns the id of the newest entry; 0 if there is none yet.
    #[must_use]
    pub fn last(&self) -> u64 {
        // Pairs with the store in `add`.
        self.0.last.load(Ordering::Acquire)
    }

    /// Waits until there is an entry with an id above `id`.
    ///
    /// # Cancel safety
    /// This method is cancel safe: dropping the future has no effect on the audit.
    #[cfg(feature = "tokio")]
    pub async fn wait(&self, id: u64) {
        /// The longest single wait; the loop starts another.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let listening = self.0.changed.listen();
        loop {
            let next = listening.next();
            if self.last() > id {
                return;
            }
            next.wait(LONGEST, None).await;
        }
    }

    /// Blocks the thread until there is an entry with an id above `id`, or until `at_most` has
    /// passed. Returns whether there is one.
    pub fn wait_blocking(&self, id: u64, at_most: Duration) -> bool {
        self.wait_blocking_unless(id, at_most, || false)
    }

    /// Blocks the thread as [`wait_blocking`](Self::wait_blocking) does, unless `is_due` returns `true`, and until
    /// the next [`wake`](Self::wake) at most. A wake after the call of `is_due` is not missed.
    ///
    /// Only chaos-http-admin uses it.
    #[doc(hidden)]
    pub fn wait_blocking_unless(
        &self,
        id: u64,
        at_most: Duration,
        is_due: impl FnOnce() -> bool,
    ) -> bool {
        let listening = self.0.changed.listen();
        let next = listening.next();
        if self.last() <= id && !is_due() {
            next.wait_blocking(at_most, None);
        }
        self.last() > id
    }

    /// Adds an entry. Followers are not notified yet, since the caller may hold locks.
    pub(crate) fn add(
        &self,
        at: SystemTime,
        generation: u64,
        actor: Actor,
        draft: EntryDraft,
    ) -> Arc<Entry> {
        let EntryDraft {
            action,
            what,
            changed,
        } = draft;
        let mut ring = self.ring();
        let id = self.last() + 1;
        self.0.last.store(id, Ordering::Release);
        ring.weight += changed.weight();
        let entry = Arc::new(Entry {
            id,
            at,
            actor,
            action,
            what,
            generation,
            changed,
        });
        let forgotten = ring.keep(Arc::clone(&entry));
        // Dropping an entry may drop thousands of rules, so it is done after the lock is released.
        drop(ring);
        drop(forgotten);
        entry
    }

    /// Wakes the waiters for an entry, whether there is one or not. It is cheap, and may be called on the
    /// path of a call.
    ///
    /// Only chaos-http-admin uses it.
    #[doc(hidden)]
    pub fn wake(&self) {
        self.tell();
    }

    /// Notifies those who wait for an entry.
    pub(crate) fn tell(&self) {
        self.0.changed.notify();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Adds `entry`, and returns the entries that had to make room for it.
    fn keep(&mut self, entry: Arc<Entry>) -> Vec<Arc<Entry>> {
        if entry.action == Action::Refuse {
            self.refused.push_back(entry);
            let too_many = self.refused.len().saturating_sub(Audit::MOST);
            return self.refused.drain(..too_many).collect();
        }
        self.done.push_back(entry);
        let seen = self.followers.seen_by_all();
        let mut forgotten = Vec::new();
        while let Some(oldest) = self.done.front() {
            let most = match oldest.id <= seen {
                true => Audit::MOST_BYTES,
                false => Audit::MOST_UNSEEN_BYTES,
            };
            let is_too_much = self.weight > most && self.done.len() > 1;
            if self.done.len() <= Audit::MOST && !is_too_much {
                break;
            }
            let Some(oldest) = self.done.pop_front() else {
                break;
            };
            self.weight -= oldest.changed.weight();
            forgotten.push(oldest);
        }
        forgotten
    }
}
