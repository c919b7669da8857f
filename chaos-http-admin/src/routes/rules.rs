//! `/v1/rules`: reads and replaces the whole rule set.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use chaos_core::{Injector, rule::Change, wire};
use serde_json::{Value, json};

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, etag},
        query::DryRun,
    },
    problem::Problem,
    routes::{difference::Difference, optimistic_edit::edit, rule_json, warnings},
};

pub(crate) async fn list(State(injector): State<Injector>) -> Response {
    let (set, counts) = injector.report();
    let sites = injector.sites();
    let mut warnings = warnings::by_rule(&injector, set.rules().iter().map(|rule| &**rule));
    let rules = set.rules().iter().zip(&counts);
    let rules: Vec<Value> = rules
        .map(|(rule, counts)| {
            let warnings = warnings.remove(rule.id().as_str()).unwrap_or_default();
            rule_json::rule(rule, Some(counts), &sites, warnings)
        })
        .collect();
    let generation = set.generation();
    let body = json!({ "generation": generation, "rules": rules });
    (etag(generation), Json(body)).into_response()
}

pub(crate) async fn replace(
    State(injector): State<Injector>,
    caller: Caller,
    DryRun { dry_run, because }: DryRun,
    if_match: IfMatch,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let rules = wire::rules_from_json(&json)?;
    injector.check(&rules)?;
    if dry_run {
        // An injector without sites validates the list as the real one would.
        Injector::new().replace(rules.clone())?;
        let current = injector.rules();
        if_match.check(current.generation(), true)?;
        let warnings = warnings::of(&injector, &rules).collect();
        let difference = Difference::between(&current, &rules).warned(warnings);
        return Ok(difference.answer().into_response());
    }
    let (generation, difference) = edit(&injector, &caller.because(because), |current| {
        if_match.check(current.generation(), true)?;
        let difference = Difference::between(current, &rules);
        Ok((Change::Replace(rules.clone()), difference))
    })?;
    let warnings = warnings::of(&injector, &rules).collect();
    Ok(difference.warned(warnings).made(generation).into_response())
}
