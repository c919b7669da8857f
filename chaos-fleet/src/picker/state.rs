//! What is remembered of a pick from one time to the next.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::choice::Choice;

/// What is remembered of a pick, from one time to the next and across restarts. Whoever runs the picker keeps it in a
/// store that all pickers share, and replaces it only if it is still the one that was read (compare-and-set).
///
/// [`Pick::start`](super::Pick::start) makes the first, [`Pick::record`](super::Pick::record) the next. In JSON, unknown
/// fields are refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The seed of all draws, less than 2^63.
    pub(super) seed: u64,
    /// The number of the pick that comes next; the first is 0.
    pub(super) ordinal: u64,
    /// How often that pick has been missed, and planned again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) missed: u32,
    /// The moment since which the time to the next pick counts.
    pub(super) since: Timestamp,
    /// The day of the last pick, and how many there were on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) today: Option<Today>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastPick>,
    pub(super) next: Timestamp,
}

/// The picks of one day.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Today {
    pub(super) date: Date,
    pub(super) picks: u32,
}

/// The last pick.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LastPick {
    /// The number of the pick; the first is 0.
    pub ordinal: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What came of it.
    pub choice: Choice,
}

/// A pick that is to come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The number of the pick; the first is 0.
    pub ordinal: u64,
    /// When it is due.
    pub at: Timestamp,
}

impl State {
    /// Returns the seed. With it in the file, another picker makes the same choices.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the last pick; `None` before the first.
    #[must_use]
    pub fn last(&self) -> Option<&LastPick> {
        self.last.as_ref()
    }

    /// Returns the next pick as it was planned when this state was made. If the file has changed since,
    /// [`Pick::next`](super::Pick::next) says otherwise, and is right.
    #[must_use]
    pub fn planned(&self) -> Planned {
        Planned {
            ordinal: self.ordinal,
            at: self.next,
        }
    }

    /// Returns the day of the last pick in the time zone of the window, and how many there were on it; `None` before
    /// the first.
    #[must_use]
    pub fn today(&self) -> Option<(Date, u32)> {
        self.today.map(|today| (today.date, today.picks))
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
