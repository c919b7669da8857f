//! How long an answer is to be delayed.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{query, refuse, unknown};
use crate::{
    openapi::operation::{Asks, Operation},
    problem::Problem,
};

/// `?at_least=3&within=5`: the answer is delayed until there are this many injections, or this much
/// time has passed.
#[derive(Debug)]
pub(crate) struct WaitParams {
    pub(crate) at_least: u64,
    pub(crate) within: Duration,
}

/// `?for=2.5`: calls are counted for this many seconds before the answer.
#[derive(Debug)]
pub(crate) struct CountFor(pub(crate) Duration);

/// The longest wait in seconds, which is below the time limit of a request.
const LONGEST: f64 = 8.0;

impl<S: Sync> FromRequestParts<S> for WaitParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (mut at_least, mut within) = (0, Duration::ZERO);
        for (name, value) in form_urlencoded::parse(query(parts)) {
            match &*name {
                "at_least" => {
                    let number = value.parse();
                    at_least = number.map_err(|_| refuse(name, "a whole number, 0 or more"))?;
                }
                "within" => {
                    within = read_seconds(name, &value)?;
                }
                _ => return Err(unknown(name, "at_least, within, or no parameter")),
            }
        }
        Ok(Self { at_least, within })
    }
}

impl Asks for WaitParams {
    fn asks(operation: &mut Operation) {
        let does = "The number of injections to wait for.";
        operation.query("at_least", "AtLeast", does);
        let does = "The longest wait, in seconds.";
        operation.query("within", "Within", does);
    }
}

impl<S: Sync> FromRequestParts<S> for CountFor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut length = Duration::from_secs(2);
        for (name, value) in form_urlencoded::parse(query(parts)) {
            length = match &*name {
                "for" => read_seconds(name, &value)?,
                _ => return Err(unknown(name, "for, or no parameter")),
            };
        }
        Ok(Self(length))
    }
}

impl Asks for CountFor {
    fn asks(operation: &mut Operation) {
        let does = "How long calls are counted before the answer, in seconds.";
        operation.query("for", "CountFor", does);
    }
}

/// Reads how long an answer is to be delayed.
fn read_seconds(name: impl AsRef<str>, value: &str) -> Result<Duration, Problem> {
    let seconds = value.parse().ok();
    let allowed = seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds));
    let seconds = allowed.ok_or_else(|| refuse(name, "seconds, from 0 to 8"))?;
    Ok(Duration::from_secs_f64(seconds))
}
