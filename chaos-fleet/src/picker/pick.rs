//! One pick of the file: which replicas, which fault, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chaos_core::{
    Fault, Rule,
    fault::{Abort, OneOf},
    trigger::Window,
};
use http::Uri;
use jiff::{SignedDuration, civil::Date};

use super::{calendar::Calendar, probe::Probe};

/// One pick of a file: which replicas, which fault, and when. [`picks_from_toml`](super::picks_from_toml) reads it.
#[derive(Clone, Debug)]
pub struct Pick {
    pub(super) name: String,
    pub(super) group_by: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) rules: Vec<Rule>,
    pub(super) faults: BTreeSet<String>,
    pub(super) calendar: Calendar,
    pub(super) ttl: Duration,
    pub(super) mean: SignedDuration,
    pub(super) min: SignedDuration,
    pub(super) at_most: Option<u32>,
    pub(super) probability: f64,
    pub(super) is_leashed: bool,
    pub(super) probe: Option<Probe>,
    pub(super) webhooks: Vec<Uri>,
    pub(super) seed: Option<u64>,
}

impl Pick {
    /// Returns the name, which no other pick of the file has: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the labels whose values make a group, of which there is at least one.
    #[must_use]
    pub fn group_by(&self) -> &[String] {
        &self.group_by
    }

    /// Returns the labels that a replica must have to be picked.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Returns the rules for the replica that is picked, of which there is at least one. They have the `ttl` of the pick,
    /// and are shadow rules if the pick [is leashed](Self::is_leashed).
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the names of the kinds of its faults: a replica is picked only if it has opted in to all of them. An abort
    /// that ends the process is `exit`, and each other abort is `abort`; of a choice, it is the kinds of all options.
    #[must_use]
    pub fn faults(&self) -> &BTreeSet<String> {
        &self.faults
    }

    /// Returns the hours in which picks are made.
    #[must_use]
    pub fn window(&self) -> &Window {
        self.calendar.window()
    }

    /// Returns the days on which no picks are made.
    #[must_use]
    pub fn holidays(&self) -> &BTreeSet<Date> {
        self.calendar.holidays()
    }

    /// Returns for how long the rules are armed, 1 s to 24 h.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Returns the mean time between picks, of the time in which the window is open.
    #[must_use]
    pub fn mean_time_between(&self) -> Duration {
        self.mean.unsigned_abs()
    }

    /// Returns the least time between picks, of the time in which the window is open.
    #[must_use]
    pub fn min_time_between(&self) -> Duration {
        self.min.unsigned_abs()
    }

    /// Returns how many picks there are on a day, at most; `None` if there is no such bound.
    #[must_use]
    pub fn at_most(&self) -> Option<u32> {
        self.at_most
    }

    /// Returns the share of the picks that are made, above 0 and at most 1.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// Returns whether the rules only count what they would hit, and harm nobody.
    #[must_use]
    pub fn is_leashed(&self) -> bool {
        self.is_leashed
    }

    /// Returns what has to hold before a replica is picked.
    #[must_use]
    pub fn probe(&self) -> Option<&Probe> {
        self.probe.as_ref()
    }

    /// Returns the URLs, of `http` or `https`, that are told of each pick that is made. Whoever runs the picker tells them.
    #[must_use]
    pub fn webhooks(&self) -> &[Uri] {
        &self.webhooks
    }

    /// Returns the seed that the file has. Without one, it is drawn at the [start](Self::start), and written down in the
    /// state.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    pub(super) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    pub(super) fn mean_gap(&self) -> SignedDuration {
        self.mean
    }

    pub(super) fn min_gap(&self) -> SignedDuration {
        self.min
    }
}

/// Returns the names that a replica must have opted in to.
pub(super) fn kinds(rules: &[Rule]) -> BTreeSet<String> {
    let faults = rules.iter().flat_map(Rule::faults);
    let mut kinds = BTreeSet::new();
    for fault in faults {
        let options = match fault {
            Fault::OneOf(one_of) => OneOf::options(one_of),
            _ => &[],
        };
        let options = options.iter().map(|(_, option)| kind(option));
        match options.len() {
            0 => kinds.extend([kind(fault).to_owned()]),
            _ => kinds.extend(options.map(str::to_owned)),
        }
    }
    kinds
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        // A policy has a word of its own for it, too.
        Fault::Abort(Abort::Exit, _) => "exit",
        fault => fault.name(),
    }
}
