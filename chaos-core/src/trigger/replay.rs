//! The log of the calls that a rule hit, by ordinal or by key, and the condition to hit the same calls
//! again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::{call::cut, error::RuleError};

/// The calls to hit, by ordinal or by key, whatever a draw would decide.
///
/// [`Injector::decisions`](crate::Injector::decisions) returns the calls that a rule has hit. A
/// [`Trigger`](crate::Trigger) with them hits the same calls again, and with the same seed it
/// injects the same into them.
///
/// ```
/// use chaos_core::{Trigger, trigger::Replay};
///
/// // Carol and Alice were hit; these calls are hit again.
/// let users = Replay::keys(["carol", "alice"])?;
/// let trigger = Trigger::new().key("header:x-user-id".parse()?).replay(users);
/// # drop(trigger);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay(Calls);

/// The calls of a replay, in ascending order and without duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// By number, from 0, in the order in which the rule matched them.
    Ordinals(Box<[u64]>),
    /// By key.
    Keys(Box<[Box<str>]>),
}

/// How many hits are logged, and how many can be replayed.
pub(crate) const MOST: usize = 10_000;

impl Replay {
    /// Creates a replay of calls by ordinal: calls are numbered from 0, in the order in which the
    /// rule matches them.
    ///
    /// # Errors
    /// Returns an error if there are more than 10,000.
    pub fn ordinals(ordinals: impl IntoIterator<Item = u64>) -> Result<Self, RuleError> {
        let ordinals = sorted(ordinals.into_iter().collect());
        few(ordinals.len(), "ordinals").map(|()| Self(Calls::Ordinals(ordinals)))
    }

    /// Creates a replay of the calls with these keys. [`Trigger::key`](crate::Trigger::key) sets
    /// where the key of a call is found.
    ///
    /// # Errors
    /// Returns an error if there are more than 10,000.
    pub fn keys<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>) -> Result<Self, RuleError> {
        let keys = keys
            .into_iter()
            .map(|key| Box::from(cut(key.into().into_string().into())));
        let keys = sorted(keys.collect());
        few(keys.len(), "keys").map(|()| Self(Calls::Keys(keys)))
    }

    /// Returns the calls, in ascending order.
    #[cfg(feature = "serde")]
    pub(crate) fn calls(&self) -> &Calls {
        &self.0
    }

    /// Returns whether calls must be numbered for it.
    pub(crate) fn counts_calls(&self) -> bool {
        matches!(self.0, Calls::Ordinals(_))
    }

    /// Returns whether the call is one of those to hit.
    pub(crate) fn has(&self, turn: &Turn<'_>) -> bool {
        match &self.0 {
            Calls::Ordinals(ordinals) => {
                (turn.ordinal).is_some_and(|ordinal| ordinals.binary_search(&ordinal).is_ok())
            }
            Calls::Keys(keys) => turn
                .key
                .is_some_and(|key| keys.binary_search_by(|known| (**known).cmp(key)).is_ok()),
        }
    }
}

/// Sorts and removes duplicates.
fn sorted<T: Ord>(mut all: Vec<T>) -> Box<[T]> {
    all.sort_unstable();
    all.dedup();
    all.into()
}

/// Checks that a replay has at most [`MOST`] calls.
fn few(count: usize, field: &str) -> Result<(), RuleError> {
    if count <= MOST {
        return Ok(());
    }
    let (field, problem) = (format!("replay.{field}"), format!("{count} are too many"));
    Err(RuleError::new(field, problem, "at most 10000"))
}

/// What identifies a call to a rule, as far as the rule needs it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn<'a> {
    pub(crate) ordinal: Option<u64>,
    pub(crate) key: Option<&'a str>,
}

/// What a decision was made by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Chance,
    Ordinal(u64),
    Key(Box<str>),
}

impl From<Turn<'_>> for By {
    fn from(turn: Turn<'_>) -> Self {
        match (turn.key, turn.ordinal) {
            (Some(key), _) => Self::Key(key.into()),
            (None, Some(ordinal)) => Self::Ordinal(ordinal),
            (None, None) => Self::Chance,
        }
    }
}

/// The calls that a rule hit since it was armed: the last 10,000, each key once.
#[derive(Debug)]
pub(crate) struct Log {
    is_keyed: bool,
    hits: Mutex<Hits>,
}

#[derive(Debug)]
struct Hits {
    latest: LruCache<By, ()>,
    dropped: u64,
}

impl Log {
    /// Creates the log of a rule that decides by keys, or else by ordinals.
    pub(crate) fn new(is_keyed: bool) -> Self {
        // The cache grows as it is filled.
        let latest = LruCache::unbounded();
        let hits = Mutex::new(Hits { latest, dropped: 0 });
        Self { is_keyed, hits }
    }

    /// Logs a hit. Cold, because few rules have a log.
    #[cold]
    #[inline(never)]
    pub(crate) fn add(&self, hit: By) {
        let mut hits = self.hits();
        if hits.latest.len() == MOST && !hits.latest.contains(&hit) {
            hits.latest.pop_lru();
            hits.dropped += 1;
        }
        hits.latest.put(hit, ());
    }

    /// Returns how many keys are logged; `None` for a rule that decides by ordinals.
    pub(crate) fn keys(&self) -> Option<u64> {
        self.is_keyed.then(|| self.hits().latest.len() as u64)
    }

    /// Returns what was logged.
    pub(crate) fn decisions(&self) -> Decisions {
        // The lock is held only for the copying, since hits of other threads wait for it.
        let (hits, dropped) = {
            let hits = self.hits();
            let latest = hits.latest.iter().map(|(hit, ())| hit.clone());
            (latest.collect::<Vec<_>>(), hits.dropped)
        };
        let hits = hits.into_iter();
        let calls = if self.is_keyed {
            let keys = hits.filter_map(|hit| match hit {
                By::Key(key) => Some(key),
                By::Ordinal(_) | By::Chance => None,
            });
            Calls::Keys(sorted(keys.collect()))
        } else {
            let ordinals = hits.filter_map(|hit| match hit {
                By::Ordinal(ordinal) => Some(ordinal),
                By::Key(_) | By::Chance => None,
            });
            Calls::Ordinals(sorted(ordinals.collect()))
        };
        Decisions {
            hits: Replay(calls),
            dropped,
        }
    }

    fn hits(&self) -> MutexGuard<'_, Hits> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The calls that a rule has hit since it was armed.
///
/// [`Injector::decisions`](crate::Injector::decisions) returns them, for a rule of which they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decisions {
    /// The last 10,000 hits in ascending order, each call or key once.
    pub hits: Replay,
    /// How many earlier hits were dropped from the log.
    pub dropped: u64,
}

impl Decisions {
    /// Returns those of a rule that has hit its first `count` calls and no others.
    pub(crate) fn first(count: u64) -> Self {
        let dropped = count.saturating_sub(MOST as u64);
        let ordinals = (dropped..count).collect();
        Self {
            hits: Replay(Calls::Ordinals(ordinals)),
            dropped,
        }
    }
}
