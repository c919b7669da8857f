//! When picks are made: a Poisson process in the time in which the window is open.

use jiff::{SignedDuration, Timestamp, civil::Date};
use rand::distr::Distribution;
use rand_distr::Exp1;

use super::{
    choice::Choice,
    dice::{Draw, dice},
    pick::Pick,
    state::{LastPick, Planned, State, Today},
};

/// How late a pick may be made. One that is later was missed, since no picker was running: to make it now would let the
/// picks of a whole week-end happen at once on Monday.
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// What is to be done about a pick now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing before this moment.
    Wait(Planned),
    /// The pick is to be made: [`choose`](Pick::choose), then put what [`record`](Pick::record) returns in the place of
    /// the state, and if that succeeds, inject.
    Due(Planned),
    /// The pick was missed. This state, with the pick at a later time, is to be put in the place of the one that was
    /// given; then ask again.
    Missed(State),
}

impl Pick {
    /// Returns the state before the first pick. `random` is 64 random bits, of which 63 are the seed, unless the file
    /// has a seed: the greatest integer of TOML is 2^63 - 1, and every seed can be written into a file.
    #[must_use]
    pub fn start(&self, random: u64, now: Timestamp) -> State {
        let seed = self.seed().unwrap_or(random >> 1);
        self.planned(State {
            seed,
            ordinal: 0,
            missed: 0,
            since: now,
            today: None,
            last: None,
            next: now,
        })
    }

    /// Returns what is to be done now. Pickers with the same file, state and time get the same answer.
    ///
    /// A pick is due when its time has come and the window is open. A pick that is more than an hour late, or whose
    /// window has closed meanwhile, was missed: there is one less, and the time to the next is drawn anew from now.
    #[must_use]
    pub fn next(&self, state: &State, now: Timestamp) -> Next {
        let at = self.plan(state);
        let planned = Planned {
            ordinal: state.ordinal,
            at,
        };
        if now < at {
            return Next::Wait(planned);
        }
        let is_open = self.calendar().is_open(now, self.full_day(state));
        if is_open && now.duration_since(at) <= LATEST {
            return Next::Due(planned);
        }
        Next::Missed(self.planned(State {
            missed: state.missed.saturating_add(1),
            since: now,
            ..state.clone()
        }))
    }

    /// Returns the state after the pick that was due. It does not matter to the schedule what came of it.
    ///
    /// It is written before the replica is told, so that of several pickers only the one whose compare-and-set succeeds
    /// makes the pick. A picker that ends in between has made a pick without a fault, and no pick is made twice.
    #[must_use]
    pub fn record(&self, state: &State, now: Timestamp, choice: Choice) -> State {
        // The clock of another picker may have been ahead.
        let at = state.last.as_ref().map_or(now, |last| now.max(last.at));
        let date = self.calendar().date(at);
        let before = state.today.filter(|today| today.date == date);
        let picks = before.map_or(0, |today| today.picks).saturating_add(1);
        self.planned(State {
            seed: self.seed_of(state),
            ordinal: state.ordinal.saturating_add(1),
            missed: 0,
            since: at,
            today: Some(Today { date, picks }),
            last: Some(LastPick {
                ordinal: state.ordinal,
                at,
                choice,
            }),
            next: at,
        })
    }

    /// Returns the seed: that of the file, or else the one that was written down.
    pub(super) fn seed_of(&self, state: &State) -> u64 {
        self.seed().unwrap_or(state.seed)
    }

    /// Writes down when the next pick is due.
    fn planned(&self, state: State) -> State {
        let next = self.plan(&state);
        State { next, ..state }
    }

    /// Returns when the next pick is due. It follows from the file and the state, so a change of the file is in force
    /// at once.
    fn plan(&self, state: &State) -> Timestamp {
        let full = self.full_day(state);
        let after = |from, open_time| self.calendar().after(from, open_time, full);
        let random = self.random_gap(state);
        let gap = match state.missed {
            0 => self.min_gap().saturating_add(random),
            // The minimum is over, and of what is left of an exponential time, the mean is the same.
            _ => random,
        };
        let at = after(state.since, gap);
        let last = state.last.as_ref();
        let earliest = last.map(|last| after(last.at, self.min_gap()));
        earliest.map_or(at, |earliest| at.max(earliest))
    }

    /// Returns an exponentially distributed time. The minimum is added to it, so the mean of both is the one that is
    /// asked for.
    fn random_gap(&self, state: &State) -> SignedDuration {
        let mut dice = dice(
            Draw::Gap,
            self.seed_of(state),
            self.name(),
            state.ordinal,
            state.missed,
        );
        let unit: f64 = Exp1.sample(&mut dice);
        let mean = self.mean_gap() - self.min_gap();
        SignedDuration::try_from_secs_f64(unit * mean.as_secs_f64()).unwrap_or(SignedDuration::MAX)
    }

    /// Returns the day of the last pick, if no more may be made on it.
    fn full_day(&self, state: &State) -> Option<Date> {
        let (today, most) = (state.today?, self.at_most()?);
        (today.picks >= most).then_some(today.date)
    }
}
