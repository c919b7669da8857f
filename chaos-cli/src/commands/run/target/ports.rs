//! The ports of a target: what is armed there for an experiment, and what they say of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chaos_core::wire::rule_to_value;
use chaos_gameday::Experiment;
use futures_util::{
    StreamExt,
    future::{join_all, try_join_all},
    stream,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    client::{
        Client,
        answer::{number, text},
        no_answer,
        request::Request,
        rule_list::has_ended,
    },
    commands::run::target::lock::LOCK,
    failure::{Exit, Failure},
    fleet::Fleet,
};

/// How long a port may take for all that is asked in one look.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(3);
/// How long calls that were hit may take to end once their rules are disabled, which releases them.
pub(super) const LAST_CALLS: Duration = Duration::from_secs(5);
/// How often it is looked whether something is over.
pub(super) const PACE: Duration = Duration::from_millis(50);
/// The greatest number of ports that are asked at once.
const AT_ONCE: usize = 50;

/// The ports of a target.
pub(super) struct Ports {
    pub(super) fleet: Fleet,
    /// Why, for the audit.
    pub(super) reason: String,
    /// The rules of the experiment, as a port writes them.
    rules: Vec<Value>,
    /// The reason of the lock that this run has taken.
    pub(super) lock: RefCell<String>,
    /// When each port has begun to count for the lock, as it says itself.
    pub(super) counting: RefCell<BTreeMap<String, Value>>,
    /// The rules that this run has made, or may have, by port.
    pub(super) made: RefCell<BTreeMap<String, BTreeSet<String>>>,
}

/// What a port says at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::commands::run) struct PortLook {
    pub(in crate::commands::run) status: Value,
    /// The rules that were asked for and are there.
    pub(in crate::commands::run) rules: BTreeMap<String, Value>,
    /// What became of calls, for each rule that is observed.
    pub(in crate::commands::run) outcomes: BTreeMap<String, Value>,
    /// Whether the port counts no calls for the lock of this run any longer.
    has_lost_counts: bool,
}

/// What all ports say at one moment, in their order.
pub(in crate::commands::run) type Looks = Vec<Result<PortLook, Failure>>;

impl PortLook {
    /// Returns a count of all rules together.
    pub(in crate::commands::run) fn sum(&self, field: &str) -> u64 {
        let rules = self.rules.values();
        rules.map(|rule| number(&rule["stats"], field)).sum()
    }

    /// Returns the failure if what the port has counted of all calls is gone, or that of another run.
    pub(in crate::commands::run) fn lost_counts(&self) -> Option<Failure> {
        let detail = "calls are not counted for this run any longer: somebody else has begun or ended the count";
        let failure = || Failure::new(Exit::Changed, detail);
        self.has_lost_counts.then(failure)
    }
}

