//! `/v1/rules/{id}`: reads and writes one rule.

pub(crate) mod extend;
pub(crate) mod outcomes;
pub(crate) mod why;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, State, rejection::PathRejection},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use chaos_core::{Counts, Injector, Rule, rule::Change, wire};
use tokio::time::timeout;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, Preconditions, etag},
        patch::Patch,
        query::{DryRun, ReasonParam, wait::WaitParams},
    },
    followers::Followers,
    openapi::operation::{Asks, Operation},
    problem::Problem,
    routes::{
        edit_permit::{Extent, acquire_edit},
        optimistic_edit::edit,
        rule_json, warnings,
    },
    worker::Worker,
};

pub(crate) async fn show(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let show = move || {
        let (set, counts) = injector.report();
        let mut rules = set.rules().iter().zip(&counts);
        let (rule, counts) = rules
            .find(|(rule, _)| rule.id().as_str() == id)
            .ok_or_else(|| Problem::unknown_rule(&id))?;
        let warnings = warnings::of(&injector, [&**rule]).collect();
        let body = rule_json::rule(rule, Some(counts), &injector.sites(), warnings);
        Ok((etag(set.generation()), Json(body)).into_response())
    };
    worker.run(show).await
}

/// Returns the number of a rule's injections alone, which the probes of other tools can compare. It
/// can wait for a number.
pub(crate) async fn injections(
    State(injector): State<Injector>,
    Id(id): Id,
    WaitParams { at_least, within }: WaitParams,
) -> Result<Json<u64>, Problem> {
    let waited = timeout(within, injector.wait_for(&id, at_least)).await;
    // After the timeout, or once the rule has expired, the answer is the present number.
    let now = || injector.counts(&id).map(|counts| counts.injected);
    let injected = waited.ok().flatten().or_else(now);
    injected.map(Json).ok_or_else(|| Problem::unknown_rule(&id))
}

pub(crate) async fn put(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    Id(id): Id,
    DryRun { dry_run, because }: DryRun,
    preconditions: Preconditions,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let permit = match dry_run {
        true => None,
        false => Some(acquire_edit(&followers, Extent::One).await?),
    };
    let put = move || {
        let _permit = permit;
        let rule = wire::rule_from_json(&json, Some(&id))?;
        injector.check([&rule])?;
        let actor = caller.because(because);
        let (generation, existed) = edit(&injector, &actor, dry_run, |current| {
            let exists = current.find(&id).is_some();
            preconditions.check(current.generation(), exists)?;
            Ok((Change::Put(rule.clone()), exists))
        })?;
        let status = match existed || dry_run {
            true => StatusCode::OK,
            false => StatusCode::CREATED,
        };
        let body = match dry_run {
            true => not_in_force(&injector, generation, &rule),
            false => shown(&injector, generation, &rule),
        };
        Ok((status, body).into_response())
    };
    followers.worker.run(put).await
}

/// Applies a merge patch. The change is an edit, not a put, so that a new reason on an expired rule
/// does not arm it.
pub(crate) async fn patch(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    Id(id): Id,
    DryRun { dry_run, because }: DryRun,
    if_match: IfMatch,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let patch = Patch::read(&json)?;
    let permit = match patch.only_disables() || dry_run {
        true => None,
        false => Some(acquire_edit(&followers, Extent::One).await?),
    };
    let patch = move || {
        let _permit = permit;
        let actor = caller.because(because);
        let (generation, rule) = edit(&injector, &actor, dry_run, |current| {
            let rule = current.find(&id);
            let rule = rule.ok_or_else(|| Problem::unknown_rule(&id))?;
            if_match.check(current.generation(), true)?;
            let rule = patch.apply(rule)?;
            injector.check([&rule])?;
            Ok((Change::Edit(rule.clone()), rule))
        })?;
        Ok(match dry_run {
            true => not_in_force(&injector, generation, &rule),
            false => shown(&injector, generation, &rule),
        })
    };
    followers.worker.run(patch).await
}

pub(crate) async fn delete(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    caller: Caller,
    Id(id): Id,
    DryRun { dry_run, because }: DryRun,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let delete = move || {
        let actor = caller.because(because);
        let (generation, ()) = edit(&injector, &actor, dry_run, |current| {
            let rule = current.find(&id);
            let rule = rule.ok_or_else(|| Problem::unknown_rule(&id))?;
            if_match.check(current.generation(), true)?;
            Ok((Change::Remove(rule.id().clone()), ()))
        })?;
        Ok((StatusCode::NO_CONTENT, etag(generation)).into_response())
    };
    worker.run(delete).await
}

/// Releases the calls that the rule's `pause` holds. Calls that are paused later wait for the next
/// release.
pub(crate) async fn release(
    State(injector): State<Injector>,
    caller: Caller,
    Id(id): Id,
    ReasonParam(because): ReasonParam,
) -> Result<StatusCode, Problem> {
    if injector.as_actor(caller.because(because)).release(&id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::unknown_rule(&id))
    }
}

/// Returns the rule as it was written, even if it has changed since: the tag is that of the write.
fn shown(injector: &Injector, generation: u64, rule: &Rule) -> Response {
    let counts = injector.counts(rule.id().as_str());
    answer(injector, generation, rule, counts.as_ref())
}

/// Returns the answer to a dry run: the rule as it would be in force, which it is not, and so without counts.
fn not_in_force(injector: &Injector, generation: u64, rule: &Rule) -> Response {
    answer(injector, generation, rule, None)
}

fn answer(injector: &Injector, generation: u64, rule: &Rule, counts: Option<&Counts>) -> Response {
    let warnings = warnings::of(injector, [rule]).collect();
    let body = rule_json::rule(rule, counts, &injector.sites(), warnings);
    (etag(generation), Json(body)).into_response()
}

/// The id in the path, percent-decoded. Whether it is a valid id is checked with the rule.
#[derive(Debug)]
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|error: PathRejection| {
            let problem = Problem::new(error.status(), error.body_text());
            problem.at("id", "1 to 128 of A-Z a-z 0-9 . _ : -")
        })?;
        Ok(Self(id))
    }
}

impl Asks for Id {
    fn asks(operation: &mut Operation) {
        operation.path("id", "RuleId", "The id of the rule.");
    }
}
