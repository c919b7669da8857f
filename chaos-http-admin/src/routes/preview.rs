//! `/v1/preview` and `/v1/rules/{id}/decisions`: which calls a rule would hit, and which it has
//! hit. Neither injects or changes anything.

use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode};
use chaos_core::{Injector, Rule, wire};
use serde_json::{Value, json};

use crate::{
    extract::{
        body::JsonBody,
        fields::{Fields, refuse, whole},
        query::NoQuery,
    },
    problem::Problem,
    routes::{rule::Id, warnings},
    worker::Worker,
};

/// The number of calls that one request may ask about.
const MOST: usize = 10_000;

const BODY: &str = "an object with `rule`, either `ordinals` or `keys`, and optionally `after`";
const RULE: &str = "the id of a rule as a text, or a rule as an object";
const ORDINALS: &str =
    "a range [first, end] of at most 10000 calls, without its end, such as [0, 100]";
const KEYS: &str = "a list of at most 10000 texts";
const AFTER: &str = "seconds since the rule was armed, 0 or more";

/// Returns the calls that a rule has hit, in the form of a `replay`, if they are known.
pub(crate) async fn decisions(
    State(injector): State<Injector>,
    Id(id): Id,
    NoQuery: NoQuery,
) -> Result<Json<Value>, Problem> {
    let rules = injector.rules();
    let rule = rules.find(&id).ok_or_else(|| Problem::unknown_rule(&id))?;
    match injector.decisions(rule.id().as_str()) {
        Some(decisions) => Ok(Json(wire::decisions_to_value(&decisions))),
        None => Err(Problem::new(
            StatusCode::CONFLICT,
            "which calls the rule has hit is not known: it has neither a seed nor a key, and has not hit \
             every call that it matched",
        )
        .at("seed", "a rule with a seed or a key")
        .in_rule(id)),
    }
}

/// Returns which of the given calls a rule would hit. The rule need not be in force.
pub(crate) async fn preview(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    NoQuery: NoQuery,
    JsonBody(json): JsonBody,
) -> Result<Json<Value>, Problem> {
    worker.run(move || answer(&injector, &json)).await
}

fn answer(injector: &Injector, json: &[u8]) -> Result<Json<Value>, Problem> {
    let mut body = Fields::read(json, BODY)?;
    let rule = rule(injector, body.take("rule"))?;
    let age = age(body.take("after"))?;
    let preview = rule.preview()?.after(age);
    let (ordinals, keys) = (body.take("ordinals"), body.take("keys"));
    body.end()?;
    let hits = match (ordinals, keys) {
        (Some(range), None) if !rule.is_keyed() => {
            let hits = range_of(&range)?.filter(|ordinal| preview.hits_ordinal(*ordinal));
            json!({ "ordinals": hits.collect::<Vec<_>>() })
        }
        (None, Some(keys)) if rule.is_keyed() => {
            let keys = texts(keys)?;
            let hits: Vec<_> = keys.iter().filter(|key| preview.hits_key(key)).collect();
            json!({ "keys": hits })
        }
        (Some(_), None) => {
            return Err(refuse(
                "ordinals",
                "the rule has a key, so ask about keys",
                KEYS,
            ));
        }
        (None, Some(_)) => {
            return Err(refuse(
                "keys",
                "the rule has no key, so ask about ordinals",
                ORDINALS,
            ));
        }
        _ => {
            return Err(refuse(
                "body",
                "the body has not exactly one of `ordinals` and `keys`",
                BODY,
            ));
        }
    };
    let warnings: Vec<_> = warnings::of(injector, [&rule]).collect();
    Ok(Json(json!({ "hits": hits, "warnings": warnings })))
}

/// Returns the rule with the given id, or parses the given rule.
fn rule(injector: &Injector, rule: Option<Value>) -> Result<Rule, Problem> {
    match rule {
        Some(Value::String(id)) => {
            let rules = injector.rules();
            let rule = rules.find(&id).ok_or_else(|| Problem::unknown_rule(&id))?;
            Ok(Rule::clone(rule))
        }
        Some(rule @ Value::Object(_)) => {
            let rule = wire::rule_from_value(rule, None)?;
            injector.check([&rule])?;
            Ok(rule)
        }
        _ => Err(refuse(
            "rule",
            "the field `rule` is neither a text nor an object",
            RULE,
        )),
    }
}

fn age(after: Option<Value>) -> Result<Duration, Problem> {
    let Some(after) = after else {
        return Ok(Duration::ZERO);
    };
    let seconds = after.as_f64();
    let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    age.ok_or_else(|| refuse("after", format!("{after} is not a duration"), AFTER))
}

fn range_of(range: &Value) -> Result<std::ops::Range<u64>, Problem> {
    let wrong = || refuse("ordinals", format!("{range} is not such a range"), ORDINALS);
    let bounds = range.as_array().ok_or_else(wrong)?;
    let [first, end] = bounds.as_slice() else {
        return Err(wrong());
    };
    let (first, end) = whole(first).zip(whole(end)).ok_or_else(wrong)?;
    match end.checked_sub(first) {
        Some(count) if count <= MOST as u64 => Ok(first..end),
        _ => Err(wrong()),
    }
}

fn texts(keys: Value) -> Result<Vec<String>, Problem> {
    let keys: Vec<String> =
        serde_json::from_value(keys).map_err(|e| refuse("keys", e.to_string(), KEYS))?;
    match keys.len() {
        0..=MOST => Ok(keys),
        many => Err(refuse("keys", format!("there are {many} keys"), KEYS)),
    }
}
