//! `/v1/status`, `/v1/sites` and `/healthz`: the state of the injector.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use chaos_core::{COMPILED_OUT, HaltHolder, Injector, Site, State as Chaos, wire};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::{followers::Followers, worker::Worker};

pub(crate) async fn status(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
) -> Json<Value> {
    // Those who ask for the status wait for each other, and a halt waits for one of them at most.
    let _turn = followers.status.lock().await;
    let (_, body) = report(&injector, &followers);
    yield_now().await;
    Json(body)
}

/// Returns the status, and the generation that it describes.
pub(crate) fn report(injector: &Injector, followers: &Followers) -> (u64, Value) {
    let status = injector.status();
    let mut body = json!({
        "state": status.state.as_str(),
        "generation": status.generation,
        "rules": status.rules,
        "overlays": status.overlays,
        "injected": status.injected,
        "active": status.active,
        "compiled_out": COMPILED_OUT,
        "breaches": status.breaches.iter().map(|breach| &**breach).collect::<Vec<_>>(),
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
    json!({
        "kind": holder.kind.as_str(),
        "by": holder.by.name(),
        "address": holder.by.address(),
        "reason": holder.by.reason(),
        "seconds_ago": seconds(holder.ago),
        "locked": holder.locked,
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
