//! `/v1/halt`, `/v1/resume` and `/v1/acknowledge`: the kill switch, and how it is undone. Each
//! requires a reason.

use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use chaos_core::Injector;
use serde_json::Value;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, etag},
        query::{MAX_REASON, NoQuery},
    },
    followers::Followers,
    openapi::operation::{Asks, Operation},
    problem::Problem,
    routes::status,
};

/// Halts all injection, and answers with the resulting status. If it was halted already, the caller
/// is one more holder.
///
/// `If-Match` is not read: a kill switch must work whatever the rules are.
pub(crate) async fn halt(
    State(injector): State<Injector>,
    caller: Caller,
    Extension(followers): Extension<Followers>,
    _: NoQuery,
    Reason(reason): Reason,
) -> impl IntoResponse {
    let actor = caller.because(Some(&reason));
    match injector.as_actor(actor.clone()).halt() {
        true => tracing::warn!(target: "chaos", reason, who = %actor, "halted"),
        false => tracing::warn!(target: "chaos", reason, who = %actor, "halted again"),
    }
    status(&injector, &followers)
}

/// Resumes injection, whoever has halted it. With `If-Match`, it does so only if the rules have not changed
/// since the client has read them.
pub(crate) async fn resume(
    State(injector): State<Injector>,
    caller: Caller,
    Extension(followers): Extension<Followers>,
    _: NoQuery,
    if_match: IfMatch,
    Reason(reason): Reason,
) -> Result<impl IntoResponse, Problem> {
    // An edit between the check and the resume has the same effect as one right after the resume.
    if_match.check(injector.rules().generation(), true)?;
    let actor = caller.because(Some(&reason));
    if injector.as_actor(actor.clone()).resume()? {
        tracing::warn!(target: "chaos", reason, who = %actor, "resumed");
    }
    Ok(status(&injector, &followers))
}

/// Acknowledges breaches of guard rails, and answers with the resulting status. It does not resume.
pub(crate) async fn acknowledge(
    State(injector): State<Injector>,
    caller: Caller,
    Extension(followers): Extension<Followers>,
    _: NoQuery,
    Reason(reason): Reason,
) -> impl IntoResponse {
    let actor = caller.because(Some(&reason));
    if injector.as_actor(actor.clone()).acknowledge() > 0 {
        tracing::warn!(target: "chaos", reason, who = %actor, "acknowledged");
    }
    status(&injector, &followers)
}

fn status(injector: &Injector, followers: &Followers) -> impl IntoResponse + use<> {
    let (generation, body) = status::report(injector, followers);
    (etag(generation), Json(body))
}

/// The reason in a body `{"reason":"…"}`.
pub(crate) struct Reason(String);

impl Reason {
    fn read(json: &[u8]) -> Result<Self, Problem> {
        let refuse = |field: &str, detail: String| {
            let problem = Problem::new(StatusCode::BAD_REQUEST, detail);
            problem.at(
                field,
                "an object with `reason`, a text of 1 to 1000 characters",
            )
        };
        let body = serde_json::from_slice(json).map_err(|e| refuse("body", e.to_string()))?;
        let Value::Object(mut body) = body else {
            return Err(refuse("body", "the body is not a JSON object".to_owned()));
        };
        let reason = body.remove("reason");
        if let Some(other) = body.keys().next() {
            return Err(refuse(other, format!("unknown field `{other}`")));
        }
        match reason {
            Some(Value::String(reason))
                if !reason.trim().is_empty() && reason.chars().count() <= MAX_REASON =>
            {
                Ok(Self(reason))
            }
            Some(_) => Err(refuse(
                "reason",
                "the reason is not a text of 1 to 1000 characters".to_owned(),
            )),
            None => Err(refuse("reason", "the field `reason` is missing".to_owned())),
        }
    }
}

impl Asks for Reason {
    fn asks(operation: &mut Operation) {
        JsonBody::asks(operation);
    }
}

impl<S: Sync> FromRequest<S> for Reason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBody(json) = JsonBody::from_request(request, state).await?;
        Self::read(&json)
    }
}
