//! Who did what to an injector: a bounded list, in the order in which it happened.
//!
//! An entry is made under the injector's own lock, so that edits stand here in the order of their
//! generations, one entry each. Whoever follows the list is told when that lock is free again.

pub(crate) mod action;
pub(crate) mod actor;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    audit::{action::Action, actor::Actor},
    gate::changed::ChangeNotifier,
    rule::{Rule, rule_set::RuleSet},
};

/// One line of the audit.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Counted from 1 without a gap, for as long as the injector lives.
    pub id: u64,
    /// The time of day on the injector's clock.
    pub at: SystemTime,
    /// By whom, from where and why.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// More of it: what was refused and why, what broke a bound, the rule that a release was for,
    /// whom a token was signed for and with which rules.
    pub what: Option<Arc<str>>,
    /// The generation of the rules afterwards.
    pub generation: u64,
    changed: Changed,
}

/// A rule as it was and as it is: neither, if it is not there.
pub type BeforeAndAfter = (Option<Arc<Rule>>, Option<Arc<Rule>>);

#[derive(Clone, Debug, Default)]
pub(crate) enum Changed {
    #[default]
    Nothing,
    One(Option<Arc<Rule>>, Option<Arc<Rule>>),
    /// Compared when someone asks: there may be thousands.
    All(Arc<RuleSet>, Arc<RuleSet>),
}

/// What there is to write down, but for who and when.
pub(crate) struct Deed {
    action: Action,
    what: Option<Arc<str>>,
    changed: Changed,
}

impl Deed {
    pub(crate) fn of(action: Action) -> Self {
        Self {
            action,
            what: None,
            changed: Changed::Nothing,
        }
    }

    pub(crate) fn what(mut self, what: impl Into<Arc<str>>) -> Self {
        self.what = Some(what.into());
        self
    }

    pub(crate) fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }
}

impl Changed {
    /// How many rules are kept alive for it, at most.
    fn weight(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(..) => 2,
            Self::All(before, after) => before.rules.len() + after.rules.len(),
        }
    }
}

impl Entry {
    /// Characters of what was refused or signed; the rest is cut off.
    pub(crate) const LONGEST: usize = 1000;

    /// The rules that it changed, each before and after; in the order of the rules, those taken out
    /// first.
    #[must_use]
    pub fn changes(&self) -> Vec<BeforeAndAfter> {
        match &self.changed {
            Changed::Nothing => Vec::new(),
            Changed::One(before, after) => vec![(before.clone(), after.clone())],
            Changed::All(before, after) => {
                let removed = before
                    .rules
                    .iter()
                    .filter(|rule| after.find(rule.id.as_str()).is_none());
                let removed = removed.map(|rule| (Some(Arc::clone(rule)), None));
                let kept = after.rules.iter().filter_map(|rule| {
                    let old = before.find(rule.id.as_str()).cloned();
                    let is_same = old.as_ref().is_some_and(|old| old == rule);
                    (!is_same).then(|| (old, Some(Arc::clone(rule))))
                });
                removed.chain(kept).collect()
            }
        }
    }
}

/// The last entries of an injector's audit. Clones are the same list.
///
/// It holds at most [`MOST`](Self::MOST) entries of what was done, and as many of what was refused, so
/// that no number of refusals makes it forget a change. It keeps some ten thousand rules alive at most.
/// What is older is forgotten; whoever must not lose any [follows](Self::after) it.
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<List>);

#[derive(Debug, Default)]
struct List {
    ring: Mutex<Ring>,
    changed: ChangeNotifier,
}

#[derive(Debug, Default)]
struct Ring {
    done: VecDeque<Arc<Entry>>,
    refused: VecDeque<Arc<Entry>>,
    /// Of what was done. A refusal changes no rule.
    weight: usize,
    last: u64,
}

/// Entries, and how many of those asked for are forgotten already.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Entries {
    /// In the order of their ids.
    pub entries: Vec<Arc<Entry>>,
    /// How many came after the one asked for, and are not here any more.
    pub missed: u64,
}

impl Audit {
    /// How many entries are kept of what was done; and of what was refused.
    pub const MOST: usize = 1000;
    /// How many rules are kept alive for them.
    const MOST_RULES: usize = 10_000;

    /// The entries after the one with this id; 0 asks for all that are left.
    #[must_use]
    pub fn after(&self, id: u64) -> Entries {
        let ring = self.ring();
        let newer = |entries: &VecDeque<Arc<Entry>>| {
            let first = entries.partition_point(|entry| entry.id <= id);
            entries.range(first..).cloned().collect::<Vec<_>>()
        };
        let (mut entries, refused) = (newer(&ring.done), newer(&ring.refused));
        let all = ring.last.saturating_sub(id);
        drop(ring);
        entries.extend(refused);
        entries.sort_unstable_by_key(|entry| entry.id);
        let missed = all - entries.len() as u64;
        Entries { entries, missed }
    }

    /// The id of the newest entry; 0 if nothing has happened yet.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.ring().last
    }

    /// Waits until there is an entry after the one with this id. Cancel-safe.
    #[cfg(feature = "tokio")]
    pub async fn wait(&self, id: u64) {
        /// Nobody waits longer at a time, only again.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let listening = self.0.changed.listen();
        loop {
            let next = listening.next();
            if self.last() > id {
                return;
            }
            next.wait(LONGEST).await;
        }
    }

    /// The same for a thread, or until a time has passed; `true` if there is one.
    pub fn wait_blocking(&self, id: u64, at_most: Duration) -> bool {
        let listening = self.0.changed.listen();
        let next = listening.next();
        if self.last() <= id {
            next.wait_blocking(at_most);
        }
        self.last() > id
    }

    /// Adds an entry. Nobody is told yet: locks may be held.
    pub(crate) fn add(&self, at: SystemTime, generation: u64, actor: Actor, deed: Deed) {
        let Deed {
            action,
            what,
            changed,
        } = deed;
        let mut ring = self.ring();
        ring.last += 1;
        ring.weight += changed.weight();
        let entry = Arc::new(Entry {
            id: ring.last,
            at,
            actor,
            action,
            what,
            generation,
            changed,
        });
        let forgotten = ring.keep(entry);
        // Thousands of rules may go with them: not under the lock.
        drop(ring);
        drop(forgotten);
    }

    /// Tells whoever follows.
    pub(crate) fn tell(&self) {
        self.0.changed.notify();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Takes it in, and returns what there is no more room for.
    fn keep(&mut self, entry: Arc<Entry>) -> Vec<Arc<Entry>> {
        if entry.action == Action::Refuse {
            self.refused.push_back(entry);
            let too_many = self.refused.len().saturating_sub(Audit::MOST);
            return self.refused.drain(..too_many).collect();
        }
        self.done.push_back(entry);
        let mut forgotten = Vec::new();
        while self.done.len() > Audit::MOST
            || self.weight > Audit::MOST_RULES && self.done.len() > 1
        {
            let Some(oldest) = self.done.pop_front() else {
                break;
            };
            self.weight -= oldest.changed.weight();
            forgotten.push(oldest);
        }
        forgotten
    }
}
