//! `/v1/tokens`: signs rule tokens.

use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode, response::IntoResponse};
use chaos_core::{
    Injector,
    log::log,
    token::{self, TokenError, TokenKey},
};
use serde_json::{Value, json};

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        fields::{Fields, refuse},
        query::NoQuery,
    },
    followers::Followers,
    problem::Problem,
    routes::edit_permit::{Extent, acquire_edit},
};

const BODY: &str = "an object with `subject`, `expires_in` and `rules`";
const SUBJECT: &str = "a text of 1 to 256 bytes that names who uses the token";
const EXPIRES_IN: &str = "seconds, more than 0 and at most the maximum of the key";
const RULES: &str = "a list of 1 to 16 rules";

/// The key with which rule tokens are signed, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signer(pub(crate) Option<TokenKey>);

/// Signs a token that carries rules with the requests that present it.
pub(crate) async fn sign(
    State(injector): State<Injector>,
    Extension(Signer(key)): Extension<Signer>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    NoQuery: NoQuery,
    JsonBody(json): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let permit = acquire_edit(&followers, Extent::One).await?;
    let sign = move || {
        let _permit = permit;
        answer(&injector, key, &caller, &json)
    };
    followers.worker.run(sign).await
}

fn answer(
    injector: &Injector,
    key: Option<TokenKey>,
    caller: &Caller,
    json: &[u8],
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Some(key) = key else {
        // A missing key is no server error: it needs no alert.
        let detail = "this port has no key for signing rule tokens";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let mut body = Fields::read(json, BODY)?;
    let Some(Value::String(subject)) = body.take("subject") else {
        return Err(refuse(
            "subject",
            "the field `subject` is not a text",
            SUBJECT,
        ));
    };
    let seconds = body.take("expires_in").and_then(|seconds| seconds.as_f64());
    let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
    let lifetime = lifetime.ok_or_else(|| {
        refuse(
            "expires_in",
            "the field `expires_in` is not a duration",
            EXPIRES_IN,
        )
    })?;
    let Some(rules) = body.take("rules") else {
        return Err(refuse("rules", "the field `rules` is missing", RULES));
    };
    body.end()?;
    // As a service reads them from the token.
    let rules = token::rules_from_value(rules)?;
    injector.check(&rules)?;
    let actor = caller.because(None::<&str>);
    let signed = injector.as_actor(actor.clone());
    let token = signed.sign(&key, &subject, lifetime, &rules);
    let token = token.map_err(|error| match error {
        TokenError::Refused(error) => error.into(),
        TokenError::TooLong | TokenError::Expired => {
            refuse("expires_in", error.to_string(), EXPIRES_IN)
        }
        TokenError::Malformed => refuse("subject", error.to_string(), SUBJECT),
        error => refuse("rules", error.to_string(), RULES),
    })?;
    log(move || tracing::info!(target: "chaos", who = %actor, subject, "signed a rule token"));
    Ok((StatusCode::CREATED, Json(json!({ "token": token }))))
}
