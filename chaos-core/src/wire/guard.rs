//! Guard rails in JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    form::{Object, duration, whole_if_any, written},
    latency::{quantile, quantile_name},
    refuse,
};
use crate::{
    error::RuleError,
    guard_rail::{GuardRail, Then},
    trigger::rate::Rate,
};

pub(super) const ALLOWED: &[(&str, &str)] = &[
    (
        "guards",
        "a list of objects with error_ratio, latency or both",
    ),
    (
        "guards.site",
        "a site name, or a pattern such as `db.*` or `db.**`",
    ),
    ("guards.window", "a duration such as \"10s\", 1s to 10m"),
    ("guards.at_least", "a whole number, 0 or more"),
    ("error_ratio", "a number from 0 to 1"),
    (
        "guards.latency",
        "an object with one quantile, such as {\"p99\": \"800ms\"}",
    ),
    ("over_baseline", "true or false"),
    ("then", "halt or disarm"),
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardDoc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    at_least: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over_baseline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<ThenDoc>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ThenDoc {
    Halt,
    Disarm,
}

/// Reads a list of them.
pub(super) fn rails(docs: Vec<Object<GuardDoc>>) -> Result<Vec<GuardRail>, RuleError> {
    let rails = docs.into_iter().enumerate().map(|(at, Object(doc))| {
        doc.into_rail()
            .map_err(|error| error.under(&format!("guards[{at}]")))
    });
    rails.collect()
}

/// What is allowed of a field that means something else elsewhere.
fn here(field: &'static str, problem: impl std::fmt::Display) -> RuleError {
    let path = format!("guards.{field}");
    let known = ALLOWED.iter().find(|(name, _)| *name == path);
    RuleError::new(field, problem, known.map_or("", |(_, allowed)| allowed))
}

impl GuardDoc {
    fn into_rail(self) -> Result<GuardRail, RuleError> {
        let mut rail = GuardRail::new();
        if let Some(site) = self.site {
            rail = rail.site(site.parse()?);
        }
        if let Some(window) = self.window {
            let window = duration("window", &window).map_err(|e| here("window", e.problem()))?;
            rail = rail
                .window(window)
                .map_err(|error| here("window", error.problem()))?;
        }
        if let Some(calls) = self.at_least {
            rail = rail.at_least(calls);
        }
        if let Some(ratio) = self.error_ratio {
            let ratio = Rate::new(ratio).map_err(|e| refuse("error_ratio", e.problem()))?;
            rail = rail.error_ratio(ratio);
        }
        if let Some(points) = self.latency {
            let mut points = points.iter();
            let (Some((name, Value::String(longest))), None) = (points.next(), points.next())
            else {
                return Err(here("latency", "not one quantile with its time"));
            };
            let Some(quantile) = quantile(name) else {
                return Err(here("latency", format_args!("unknown field `{name}`")));
            };
            let longest = duration("latency", longest).map_err(|e| here("latency", e.problem()))?;
            rail = rail
                .latency(quantile, longest)
                .map_err(|error| here("latency", error.problem()))?;
        }
        if self.over_baseline {
            rail = rail.over_baseline();
        }
        if let Some(ThenDoc::Disarm) = self.then {
            rail = rail.then(Then::Disarm);
        }
        if rail.error_ratio.is_none() && rail.latency.is_none() {
            let allowed = "error_ratio, latency or both";
            return Err(RuleError::new("", "a guard rail without a bound", allowed));
        }
        Ok(rail)
    }
}

impl From<&GuardRail> for GuardDoc {
    fn from(rail: &GuardRail) -> Self {
        let usual = GuardRail::new();
        Self {
            site: rail.site.as_ref().map(ToString::to_string),
            window: (rail.window != usual.window).then(|| written(rail.window)),
            at_least: (rail.at_least != usual.at_least).then_some(rail.at_least),
            error_ratio: rail.error_ratio.map(Rate::get),
            latency: rail.latency.map(|(quantile, longest)| {
                Map::from_iter([(quantile_name(quantile), written(longest).into())])
            }),
            over_baseline: rail.over_baseline,
            then: (rail.then == Then::Disarm).then_some(ThenDoc::Disarm),
        }
    }
}
