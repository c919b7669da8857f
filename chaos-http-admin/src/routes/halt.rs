//! `/v1/halt`, `/v1/resume` and `/v1/acknowledge`: the kill switch, and how it is undone. What undoes it
//! requires a reason.

use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State},
    response::IntoResponse,
};
use chaos_core::{Injector, log::log};
use hyper::body::Body as _;
use serde_json::Value;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, etag},
        fields::{Fields, refuse},
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
    OptionalReason(reason): OptionalReason,
) -> impl IntoResponse {
    let actor = caller.because(Some(&reason));
    let is_first = injector.as_actor(actor.clone()).halt();
    log(move || match is_first {
        true => tracing::warn!(target: "chaos", reason, who = %actor, "halted"),
        false => tracing::warn!(target: "chaos", reason, who = %actor, "halted again"),
    });
    status(&injector, &caller, &followers)
}

/// Resumes injection, whoever has halted it. With `If-Match`, it does so only if the rules have not changed
/// since the client has read them.
///
/// A worker of its own does it, because a [`HaltHook`](chaos_core::HaltHook) may have to remove a file.
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
    let (resumed, by) = (injector.clone(), actor.clone());
    let resume = move || resumed.as_actor(by).resume();
    if followers.resumes.run(resume).await? {
        log(move || tracing::warn!(target: "chaos", reason, who = %actor, "resumed"));
    }
    Ok(status(&injector, &caller, &followers))
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
        log(move || tracing::warn!(target: "chaos", reason, who = %actor, "acknowledged"));
    }
    status(&injector, &caller, &followers)
}

fn status(
    injector: &Injector,
    caller: &Caller,
    followers: &Followers,
) -> impl IntoResponse + use<> {
    let (generation, body) = status::report(injector, caller, followers);
    (etag(generation), Json(body))
}

/// The reason in a body `{"reason":"…"}`.
pub(crate) struct Reason(String);

impl Reason {
    fn read(json: &[u8]) -> Result<Self, Problem> {
        const BODY: &str = "an object with `reason`, a text of 1 to 1000 characters";
        let mut body = Fields::read(json, BODY)?;
        let reason = body.take("reason");
        body.end()?;
        match reason {
            Some(Value::String(reason))
                if !reason.trim().is_empty() && reason.chars().count() <= MAX_REASON =>
            {
                Ok(Self(reason))
            }
            Some(_) => Err(refuse(
                "reason",
                "the reason is not a text of 1 to 1000 characters",
                BODY,
            )),
            None => Err(refuse("reason", "the field `reason` is missing", BODY)),
        }
    }
}

/// The reason of a halt, for which nobody has to look up how it is written: without a body, or without a
/// reason in it, the reason is "none given".
pub(crate) struct OptionalReason(String);

const NONE_GIVEN: &str = "none given";

impl Asks for OptionalReason {
    fn asks(operation: &mut Operation) {
        JsonBody::asks(operation);
    }
}

impl<S: Sync> FromRequest<S> for OptionalReason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let given = |reason: Option<Reason>| {
            Self(reason.map_or_else(|| NONE_GIVEN.to_owned(), |Reason(reason)| reason))
        };
        // A page of another site cannot send a token, nor connect to a Unix socket, and a body that it
        // sends to a port without tokens has another content type. It can send no body at all.
        let is_trusted = request
            .extensions()
            .get::<Caller>()
            .is_some_and(Caller::is_no_page);
        let has_body = !request.body().is_end_stream();
        if is_trusted && !has_body {
            return Ok(given(None));
        }
        let JsonBody(json) = match is_trusted {
            true => JsonBody::of_any_type(request).await?,
            false => JsonBody::from_request(request, state).await?,
        };
        if is_trusted && (json.trim_ascii().is_empty() || is_empty_object(&json)) {
            return Ok(given(None));
        }
        Reason::read(&json).map(Some).map(given)
    }
}

fn is_empty_object(json: &[u8]) -> bool {
    matches!(serde_json::from_slice(json), Ok(Value::Object(fields)) if fields.is_empty())
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
