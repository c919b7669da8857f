//! `/v1/rules/{id}/outcomes`: what an observed rule does to calls, by groups that can be compared.

use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode};
use chaos_core::{CallCounts, Injector, ObserveError, OutcomeGroup, RuleOutcomes, SiteOutcomes};
use serde_json::{Value, json};

use crate::{
    access::{caller::Caller, role::Role},
    extract::{
        body::JsonBody,
        fields::{self, Fields},
        query::NoQuery,
    },
    history::entry::time,
    problem::Problem,
    routes::rule::Id,
    worker::Worker,
};

const BODY: &str = "an object with `sites`, a list of names";
const SITES: &str = "1 to 16 names of sites of layers or in code, as GET /v1/sites lists them";

/// Begins to observe a rule, from zero.
pub(crate) async fn put(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    Id(id): Id,
    NoQuery: NoQuery,
    JsonBody(json): JsonBody,
) -> Result<Json<Value>, Problem> {
    let sites = read(&json)?;
    let observe = move || match injector.observe_outcomes(&id, &sites) {
        Ok(outcomes) => Ok(Json(outcomes_json(&outcomes))),
        Err(error) => Err(refuse(&error, &id, &sites)),
    };
    worker.run(observe).await
}

/// Returns what was counted. Who may begin an observation keeps it by that; others only look.
pub(crate) async fn show(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    caller: Caller,
    Id(id): Id,
    NoQuery: NoQuery,
) -> Result<Json<Value>, Problem> {
    let show = move || {
        let outcomes = match caller.role {
            Role::Arm => injector.outcomes(&id),
            Role::Observe | Role::Stop => injector.peek_outcomes(&id),
        };
        let outcomes = outcomes.ok_or_else(|| not_observed(&injector, &id))?;
        Ok(Json(outcomes_json(&outcomes)))
    };
    worker.run(show).await
}

/// Ends the observation.
pub(crate) async fn delete(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    Id(id): Id,
    NoQuery: NoQuery,
) -> Result<StatusCode, Problem> {
    let end = move || match injector.end_outcomes(&id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_observed(&injector, &id)),
    };
    worker.run(end).await
}

/// Reads a body `{"sites":["http.server"]}`.
fn read(json: &[u8]) -> Result<Vec<String>, Problem> {
    let mut body = Fields::read(json, BODY)?;
    let sites = body.take("sites");
    body.end()?;
    let Some(Value::Array(sites)) = sites else {
        let detail = "the field `sites` is no list, or is missing";
        return Err(fields::refuse("sites", detail, SITES));
    };
    let names = sites.into_iter().enumerate().map(|(at, site)| match site {
        Value::String(name) => Ok(name),
        other => {
            let field = format!("sites[{at}]");
            Err(fields::refuse(&field, format!("{other} is no text"), SITES))
        }
    });
    names.collect()
}

fn refuse(error: &ObserveError, id: &str, sites: &[String]) -> Problem {
    let of_site = |status, name: &str| {
        let at = sites.iter().position(|site| site == name);
        let field = at.map_or_else(|| "sites".to_owned(), |at| format!("sites[{at}]"));
        Problem::new(status, error.to_string()).at(field, SITES)
    };
    let problem = match error {
        ObserveError::UnknownRule => return Problem::unknown_rule(id),
        ObserveError::UnknownSite { name, .. } => of_site(StatusCode::NOT_FOUND, name),
        ObserveError::Connection { name, .. } => of_site(StatusCode::CONFLICT, name),
        ObserveError::TooManyRules => {
            let problem = Problem::new(StatusCode::CONFLICT, error.to_string());
            problem.at("rule", "16 at a time: DELETE the outcomes of another rule")
        }
        _ => fields::refuse("sites", error.to_string(), SITES),
    };
    problem.in_rule(id)
}

/// Returns the 404 for a rule that is not observed.
fn not_observed(injector: &Injector, id: &str) -> Problem {
    if injector.rules().find(id).is_none() {
        return Problem::unknown_rule(id);
    }
    let detail = format!("the rule `{id}` is not observed: PUT its outcomes first");
    Problem::new(StatusCode::NOT_FOUND, detail).in_rule(id)
}

fn outcomes_json(outcomes: &RuleOutcomes) -> Value {
    let sites: Vec<_> = outcomes.sites.iter().map(site_json).collect();
    json!({
        "rule": outcomes.rule.as_str(),
        "since": time(outcomes.since),
        "is_over": outcomes.is_over,
        "sites": sites,
    })
}

fn site_json(site: &SiteOutcomes) -> Value {
    let mut value = json!({
        "site": site.site,
        "hit": group_json(&site.hit),
        "spared": group_json(&site.spared),
        "unmatched": site.unmatched.as_ref().map(group_json),
    });
    if let Some(keys) = &site.keys {
        let keys = keys.iter();
        let keys = keys.map(
            |keys| json!({ "hit": counts_json(keys.hit), "spared": counts_json(keys.spared) }),
        );
        value["keys"] = keys.collect();
    }
    value
}

fn counts_json(counts: CallCounts) -> Value {
    json!({ "calls": counts.calls, "failed": counts.failed })
}

fn group_json(group: &OutcomeGroup) -> Value {
    let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
    let latency = group.latency.map(|latency| {
        json!({
            "p50": seconds(latency.p50),
            "p90": seconds(latency.p90),
            "p99": seconds(latency.p99),
        })
    });
    let histogram = group.histogram.iter();
    let histogram: Vec<_> = histogram
        .map(|(end, calls)| (u64::try_from(end.as_nanos()).unwrap_or(u64::MAX), *calls))
        .collect();
    json!({
        "calls": group.calls,
        "failed": group.failed,
        "latency": latency,
        "histogram_nanos": histogram,
    })
}
