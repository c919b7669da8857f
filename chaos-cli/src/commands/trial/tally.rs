//! What the services say of the rules of a trial.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{
    client::{
        Client,
        answer::{number, text},
        rule_list::RuleList,
    },
    commands::trial::{ending::Ending, lease::Lease},
    failure::Failure,
    output::Output,
};

/// The time between two looks at an endpoint.
const PACE: Duration = Duration::from_secs(1);

/// How long the end waits to know how often the rules have hit.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How often the rules have hit. Each endpoint is asked on its own, so one that hangs holds up no other.
pub(super) struct Tally<'t> {
    ids: &'t [String],
    /// The calls that were hit and those that were matched, by endpoint.
    calls: RefCell<HashMap<String, (u64, u64)>>,
    is_halted: Cell<bool>,
}

impl<'t> Tally<'t> {
    pub(super) fn of(ids: &'t [String]) -> Self {
        Self {
            ids,
            calls: RefCell::default(),
            is_halted: Cell::new(false),
        }
    }

    /// Returns how many calls were hit, and how many were matched, at all endpoints.
    pub(super) fn sum(&self) -> (u64, u64) {
        let calls = self.calls.borrow();
        let (hits, matched) = (calls.values().map(|it| it.0), calls.values().map(|it| it.1));
        (hits.sum(), matched.sum())
    }

    /// Returns whether a service was seen to be halted by somebody else.
    pub(super) fn is_halted(&self) -> bool {
        self.is_halted.get()
    }

    /// Looks at an endpoint until the rules are over there, and extends the lease of those that go on. What
    /// cannot be asked now is asked again.
    pub(super) async fn follow(&self, client: &Client, out: &Output, lease: &Lease) -> Ending {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let Ok((ending, left)) = self.look(client).await else {
                continue;
            };
            match ending {
                // The last second, which the service counts by a clock of its own.
                Some(Ending::Early) if lease.is_nearly_over() => {}
                Some(ending) => return ending,
                None => lease.extend(client, out, self.ids, left).await,
            }
        }
    }

    /// Looks at an endpoint for the last time.
    pub(super) async fn finish(&self, client: &Client) {
        // What cannot be asked keeps the number that was known.
        let _ = timeout(LAST_LOOK, self.look(client)).await;
    }

    /// Returns why the rules are over, if they are, and the seconds that are left to them.
    async fn look(&self, client: &Client) -> Result<(Option<Ending>, f64), Failure> {
        let list = RuleList::read(client).await?;
        // After the rules: what a guard rail has disabled has its breach by then.
        let status = client.get(&["v1", "status"]).await?.with("state")?.body;
        let rules = self.ids.iter().filter_map(|id| list.find(id));
        let rules: Vec<_> = rules.collect();
        let sum = |field| rules.iter().map(|rule| number(&rule["stats"], field)).sum();
        let (hits, matched): (u64, u64) = (sum("injected"), sum("matched"));
        let mut calls = self.calls.borrow_mut();
        let known = calls.entry(client.name()).or_default();
        // A rule that is gone tells nothing any longer.
        *known = (known.0.max(hits), known.1.max(matched));
        let left = rules.iter().filter_map(|rule| expires_in(rule));
        let left = left.fold(f64::INFINITY, f64::min);
        let ending = match () {
            () if rules.iter().any(|rule| is_stopped(rule, &status)) => Some(Ending::Bound),
            () if status["state"] == "halted" => Some(Ending::Halted),
            () if rules.len() < self.ids.len() => Some(Ending::Gone),
            () if rules.iter().any(|rule| rule["enabled"] == false) => Some(Ending::Gone),
            () if left == 0.0 => Some(Ending::Early),
            () => None,
        };
        if let Some(Ending::Halted) = ending {
            self.is_halted.set(true);
        }
        Ok((ending, left))
    }
}

fn expires_in(rule: &Value) -> Option<f64> {
    rule["stats"]["expires_in"].as_f64()
}

/// Returns whether a guard rail of the rule has stopped it since it was armed.
fn is_stopped(rule: &Value, status: &Value) -> bool {
    let mut breaches = status["breaches"].as_array().into_iter().flatten();
    let time = |value: &Value, field| text(value, field).parse::<Timestamp>().ok();
    let armed = time(&rule["stats"], "since");
    breaches.any(|breach| breach["rule"] == rule["id"] && time(breach, "at") >= armed)
}
