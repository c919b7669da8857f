//! `/v1/undo`: undoes the changes of an entry of the audit.

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chaos_core::{Injector, Rule, audit::UndoError, rule::ChangeError, wire};
use serde_json::Value;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, etag},
        fields::{self, Fields},
        query::ReasonParam,
    },
    followers::Followers,
    history::entry,
    problem::Problem,
    routes::edit_permit::{Extent, acquire_edit},
};

const BODY: &str = "an object with `entry`, the id of an entry of the audit";

/// Undoes an entry, and answers with the entry that records this.
pub(crate) async fn undo(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    ReasonParam(because): ReasonParam,
    if_match: IfMatch,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let id = read(&json)?;
    let permit = acquire_edit(&followers, Extent::All).await?;
    let undo = move || {
        let _permit = permit;
        let actor = caller.because(because);
        loop {
            let generation = injector.rules().generation();
            if_match.check(generation, true)?;
            match (injector.as_actor(actor.clone())).undo(id, Some(generation)) {
                Ok(undone) => {
                    let body = Json(entry::entry(&undone));
                    return Ok((etag(undone.generation), body).into_response());
                }
                Err(UndoError::Refused(ChangeError::Stale { .. })) => {}
                Err(error) => return Err(refuse(error)),
            }
        }
    };
    followers.worker.run(undo).await
}

/// Reads a body `{"entry":38}`.
fn read(json: &[u8]) -> Result<u64, Problem> {
    let mut body = Fields::read(json, BODY)?;
    let entry = body.take("entry");
    body.end()?;
    let id = entry.as_ref().and_then(fields::whole);
    let detail = "the field `entry` is no id, or is missing";
    id.ok_or_else(|| fields::refuse("entry", detail, "the id of an entry, a whole number"))
}

fn refuse(error: UndoError) -> Problem {
    let conflict = |detail: String| Problem::new(StatusCode::CONFLICT, detail);
    let detail = error.to_string();
    match error {
        UndoError::Unknown { last, .. } => {
            let problem = Problem::new(StatusCode::NOT_FOUND, detail);
            problem.at("entry", format!("the id of an entry, {last} at most"))
        }
        UndoError::Dropped => {
            let problem = Problem::new(StatusCode::GONE, detail);
            problem.at("entry", "an entry that `GET /v1/audit` lists")
        }
        UndoError::NotAnEdit { .. } => conflict(detail).at(
            "entry",
            "an entry of the action put, edit, remove, replace or undo",
        ),
        UndoError::NothingWritten => {
            conflict(detail).at("entry", "an entry that changes what is written in a rule")
        }
        UndoError::EditedSince {
            rule,
            left,
            current,
            ..
        } => {
            let difference = difference(left.as_deref(), current.as_deref());
            let problem = conflict(format!("{detail}; {difference}"));
            let allowed = "an entry whose rules are as it has left them";
            problem.at("entry", allowed).in_rule(rule.as_str())
        }
        UndoError::Refused(ChangeError::Rule(error)) => {
            let problem = Problem::from(error);
            problem.with_status(StatusCode::CONFLICT)
        }
        UndoError::Refused(error) => error.into(),
        _ => conflict(detail),
    }
}

/// Returns in words how a rule differs from what an entry has left.
fn difference(left: Option<&Rule>, current: Option<&Rule>) -> String {
    let (left, current) = match (left, current) {
        (Some(left), Some(current)) => (wire::rule_to_value(left), wire::rule_to_value(current)),
        (Some(_), None) => return "it is gone".to_owned(),
        (None, _) => return "it is there again".to_owned(),
    };
    let fields = |rule: &Value| rule.as_object().cloned().unwrap_or_default();
    let (left, current) = (fields(&left), fields(&current));
    let all = left
        .keys()
        .chain(current.keys().filter(|name| !left.contains_key(*name)));
    let other: Vec<_> = all
        .filter(|name| left.get(*name) != current.get(*name))
        .map(String::as_str)
        .collect();
    match other[..] {
        [] => "it was written in another way".to_owned(),
        _ => format!("what differs: {}", other.join(", ")),
    }
}
