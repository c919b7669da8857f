//! `Frame`: what rules and watched sites have counted in a second, and its JSON.

use std::time::{Duration, SystemTime};

use chaos_core::{CallFigures, Counts, RuleId, SiteGlob, WatchedSite};
use serde_json::{Map, Value, json};

use crate::history::entry::time;

/// What one frame says, to all listeners.
pub(super) struct Frame {
    pub(super) at: SystemTime,
    pub(super) state: &'static str,
    pub(super) generation: u64,
    pub(super) active: u64,
    /// The rules that differ from what the frames before say of them, as many as fit.
    pub(super) rules: Vec<(RuleId, RuleFigures)>,
    /// The time in which calls were counted.
    pub(super) elapsed: Duration,
    pub(super) sites: Vec<WatchedSite>,
}

/// The counts of a rule, when it ends, and when its leash does, to notice that one of them was extended.
pub(super) type Told = ([u64; 4], Option<SystemTime>, Option<u64>);

/// What a frame says of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleFigures {
    counts: [u64; 4],
    expires_in: Option<Duration>,
    deadline: Option<SystemTime>,
    /// The second in which the leash ends; zero if it has ended.
    leash_ends: Option<u64>,
}

impl RuleFigures {
    pub(super) fn of(counts: &Counts, now: Duration) -> Self {
        let leash_ends = counts.leash.map(|left| match left {
            Duration::ZERO => 0,
            left => now.saturating_add(left).as_secs(),
        });
        Self {
            leash_ends,
            counts: [
                counts.matched,
                counts.injected,
                counts.shadowed,
                counts.active,
            ],
            expires_in: counts.expires_in,
            deadline: counts.deadline,
        }
    }

    pub(super) fn told(&self) -> Told {
        (self.counts, self.deadline, self.leash_ends)
    }

    pub(super) fn json(&self) -> Value {
        let [matched, injected, shadowed, active] = self.counts;
        let expires_in = self.expires_in.map(|time| time.as_millis() as f64 / 1e3);
        json!([matched, injected, shadowed, active, expires_in])
    }
}

impl Frame {
    /// Returns the frame for a listener that watches these sites.
    pub(super) fn json(&self, rules: &[(RuleId, RuleFigures)], watched: &[SiteGlob]) -> Value {
        let rules = rules.iter();
        let rules: Map<_, _> = rules
            .map(|(id, figures)| (id.as_str().to_owned(), figures.json()))
            .collect();
        let is_watched = |site: &&WatchedSite| watched.iter().any(|glob| glob.matches(site.name));
        let sites = self.sites.iter().filter(is_watched);
        let sites: Map<_, _> = sites
            .map(|site| (site.name.to_owned(), self.site(site)))
            .collect();
        json!({
            "at": time(self.at),
            "state": self.state,
            "generation": self.generation,
            "active": self.active,
            "rules": rules,
            "sites": sites,
        })
    }

    fn site(&self, site: &WatchedSite) -> Value {
        let WatchedSite {
            alone, injected, ..
        } = site;
        let mut value = json!({
            "calls": self.per_second(alone.calls + injected.calls),
            "hit": self.per_second(injected.calls),
            "failed": self.per_second(alone.failed + injected.failed),
            "held": site.held,
        });
        value["alone"] = self.group(alone);
        value["injected"] = self.group(injected);
        value
    }

    fn group(&self, figures: &CallFigures) -> Value {
        let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
        let latency = figures.latency;
        json!({
            "calls": self.per_second(figures.calls),
            "failed": self.per_second(figures.failed),
            "p50": latency.map(|latency| seconds(latency.p50)),
            "p90": latency.map(|latency| seconds(latency.p90)),
            "p99": latency.map(|latency| seconds(latency.p99)),
        })
    }

    /// Returns a number of calls for each second, with two digits after the point.
    fn per_second(&self, calls: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        (calls as f64 / seconds * 100.0).round() / 100.0
    }
}
