//! `/v1/explain`: what each rule that aims at a site would do with a call. It injects and counts nothing.

mod asked_call;

use axum::{Extension, Json, extract::State, http::StatusCode};
use chaos_core::{Explanation, Injector, Site, SiteKind, matcher::Mismatch, wire};
use serde_json::{Value, json};

use crate::{
    extract::{
        body::JsonBody,
        fields::{Fields, refuse},
        query::NoQuery,
    },
    problem::Problem,
    routes::explain::asked_call::AskedCall,
    worker::Worker,
};

const BODY: &str = "an object with `site` and optionally `call`";
const SITE: &str = "the name of a site that `GET /v1/sites` lists";
/// How many names of sites a refusal lists.
const MOST_LISTED: usize = 20;

pub(crate) async fn explain(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    NoQuery: NoQuery,
    JsonBody(json): JsonBody,
) -> Result<Json<Value>, Problem> {
    worker.run(move || answer(&injector, &json)).await
}

fn answer(injector: &Injector, json: &[u8]) -> Result<Json<Value>, Problem> {
    let mut body = Fields::read(json, BODY)?;
    let (site, call) = (body.take("site"), body.take("call"));
    body.end()?;
    let Some(Value::String(site)) = site else {
        return Err(refuse(
            "site",
            "the field `site` is no text, or is missing",
            SITE,
        ));
    };
    let sites = injector.sites().into_iter();
    let sites: Vec<_> = sites.filter(|known| known.name() == site).collect();
    let Some(first) = sites.first() else {
        return Err(no_such_site(injector));
    };
    let call = AskedCall::read(call, &sites)?;
    let passed = layer_for(&call, &sites).unwrap_or(first);
    let rules = call.with(|call| injector.explain(passed, call)).into_iter();
    Ok(Json(json!({
        "site": site,
        "kind": passed.kind().as_str(),
        "rules": rules.map(|rule| as_json(&rule)).collect::<Vec<_>>(),
    })))
}

/// Returns the layer of several sites with one name, if the call is a request.
fn layer_for(call: &AskedCall, sites: &[&'static Site]) -> Option<&'static Site> {
    let mut layers = sites.iter().filter(|site| site.kind() == SiteKind::Layer);
    layers.next().copied().filter(|_| call.is_request())
}

/// Returns the 404 for a site that does not exist.
fn no_such_site(injector: &Injector) -> Problem {
    let mut names: Vec<_> = injector.sites().iter().map(|site| site.name()).collect();
    names.dedup();
    names.truncate(MOST_LISTED);
    let allowed = match names[..] {
        [] => SITE.to_owned(),
        _ => format!("{SITE}, such as {}", names.join(", ")),
    };
    let problem = Problem::new(StatusCode::NOT_FOUND, "there is no such site");
    problem.at("site", allowed)
}

fn as_json(explained: &Explanation) -> Value {
    let key = explained.key.as_ref();
    let obstacles = explained.obstacles.iter().map(|obstacle| obstacle.as_str());
    json!({
        "rule": explained.rule.id().as_str(),
        "matches": explained.mismatches.is_empty(),
        "mismatches": explained.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
        "key": key.map(|(key, value)| json!({ "key": key.to_string(), "value": value })),
        "draw": explained.draw,
        "rate": explained.share,
        "obstacles": obstacles.collect::<Vec<_>>(),
        "hits": explained.hits,
    })
}

fn mismatch(mismatch: &Mismatch) -> Value {
    json!({
        "field": mismatch.field,
        "wanted": wire::text_to_value(&mismatch.wanted),
        "got": mismatch.got,
    })
}
