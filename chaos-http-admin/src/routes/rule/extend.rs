//! `/v1/rules/{id}/extend`: moves the deadline of a rule. Its counts, limits and draws go on.

use std::time::Duration;

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use chaos_core::{Injector, rule::ExtendError, wire};
use serde_json::Value;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::IfMatch,
        fields::{self, Fields},
        query::ReasonParam,
    },
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
    let mut body = Fields::read(json, BODY)?;
    let by = body.take("by");
    body.end()?;
    let Some(Value::String(by)) = by else {
        let detail = "the field `by` is no text, or is missing";
        return Err(fields::refuse("by", detail, BY));
    };
    let time = wire::duration_from_text(&by);
    let time = time.map_err(|error| fields::refuse("by", error.problem(), BY))?;
    match time.is_zero() {
        true => Err(fields::refuse(
            "by",
            format!("{by:?} is no time at all"),
            BY,
        )),
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
