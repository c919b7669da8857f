//! The query of a write. A parameter that is not known is refused: a misspelt `dry_run` must not
//! turn a question into a deed.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use crate::problem::Problem;

/// `?dry_run=true`: say what would change, and change nothing.
#[derive(Debug)]
pub(crate) struct DryRun(pub(crate) bool);

/// No parameters at all.
#[derive(Debug)]
pub(crate) struct NoQuery;

impl<S: Sync> FromRequestParts<S> for DryRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut dry_run = false;
        for (name, value) in form_urlencoded::parse(query(parts)) {
            dry_run = match (&*name, &*value) {
                ("dry_run", "true") => true,
                ("dry_run", "false") => false,
                ("dry_run", _) => return Err(refuse("dry_run", "true or false")),
                _ => return Err(refuse(name, "dry_run, or no parameter")),
            };
        }
        Ok(Self(dry_run))
    }
}

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match form_urlencoded::parse(query(parts)).next() {
            Some((name, _)) => Err(refuse(name, "no parameter")),
            None => Ok(Self),
        }
    }
}

fn query(parts: &Parts) -> &[u8] {
    parts.uri.query().unwrap_or_default().as_bytes()
}

fn refuse(name: impl Into<String>, allowed: &str) -> Problem {
    let problem = Problem::new(StatusCode::BAD_REQUEST, "the query cannot be understood");
    problem.at(name, allowed)
}
