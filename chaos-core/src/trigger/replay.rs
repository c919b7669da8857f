//! Which calls a rule hit, by number or by key: the log of its decisions, and the order to hit the same
//! ones again.

use std::{
    borrow::Cow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;

use crate::error::RuleError;

/// The calls to hit, whatever a draw would say.
///
/// [`Injector::decisions`](crate::Injector::decisions) writes one down; a [`Trigger`](crate::Trigger)
/// that is given it hits the same calls again, and with the same seed it does the same to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay(Calls);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Sorted.
    Ordinals(Box<[u64]>),
    /// Sorted.
    Keys(Box<[Box<str>]>),
}

/// How many decisions are logged, and can be replayed.
pub(crate) const MOST: usize = 10_000;

impl Replay {
    /// These calls, numbered from 0 in the order in which the rule matched them.
    ///
    /// # Errors
    /// If there are more than 10,000.
    pub fn ordinals(ordinals: impl IntoIterator<Item = u64>) -> Result<Self, RuleError> {
        let ordinals = sorted(ordinals.into_iter().collect());
        few(ordinals.len(), "ordinals").map(|()| Self(Calls::Ordinals(ordinals)))
    }

    /// The calls with these keys. The trigger says where a call's key is.
    ///
    /// # Errors
    /// If there are more than 10,000.
    pub fn keys<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>) -> Result<Self, RuleError> {
        let keys = keys
            .into_iter()
            .map(|key| Box::from(cut(key.into().into_string().into())));
        let keys = sorted(keys.collect());
        few(keys.len(), "keys").map(|()| Self(Calls::Keys(keys)))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn calls(&self) -> &Calls {
        &self.0
    }

    /// Whether calls must be numbered for it.
    pub(crate) fn counts_calls(&self) -> bool {
        matches!(self.0, Calls::Ordinals(_))
    }

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

/// The values of keys are bounded by nobody else.
const MAX_LENGTH: usize = 256;

/// A key as everyone compares it.
pub(crate) fn cut(value: Cow<'_, str>) -> Cow<'_, str> {
    if value.len() <= MAX_LENGTH {
        return value;
    }
    let is_boundary = |end: &usize| value.is_char_boundary(*end);
    let end = (0..=MAX_LENGTH).rev().find(is_boundary).unwrap_or(0);
    match value {
        Cow::Borrowed(value) => value[..end].into(),
        Cow::Owned(mut value) => {
            value.truncate(end);
            value.into()
        }
    }
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Box<[T]> {
    all.sort_unstable();
    all.dedup();
    all.into()
}

fn few(count: usize, field: &str) -> Result<(), RuleError> {
    if count <= MOST {
        return Ok(());
    }
    let (field, problem) = (format!("replay.{field}"), format!("{count} are too many"));
    Err(RuleError::new(field, problem, "at most 10000"))
}

/// Which call it is to a rule, as far as the rule asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn<'a> {
    pub(crate) ordinal: Option<u64>,
    pub(crate) key: Option<&'a str>,
}

/// What a decision hangs on.
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

/// The calls that a rule hit since it was armed: the last 10,000, a key as often as it comes once.
#[derive(Debug)]
pub(crate) struct Log {
    is_keyed: bool,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
struct Entries {
    hits: LruCache<By, ()>,
    dropped: u64,
}

impl Log {
    /// Of a rule that goes by keys, or by numbers.
    pub(crate) fn new(is_keyed: bool) -> Self {
        // Grows as it is filled.
        let hits = LruCache::unbounded();
        let entries = Mutex::new(Entries { hits, dropped: 0 });
        Self { is_keyed, entries }
    }

    pub(crate) fn add(&self, hit: By) {
        let mut entries = self.entries();
        if entries.hits.len() == MOST && !entries.hits.contains(&hit) {
            entries.hits.pop_lru();
            entries.dropped += 1;
        }
        entries.hits.put(hit, ());
    }

    pub(crate) fn decisions(&self) -> Decisions {
        // Those who are hit meanwhile wait for no longer than the copying takes.
        let (hits, dropped) = {
            let entries = self.entries();
            let hits = entries.hits.iter().map(|(hit, ())| hit.clone());
            (hits.collect::<Vec<_>>(), entries.dropped)
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

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which calls a rule has hit since it was armed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decisions {
    /// The last 10,000, each call or key once, in ascending order.
    pub hits: Replay,
    /// How many before those were dropped from the log.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = "ä".repeat(MAX_LENGTH);
        let (borrowed, owned) = (cut(Cow::Borrowed(&long)), cut(long.clone().into()));
        assert_eq!(borrowed, owned);
        assert_eq!(borrowed.len(), MAX_LENGTH);
        assert_eq!(cut("short".into()), "short");
        let odd = format!("a{long}");
        assert_eq!(cut(odd.into()).len(), MAX_LENGTH - 1);
    }
}
