//! Several pickers that share one state, of whom any may end and start again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{at, pick};
use crate::picker::{Choice, Next, Pick, State};

/// A store with compare-and-set, as etcd's transactions on the revision of a key.
struct Store {
    state: Option<State>,
    revision: u64,
}

impl Store {
    fn read(&self) -> (Option<State>, u64) {
        (self.state.clone(), self.revision)
    }

    /// Replaces the state, which goes through JSON, if it is still the one of this revision.
    fn replace(&mut self, state: &State, seen: u64) -> bool {
        if self.revision != seen {
            return false;
        }
        let json = serde_json::to_string(state).unwrap();
        self.state = Some(serde_json::from_str(&json).unwrap());
        self.revision += 1;
        true
    }
}

/// One of several pickers: what it is about to write, and on the strength of which revision.
#[derive(Default)]
struct Simulated {
    intent: Option<(State, u64, bool)>,
}

impl Simulated {
    /// Reads, or writes what the last reading came to. Returns whether it has made a pick.
    fn step(&mut self, pick: &Pick, store: &mut Store, now: Timestamp, random: u64) -> bool {
        if let Some((state, seen, is_pick)) = self.intent.take() {
            return store.replace(&state, seen) && is_pick;
        }
        let (state, seen) = store.read();
        self.intent = match state {
            None => Some((pick.start(random, now), seen, false)),
            Some(state) => match pick.next(&state, now) {
                Next::Wait(_) => None,
                Next::Missed(state) => Some((state, seen, false)),
                Next::Due(_) => {
                    let choice = pick.choose(&state, &[]);
                    Some((pick.record(&state, now, choice), seen, true))
                }
            },
        };
        false
    }
}

/// Three pickers in random order, each of which may end between reading and writing, for as many hours as asked, with
/// clocks that are up to two seconds apart. Returns the picks by ordinal, and the last state.
fn three(
    pick: &Pick,
    seed: u64,
    from: Timestamp,
    hours: i64,
    pause: Option<(i64, i64)>,
) -> (BTreeMap<u64, Vec<Timestamp>>, State) {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut store = Store {
        state: None,
        revision: 0,
    };
    let mut pickers = [(); 3].map(|()| Simulated::default());
    let mut made: BTreeMap<u64, Vec<Timestamp>> = BTreeMap::new();
    for second in (0..hours * 3600).step_by(120) {
        if pause.is_some_and(|(from, until)| (from..until).contains(&(second / 3600))) {
            pickers = [(); 3].map(|()| Simulated::default());
            continue;
        }
        for _ in 0..4 {
            let who = dice.random_range(0..3);
            let skew = SignedDuration::from_millis(dice.random_range(-1000..=1000));
            let now = from + SignedDuration::from_secs(second) + skew;
            if dice.random_bool(0.02) {
                pickers[who] = Simulated::default();
            }
            if pickers[who].step(pick, &mut store, now, dice.random()) {
                let (state, _) = store.read();
                let last = state.unwrap();
                let last = last.last().unwrap();
                made.entry(last.ordinal).or_default().push(last.at);
            }
        }
    }
    (made, store.read().0.unwrap())
}

#[test]
fn three_pickers_make_one_pick() {
    let pick = pick(
        "days = 'mon-fri', hours = '09:00-17:00', zone = 'Europe/Berlin', holidays = [2026-03-31]",
        "mean_time_between = '90m'\nmin_time_between = '30m'\nat_most = 4",
    );
    for seed in 0..2 {
        // A fortnight around the change of clocks.
        let (made, state) = three(&pick, seed, at("2026-03-23T00:00:00Z"), 14 * 24, None);
        assert!(made.len() > 20, "only {}", made.len());
        // Each ordinal once, and none left out.
        assert_eq!(
            made.keys().copied().collect::<Vec<_>>(),
            (0..made.len() as u64).collect::<Vec<_>>()
        );
        assert_eq!(state.planned().ordinal, made.len() as u64);
        let times: Vec<_> = made
            .into_values()
            .map(|times| {
                assert_eq!(times.len(), 1, "one pick was made twice: {times:?}");
                times[0]
            })
            .collect();
        let mut by_day = BTreeMap::new();
        for time in &times {
            assert!(pick.calendar().is_open(*time, None), "{time}");
            *by_day.entry(pick.calendar().date(*time)).or_insert(0) += 1;
        }
        assert!(by_day.values().all(|picks| *picks <= 4), "{by_day:?}");
        for two in times.windows(2) {
            assert!(
                two[1].duration_since(two[0]) >= SignedDuration::from_mins(30),
                "{two:?}"
            );
        }
    }
}

/// All pickers are away for a night and half a day. What was due then is missed, and nothing is made up for.
#[test]
fn pickers_that_were_all_away_go_on() {
    let pick = pick(
        "days = 'mon-sun'",
        "mean_time_between = '1h'\nmin_time_between = '10m'",
    );
    let start = at("2026-06-01T00:00:00Z");
    for seed in 0..2 {
        let (made, state) = three(&pick, seed, start, 48, Some((12, 36)));
        let back = start + SignedDuration::from_hours(36);
        let times: Vec<_> = made.into_values().flatten().collect();
        assert!(
            times
                .iter()
                .all(|time| *time < start + SignedDuration::from_hours(12) || *time > back)
        );
        let after: Vec<_> = times.iter().filter(|time| **time > back).collect();
        assert!(
            after.len() > 3 && times.len() > after.len() + 3,
            "{times:?}"
        );
        for two in times.windows(2) {
            assert!(
                two[1].duration_since(two[0]) >= SignedDuration::from_mins(10),
                "{two:?}"
            );
        }
        assert_eq!(
            state.last().map(|last| last.ordinal + 1),
            Some(times.len() as u64)
        );
        assert!(matches!(state.last(), Some(last) if last.choice == Choice::Nobody { meant: 0 }));
    }
}
