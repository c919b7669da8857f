//! What is known of the endpoints.

use std::{cmp::Ordering, collections::HashMap, time::Duration};

use chaos_core::Clock;
use serde_json::Value;

use crate::{
    client::{
        answer::{number, text},
        live,
        rule_list::RuleList,
    },
    commands::look::watch::keys::Key,
    failure::Failure,
};

/// What is shown.
pub(super) struct Model {
    clock: Clock,
    /// The sites that are asked for; none for those that matter.
    pub(super) sites: Vec<String>,
    pub(super) endpoints: Vec<Watched>,
    /// What has become of the last key.
    pub(super) message: String,
    pub(super) help: bool,
    pub(super) paused: bool,
    /// The first rule that is shown.
    pub(super) first: usize,
}

/// One endpoint.
pub(super) struct Watched {
    pub(super) name: String,
    /// `null` until it has answered.
    pub(super) status: Value,
    pub(super) rules: Vec<Value>,
    /// What calls of sites do, those that are hit most first.
    pub(super) latencies: Vec<(String, Value)>,
    /// The number of injections in a second, by rule.
    pub(super) rates: HashMap<String, f64>,
    counts: HashMap<String, u64>,
    answered_at: Option<Duration>,
    /// Why the last look failed.
    pub(super) failure: Option<String>,
}

impl Model {
    pub(super) fn new(names: impl Iterator<Item = String>, sites: Vec<String>) -> Self {
        let endpoint = |name| Watched {
            name,
            status: Value::Null,
            rules: Vec::new(),
            latencies: Vec::new(),
            rates: HashMap::new(),
            counts: HashMap::new(),
            answered_at: None,
            failure: None,
        };
        Self {
            clock: Clock::monotonic(),
            sites,
            endpoints: names.map(endpoint).collect(),
            message: String::new(),
            help: false,
            paused: false,
            first: 0,
        }
    }

    /// Takes what an endpoint has answered, unless the view is paused.
    pub(super) fn take(&mut self, at: usize, seen: Result<(Value, RuleList), Failure>) {
        let now = self.clock.now();
        let Some(endpoint) = self.endpoints.get_mut(at) else {
            return;
        };
        match seen {
            Err(failure) => endpoint.failure = Some(failure.to_string()),
            Ok(_) if self.paused => {}
            Ok((status, RuleList { rules, .. })) => {
                let since = endpoint
                    .answered_at
                    .map(|before| now.saturating_sub(before));
                endpoint.answered_at = Some(now);
                endpoint.failure = None;
                endpoint.status = status;
                let sites = &self.sites;
                endpoint.rules = rules.into_iter().filter(|rule| aims(rule, sites)).collect();
                endpoint.count(since);
            }
        }
    }

    /// Takes a live frame of an endpoint, unless the view is paused.
    pub(super) fn live(&mut self, at: usize, frame: &Value) {
        if self.paused {
            return;
        }
        let sites = frame["sites"].as_object().into_iter().flatten();
        let mut sites: Vec<_> = sites
            .filter(|(_, site)| site["calls"] != 0.0)
            .map(|(name, site)| (name.clone(), site.clone()))
            .collect();
        sites.sort_by(|(_, a), (_, b)| {
            let order = |site: &Value| (live::number(site, "hit"), live::number(site, "calls"));
            order(b).partial_cmp(&order(a)).unwrap_or(Ordering::Equal)
        });
        if let Some(endpoint) = self.endpoints.get_mut(at) {
            endpoint.latencies = sites;
        }
    }

    /// Forgets what sites have done, because nothing is heard of it any longer.
    pub(super) fn forget_latencies(&mut self, at: usize) {
        if let Some(endpoint) = self.endpoints.get_mut(at) {
            endpoint.latencies.clear();
        }
    }

    /// Returns the rules of an endpoint that are shown.
    pub(super) fn rules(&self, at: usize) -> Vec<Value> {
        let endpoint = self.endpoints.get(at);
        endpoint.map_or_else(Vec::new, |endpoint| endpoint.rules.clone())
    }

    /// Returns the sites that these rules aim at or measure.
    pub(super) fn aims(&self, at: usize) -> Vec<String> {
        live::sites_of(&self.rules(at))
    }

    /// Returns how many seconds ago an endpoint has answered.
    pub(super) fn age(&self, endpoint: &Watched) -> Option<f64> {
        let at = endpoint.answered_at?;
        Some(self.clock.now().saturating_sub(at).as_secs_f64())
    }

    /// Says what has become of a halt.
    pub(super) fn halted(&mut self, answers: &[Result<Value, Failure>]) {
        let (done, all) = (answers.iter().flatten().count(), answers.len());
        let failures = self.endpoints.iter().zip(answers);
        let failures = failures.filter_map(|(endpoint, answer)| {
            let failure = answer.as_ref().err()?;
            Some(format!("; {}: {failure}", endpoint.name))
        });
        self.message = format!("halted {done} of {all}{}", failures.collect::<String>());
    }

    pub(super) fn press(&mut self, key: Key) {
        let rules: usize = self.endpoints.iter().map(|it| it.rules.len()).sum();
        match key {
            Key::Pause => self.paused = !self.paused,
            Key::Help => self.help = !self.help,
            Key::Up => self.first = self.first.saturating_sub(1),
            Key::Down => self.first = (self.first + 1).min(rules.saturating_sub(1)),
            Key::Quit | Key::Halt | Key::Redraw => {}
        }
    }
}

impl Watched {
    /// Works out how often each rule hits.
    fn count(&mut self, since: Option<Duration>) {
        let counts: HashMap<_, _> = self
            .rules
            .iter()
            .map(|rule| {
                let hits = number(&rule["stats"], "injected");
                (text(rule, "id").to_owned(), hits)
            })
            .collect();
        let seconds = since.unwrap_or_default().as_secs_f64();
        let rate = |(id, hits): (&String, &u64)| {
            // A rule that was armed anew counts from 0.
            let more = hits.checked_sub(*self.counts.get(id)?)?;
            (seconds > 0.0).then(|| (id.clone(), more as f64 / seconds))
        };
        self.rates = counts.iter().filter_map(rate).collect();
        self.counts = counts;
    }
}

fn aims(rule: &Value, sites: &[String]) -> bool {
    let known = |site: &String| {
        let mut names = rule["sites"].as_array().into_iter().flatten();
        rule["site"] == site.as_str() || names.any(|name| name == site.as_str())
    };
    sites.is_empty() || sites.iter().any(known)
}
