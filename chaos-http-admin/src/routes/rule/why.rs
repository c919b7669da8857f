//! `/v1/rules/{id}/why`: what becomes of the calls at the watched sites of a rule.

use axum::{Extension, Json, extract::State, http::StatusCode};
use chaos_core::{Injector, SiteKind, Why, WhyCounts, WhySite};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::{extract::query::wait::CountFor, problem::Problem, routes::rule::Id, worker::Worker};

/// Counts for a while, and returns what has become of the calls. Without a watched site, it answers at once.
pub(crate) async fn show(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    Id(id): Id,
    CountFor(length): CountFor,
) -> Result<Json<Value>, Problem> {
    let (asked, rule) = (injector.clone(), id.clone());
    let question = worker.run(move || asked.ask_why(&rule)).await;
    let question = question.ok_or_else(|| Problem::unknown_rule(&id))?;
    if question.is_watched() {
        sleep(length).await;
    }
    let answer = move || match question.answer() {
        Some(why) => Ok(Json(as_json(&id, &why))),
        None => Err(changed(&injector, &id)),
    };
    worker.run(answer).await
}

/// Refuses to answer, because the rule has been deleted, or does something else now.
fn changed(injector: &Injector, id: &str) -> Problem {
    if injector.rules().find(id).is_none() {
        return Problem::unknown_rule(id);
    }
    let detail = "the rule was changed while its calls were counted, and counts anew";
    let problem = Problem::new(StatusCode::CONFLICT, detail).in_rule(id);
    problem.at("rule", "one that is left as it is meanwhile: ask again")
}

fn as_json(id: &str, why: &Why) -> Value {
    let is_watched = why.sites.iter().any(|site| site.calls.is_some());
    json!({
        "rule": id,
        "seconds": why.elapsed.as_millis() as f64 / 1e3,
        "sites": why.sites.iter().map(site_json).collect::<Vec<_>>(),
        "not_matched": why.not_matched(),
        "counted": is_watched.then(|| counts_json(&why.counted)),
        "total": counts_json(&why.total),
        "exempt": why.has_spared_exempt,
        "advice": advice(&why.sites),
    })
}

fn site_json(site: &WhySite) -> Value {
    let mismatches = site.mismatches.as_ref();
    let mismatches = mismatches
        .map(|counts| json!({ "compared": counts.compared, "first": counts.first.clone() }));
    let obstacles = site.obstacles.iter().map(|obstacle| obstacle.as_str());
    json!({
        "site": site.site.name(),
        "kind": site.site.kind().as_str(),
        "calls": site.calls,
        "mismatches": mismatches,
        "obstacles": obstacles.collect::<Vec<_>>(),
    })
}

fn counts_json(counts: &WhyCounts) -> Value {
    let spared = counts.overflow.iter().filter(|(_, calls)| *calls > 0);
    let spared: Map<_, _> = spared
        .map(|(limit, calls)| (limit.as_str().to_owned(), calls.into()))
        .collect();
    json!({
        "matched": counts.matched,
        "not_drawn": counts.not_drawn(),
        "overflow": spared,
        "injected": counts.injected,
        "shadowed": counts.shadowed,
    })
}

/// Returns what to do for the calls that are not matched to be known; nothing if they are.
fn advice(sites: &[WhySite]) -> Option<String> {
    let unwatched = sites.iter().filter(|site| site.calls.is_none());
    let unwatched: Vec<_> = unwatched.map(|site| site.site).collect();
    let is_connection = |site: &&chaos_core::Site| site.kind() == SiteKind::Connection;
    let Some(first) = unwatched.first() else {
        let detail = "no site of the rule is known: a site is known from its first call on, and \
                      GET /v1/sites lists those that are";
        return sites.is_empty().then(|| detail.to_owned());
    };
    if let Some(site) = unwatched.iter().copied().find(is_connection) {
        let name = site.name();
        let detail = "is one of connections, which cannot be watched: the calls that the rule does \
                      not match are not counted";
        return Some(format!("the site {name} {detail}"));
    }
    let which = match unwatched.len() == sites.len() {
        true => "no site of the rule is watched".to_owned(),
        false => format!("not all sites of the rule are watched: {}", first.name()),
    };
    Some(format!(
        "{which}, so the calls that it does not match are not counted: ask while \
         GET /v1/live?watch={} is open, as it is while the console shows the site, or use \
         `chaosctl why`, which opens it",
        first.name()
    ))
}
