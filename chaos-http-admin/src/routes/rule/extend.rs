//! `/v1/rules/{id}/extend`: moves the deadline of a rule. Its counts, limits and draws go on.

use std::time::Duration;

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use chaos_core::{Injector, rule::ExtendError, wire};
use serde_json::Value;

use crate::{
    access::caller::Caller,
    extract::{body::JsonBody, etag::IfMatch, query::ReasonParam},
    followers::Followers,
    problem::Problem,
    routes::{
        edit_permit::{Extent, acquire_edit},
        rule::{Id, shown},
    },
};

const BODY: &str = "an object with `by`, a duration";
const BY: &str = "a duration such as \"5m\" or \"1h 30m\", more than 0s, at most 365 days";

pub(crate) async fn extend(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    Id(id): Id,
    ReasonParam(because): ReasonParam,
    if_match: IfMatch,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let by = read(&json)?;
    let permit = acquire_edit(&followers, Extent::One).await?;
    let extend = move || {
        let _permit = permit;
        let actor = caller.because(because);
        loop {
            let rules = injector.rules();
            let rule = rules.find(&id).ok_or_else(|| Problem::unknown_rule(&id))?;
            if_match.check(rules.generation(), true)?;
            // Without a reason of its own, it goes on for the reason of the rule.
            let actor = match (actor.reason(), rule.reason()) {
                (None, Some(reason)) => actor.clone().because(reason),
                _ => actor.clone(),
            };
            let generation = rules.generation();
            match (injector.as_actor(actor)).extend(&id, by, Some(generation)) {
                Ok(_) => return Ok(shown(&injector, generation, rule)),
                Err(ExtendError::Stale { .. }) => {}
                Err(error) => return Err(refuse(&error, &id)),
            }
        }
    };
    followers.worker.run(extend).await
}

/// Reads a body `{"by":"5m"}`.
fn read(json: &[u8]) -> Result<Duration, Problem> {
    let wrong = |field: &str, detail: String, allowed: &str| {
        Problem::new(StatusCode::BAD_REQUEST, detail).at(field, allowed)
    };
    let body =
        serde_json::from_slice(json).map_err(|error| wrong("body", error.to_string(), BODY))?;
    let Value::Object(mut body) = body else {
        let detail = "the body is not a JSON object".to_owned();
        return Err(wrong("body", detail, BODY));
    };
    let by = body.remove("by");
    if let Some(other) = body.keys().next() {
        return Err(wrong(other, format!("unknown field `{other}`"), BODY));
    }
    let Some(Value::String(by)) = by else {
        let detail = "the field `by` is no text, or is missing".to_owned();
        return Err(wrong("by", detail, BY));
    };
    let time = wire::duration_from_text(&by);
    let time = time.map_err(|error| wrong("by", error.problem().to_owned(), BY))?;
    match time.is_zero() {
        true => Err(wrong("by", format!("{by:?} is no time at all"), BY)),
        false => Ok(time),
    }
}

fn refuse(error: &ExtendError, id: &str) -> Problem {
    let problem = Problem::new(StatusCode::CONFLICT, error.to_string()).in_rule(id);
    match error {
        ExtendError::Unknown => Problem::unknown_rule(id),
        ExtendError::TooLong { most, .. } if most.is_zero() => {
            problem.at("by", "no extension: the rule ends as late as it may")
        }
        ExtendError::TooLong { most, .. } => problem.at("by", format!("at most {most:?}")),
        ExtendError::Disabled => problem.at("enabled", "an enabled rule: PATCH {\"enabled\":true}"),
        ExtendError::NoDeadline => problem.at("ttl", "a rule with a ttl other than \"never\""),
        ExtendError::Ended => problem.at("ttl", "a rule that has not ended: a PUT arms it anew"),
        _ => problem,
    }
}
