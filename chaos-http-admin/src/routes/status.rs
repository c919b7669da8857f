//! `/v1/status`, `/v1/whoami`, `/v1/sites`, `/v1/sites/{name}/seen` and `/healthz`: the state of the injector.

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
};
use chaos_core::{
    COMPILED_OUT, HaltHolder, Injector, RuleId, Site, State as Chaos, guard_rail::OpenBreach,
    is_site_name, wire,
};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::{
    access::caller::Caller,
    extract::query::NoQuery,
    followers::Followers,
    history::{entry::time, process_id::process_id},
    openapi::operation::{Asks, Operation},
    problem::Problem,
    worker::Worker,
};

pub(crate) async fn status(
    State(injector): State<Injector>,
    caller: Caller,
    Extension(followers): Extension<Followers>,
) -> Json<Value> {
    // Those who ask for the status wait for each other, and a halt waits for one of them at most.
    let _turn = followers.status.lock().await;
    let (_, body) = report(&injector, &caller, &followers);
    yield_now().await;
    Json(body)
}

/// Returns who asks, so that a client can leave out what its role does not allow.
pub(crate) async fn whoami(caller: Caller, _: NoQuery) -> Json<Value> {
    Json(you(&caller))
}

fn you(caller: &Caller) -> Value {
    json!({ "name": caller.name(), "role": caller.role.as_str() })
}

/// Returns the status, and the generation that it describes.
pub(crate) fn report(injector: &Injector, caller: &Caller, followers: &Followers) -> (u64, Value) {
    let status = injector.status();
    let mut body = json!({
        "service": injector.service(),
        "run": process_id(),
        "since": time(injector.since()),
        "version": env!("CARGO_PKG_VERSION"),
        "you": you(caller),
        "state": status.state.as_str(),
        "generation": status.generation,
        "rules": status.rules,
        "overlays": status.overlays,
        "injected": status.injected,
        "active": status.active,
        "compiled_out": COMPILED_OUT,
        "breaches": status.breaches.iter().map(|open| breach(open)).collect::<Vec<_>>(),
        "policy": wire::policy_to_value(&injector.policy()),
    });
    if let Chaos::Halted {
        reason, by, ago, ..
    } = &status.state
    {
        let holders: Vec<_> = status.holders.iter().map(holder).collect();
        body["halted"] = json!({
            "reason": reason,
            "by": by.name(),
            "seconds_ago": seconds(*ago),
            "holders": holders,
        });
    }
    followers.report(injector, &mut body);
    (status.generation, body)
}

/// Returns the JSON of one of those who keep the injector halted.
fn holder(holder: &HaltHolder) -> Value {
    let mut value = json!({
        "kind": holder.kind.as_str(),
        "by": holder.by.name(),
        "address": holder.by.address(),
        "reason": holder.by.reason(),
        "seconds_ago": seconds(holder.ago),
        "locked": holder.locked,
    });
    if let Some(fleet) = &holder.fleet {
        value["fleet"] = (**fleet).into();
    }
    value
}

/// Returns the JSON of a breach that nobody has acknowledged.
fn breach(open: &OpenBreach) -> Value {
    let breach = &open.breach;
    json!({
        "rule": breach.rule.as_ref().map(RuleId::as_str),
        "site": breach.site,
        "measure": breach.measure.as_str(),
        "quantile": breach.measure.quantile(),
        "measured": breach.measured,
        "baseline": breach.baseline,
        "max_baseline": breach.max_baseline,
        "allowed": breach.allowed,
        "over_baseline": breach.over_baseline,
        "calls": breach.calls,
        "injected": breach.injected,
        "window": seconds(breach.window),
        "at": time(open.at),
        "text": open.to_string(),
    })
}

/// Returns seconds, in whole milliseconds: a finer value is outdated by the time it is read.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

pub(crate) async fn sites(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
) -> Json<Value> {
    Json(worker.run(move || list_sites(&injector)).await)
}

fn list_sites(injector: &Injector) -> Value {
    let set = injector.rules();
    let rules_at = |name: &str| -> Vec<&str> {
        let rules = set.rules().iter();
        let aimed = rules.filter(|rule| rule.site().matches(name));
        aimed.map(|rule| rule.id().as_str()).collect()
    };
    let sites = injector.sites().into_iter().map(|site| {
        json!({
            "name": site.name(),
            "kind": site.kind().as_str(),
            "file": site.file(),
            "line": site.line(),
            "labels": site.labels(),
            "armed": site.is_aimed_at(),
            "rules": rules_at(site.name()),
            "exempt": exempt(site),
        })
    });
    let sites: Vec<Value> = sites.collect();
    json!({ "sites": sites })
}

/// Returns which facts calls of a site had while it was watched.
pub(crate) async fn seen(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    SiteName(name): SiteName,
    _: NoQuery,
) -> Result<Json<Value>, Problem> {
    let detail = format!("no site is named {name}");
    let unknown = || {
        let allowed = "the name of a site that GET /v1/sites lists";
        Problem::new(StatusCode::NOT_FOUND, detail).at("name", allowed)
    };
    let seen = worker.run(move || injector.seen(&name)).await;
    let seen = seen.ok_or_else(unknown)?;
    Ok(Json(json!({
        "methods": seen.methods,
        "paths": seen.paths,
        "hosts": seen.hosts,
        "labels": seen.labels,
    })))
}

/// The name of a site, from the path.
#[derive(Debug)]
pub(crate) struct SiteName(String);

impl<S: Send + Sync> FromRequestParts<S> for SiteName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let name = path.ok().filter(|Path(name)| is_site_name(name));
        let Path(name) = name.ok_or_else(|| {
            let detail = "the path has no name of a site";
            let allowed = "parts of A-Z a-z 0-9 _ - with dots between them";
            Problem::new(StatusCode::BAD_REQUEST, detail).at("name", allowed)
        })?;
        Ok(Self(name))
    }
}

impl Asks for SiteName {
    fn asks(operation: &mut Operation) {
        operation.path("name", "SiteName", "The name of the site.");
    }
}

/// Returns which calls no rule may hit at a site.
fn exempt(site: &Site) -> Value {
    let exempt = site.exemptions();
    let paths: Vec<_> = exempt.paths().iter().map(wire::text_to_value).collect();
    json!({ "health_checks": exempt.health_checks(), "paths": paths })
}

/// Answers that the port works. It says nothing about the service.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}