impl Ports {
    pub(super) fn new(fleet: Fleet, experiment: &Experiment) -> Self {
        let rules = experiment.rules();
        Self {
            fleet,
            reason: format!("experiment: {}", experiment.title),
            rules: rules.map(|rule| rule_to_value(rule.rule())).collect(),
            lock: RefCell::default(),
            counting: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Asks the ports, many at a time, and returns the answers in the order of the ports.
    pub(super) async fn ask<T>(
        &self,
        ask: impl AsyncFn(&Client) -> Result<T, Failure>,
    ) -> Vec<Result<T, Failure>> {
        let asked = self.fleet.clients.iter().map(|client| ask(client));
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.fleet.clients.iter().map(Client::name).collect()
    }

    /// Returns whether a rule injects nothing any longer, and does what one of the experiment does, in whichever phase: a run
    /// that was killed has left it.
    pub(super) fn is_left_over(&self, there: &Value) -> bool {
        let is_quiet = there["enabled"] == false || has_ended(there);
        let is_as = |rule: &Value| {
            ["id", "site", "faults"]
                .iter()
                .all(|field| there[field] == rule[field])
        };
        is_quiet && self.rules.iter().any(is_as)
    }

    /// Asks each port in a dry run whether it would take the rules.
    pub(super) async fn check(&self, rules: &[Value]) -> Vec<Result<Vec<Value>, Failure>> {
        let check = async |client: &Client| {
            let asked = rules.iter().map(async |rule| {
                let request = put(rule).query("dry_run", "true");
                Ok(client.send(request).await?.body)
            });
            try_join_all(asked).await
        };
        self.ask(check).await
    }

    /// Looks at each port. `observed` are the rules whose outcomes are asked for.
    pub(super) async fn look(&self, ids: &[String], observed: &[String]) -> Looks {
        let look = async |client: &Client| {
            let looked = timeout(LONGEST_LOOK, self.own_look_at(client, ids, observed)).await;
            looked.unwrap_or_else(|_| Err(no_answer("it took too long")))
        };
        self.ask(look).await
    }

    /// Looks at a port. What it counts for the lock of another run is left out.
    pub(super) async fn own_look_at(
        &self,
        client: &Client,
        ids: &[String],
        observed: &[String],
    ) -> Result<PortLook, Failure> {
        let mut look = look_at(client, ids, observed).await?;
        let counting = self.counting.borrow();
        if let Some(since) = counting.get(&client.name())
            && observed.iter().any(|id| id == LOCK)
        {
            let counted = look.outcomes.get(LOCK);
            look.has_lost_counts = counted.map(|counted| &counted["since"]) != Some(since);
            if look.has_lost_counts {
                look.outcomes.remove(LOCK);
            }
        }
        Ok(look)
    }

    /// Returns the entries of each port's audit that came after one with this id, the oldest first.
    pub(super) async fn audit(&self, after: &[u64]) -> Vec<Value> {
        let clients = self.fleet.clients.iter().zip(after);
        let asked = clients.map(async |(client, after)| {
            let request = Request::get(&["v1", "audit"]).query("after", after.to_string());
            let answer = client.send(request.query("limit", "1000")).await;
            let body = answer.map(|answer| answer.body).unwrap_or_default();
            let mut entries = body["entries"].as_array().cloned().unwrap_or_default();
            // What is none has nobody who did it.
            entries.retain(Value::is_object);
            entries.sort_by_key(|entry| number(entry, "id"));
            for entry in &mut entries {
                entry["endpoint"] = client.name().into();
            }
            entries
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

pub(super) fn put(rule: &Value) -> Request {
    Request::new(Method::PUT, &["v1", "rules", text(rule, "id")]).body(rule.clone())
}

pub(super) fn in_use(id: &str) -> Failure {
    let failure = Failure::new(Exit::Changed, format!("there is a rule `{id}` already"));
    Failure {
        rule: Some(id.into()),
        ..failure.at("id", "one that no rule of the target has")
    }
}

/// Begins to count the calls of sites for a rule, from zero, and returns what is counted so far.
pub(super) async fn observe(client: &Client, id: &str, sites: &[String]) -> Result<Value, Failure> {
    if sites.is_empty() {
        return Ok(Value::Null);
    }
    let request = Request::new(Method::PUT, &["v1", "rules", id, "outcomes"]);
    let answer = client.send(request.body(json!({ "sites": sites }))).await?;
    Ok(answer.body)
}

/// Ends the counting for a rule. It ends by itself, too.
pub(super) async fn unobserve(client: &Client, id: &str) {
    let request = Request::new(Method::DELETE, &["v1", "rules", id, "outcomes"]);
    let _ = client.send(request).await;
}

pub(super) async fn look_at(
    client: &Client,
    ids: &[String],
    observed: &[String],
) -> Result<PortLook, Failure> {
    let rules = ids
        .iter()
        .map(async |id| match client.get(&["v1", "rules", id]).await {
            Ok(answer) => Ok(Some((id.clone(), answer.body))),
            Err(failure) if failure.status == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        });
    let outcomes =
        observed.iter().map(
            async |id| match client.get(&["v1", "rules", id, "outcomes"]).await {
                Ok(answer) => Ok(Some((id.clone(), answer.body))),
                Err(failure) if failure.status == Some(404) => Ok(None),
                Err(failure) => Err(failure),
            },
        );
    let rules = try_join_all(rules).await?;
    // After the rules: what a guard rail has disabled has its breach by then.
    let status = client.get(&["v1", "status"]).await?.with("state")?.body;
    let outcomes = try_join_all(outcomes).await?;
    Ok(PortLook {
        status,
        rules: rules.into_iter().flatten().collect(),
        outcomes: outcomes.into_iter().flatten().collect(),
        has_lost_counts: false,
    })
}
