//! Guard rails in JSON.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    document::document,
    fault::{quantile, quantile_name},
    form::{Object, Whole},
    scalar::{
        DURATION, DURATION_PATTERN, SITE, Words, duration, duration_text, meaning, refuse, word,
        words,
    },
    shape::{Documented, Shape},
};
use crate::{
    error::RuleError,
    guard_rail::{BOUNDS, GuardRail, Then},
    trigger::rate::Rate,
};

const THEN: Words<Then> = &[("halt", Then::Halt), ("disarm", Then::Disarm)];

/// The guard rails of a rule or a policy.
pub(super) const GUARDS: Shape = Shape::list(&GuardDoc::SHAPE, 0, usize::MAX)
    .allowing("a list of objects with error_ratio, latency, latency_to_end or several of them");

/// A quantile, and what it may not exceed.
const LATENCY: Shape = Shape::map(
    "^p([1-9][0-9]?(\\.[0-9]{1,6})?|0\\.[0-9]{0,5}[1-9])$",
    &DURATION,
)
.allowing("an object with one quantile, such as {\"p99\": \"800ms\"}");

document! {
    /// A guard rail: a bound on the error ratio or the latency of the calls at a site.
    GuardDoc as "GuardRail", "error_ratio, latency, latency_to_end or several of them, and the bounds of a baseline beside over_baseline";
    optional {
        /// The site, or the pattern of sites, to measure. The default is the site of the rule.
        site: String = SITE;
        /// The length of the sliding window.
        window: String = Shape::text("a duration such as \"10s\", 1s to 10m", "duration-1s-to-10m", DURATION_PATTERN);
        /// The number of calls that the window must hold before the bound applies.
        at_least: Whole<u32> = Shape::whole(0, u32::MAX as u64);
        /// The greatest fraction of the calls that may fail.
        error_ratio: f64 = Shape::SHARE;
        /// The longest time to the head of the response, for a quantile of the calls such as `p99`.
        latency: Map<String, Value> = LATENCY;
        /// The longest time to the end of the response's body, for a quantile of the calls such as
        /// `p99`.
        latency_to_end: Map<String, Value> = LATENCY;
        /// Whether the bound is relative to the calls in the window that were not injected.
        over_baseline: bool = Shape::FLAG;
        /// The greatest error ratio that the baseline counts for. The default is 0.5.
        max_baseline_error_ratio: f64 = Shape::SHARE;
        /// The longest latency that the baseline counts for. The default is 10s.
        max_baseline_latency: String = DURATION;
        /// Whether a breach halts all injection (`halt`, the default) or disables the rule (`disarm`).
        then: String = Shape::word(|| words(THEN));
    }
    examples r#"[{ "site": "http.server", "window": "10s", "at_least": 100, "error_ratio": 0.05, "then": "disarm" }]"#;
}

/// Reads the guard rails of a rule or a policy.
pub(super) fn rails(docs: Vec<Object<GuardDoc>>) -> Result<Vec<GuardRail>, RuleError> {
    let rails = docs.into_iter().enumerate().map(|(at, Object(doc))| {
        doc.into_rail()
            .map_err(|error| error.under(&format!("guards[{at}]")))
    });
    rails.collect()
}

impl GuardDoc {
    fn into_rail(self) -> Result<GuardRail, RuleError> {
        let mut rail = GuardRail::new();
        if let Some(site) = self.site {
            rail = rail.site(site.parse()?);
        }
        if let Some(window) = self.window {
            let window = duration(&window).and_then(|window| rail.window(window));
            rail = window.map_err(Self::at("window"))?;
        }
        if let Some(Whole(calls)) = self.at_least {
            rail = rail.at_least(calls);
        }
        if let Some(ratio) = self.error_ratio {
            rail = rail.error_ratio(Rate::new(ratio).map_err(Self::at("error_ratio"))?);
        }
        if let Some(points) = self.latency {
            let (quantile, longest) = latency(&points).map_err(Self::at("latency"))?;
            let bounded = rail.latency(quantile, longest);
            rail = bounded.map_err(Self::at("latency"))?;
        }
        if let Some(points) = self.latency_to_end {
            let (quantile, longest) = latency(&points).map_err(Self::at("latency_to_end"))?;
            let bounded = rail.latency_to_end(quantile, longest);
            rail = bounded.map_err(Self::at("latency_to_end"))?;
        }
        if self.over_baseline == Some(true) {
            rail = rail.over_baseline();
        }
        if let Some(ratio) = self.max_baseline_error_ratio {
            if !rail.over_baseline || rail.error_ratio.is_none() {
                let problem = "without over_baseline and error_ratio";
                return Err(Self::refuse("max_baseline_error_ratio", problem));
            }
            let ratio = Rate::new(ratio).map_err(Self::at("max_baseline_error_ratio"))?;
            rail = rail.max_baseline_error_ratio(ratio);
        }
        if let Some(longest) = self.max_baseline_latency {
            if !rail.over_baseline || !rail.bounds_latency() {
                let problem = "without over_baseline, and latency or latency_to_end";
                return Err(Self::refuse("max_baseline_latency", problem));
            }
            let longest = duration(&longest).map_err(Self::at("max_baseline_latency"))?;
            rail = rail.max_baseline_latency(longest);
        }
        if let Some(then) = self.then {
            rail = rail.then(meaning(THEN, &then).map_err(Self::within("then"))?);
        }
        if rail.error_ratio.is_none() && !rail.bounds_latency() {
            return Err(RuleError::new("", "a guard rail without a bound", BOUNDS));
        }
        Ok(rail)
    }
}

fn latency(points: &Map<String, Value>) -> Result<(f64, Duration), RuleError> {
    let mut points = points.iter();
    let (Some((name, Value::String(longest))), None) = (points.next(), points.next()) else {
        return Err(refuse("not one quantile with its time"));
    };
    let unknown = || refuse(format_args!("unknown field `{name}`"));
    Ok((quantile(name).ok_or_else(unknown)?, duration(longest)?))
}

/// Writes the guard rails, unless there are none.
pub(super) fn docs(rails: &[GuardRail]) -> Option<Vec<Object<GuardDoc>>> {
    let docs: Vec<_> = rails.iter().map(|rail| Object(rail.into())).collect();
    (!docs.is_empty()).then_some(docs)
}

impl From<&GuardRail> for GuardDoc {
    fn from(rail: &GuardRail) -> Self {
        let usual = GuardRail::new();
        let bounds_errors = rail.over_baseline && rail.error_ratio.is_some();
        let bounds_latency = rail.over_baseline && rail.bounds_latency();
        let latency = |(quantile, longest)| {
            Map::from_iter([(quantile_name(quantile), duration_text(longest).into())])
        };
        Self {
            site: rail.site.as_ref().map(ToString::to_string),
            window: (rail.window != usual.window).then(|| duration_text(rail.window)),
            at_least: (rail.at_least != usual.at_least).then_some(Whole(rail.at_least)),
            error_ratio: rail.error_ratio.map(Rate::get),
            latency: rail.latency.map(latency),
            latency_to_end: rail.latency_to_end.map(latency),
            over_baseline: rail.over_baseline.then_some(true),
            // What bounds no baseline is refused, and was never needed.
            max_baseline_error_ratio: (bounds_errors
                && rail.max_baseline_error_ratio != usual.max_baseline_error_ratio)
                .then(|| rail.max_baseline_error_ratio.get()),
            max_baseline_latency: (bounds_latency
                && rail.max_baseline_latency != usual.max_baseline_latency)
                .then(|| duration_text(rail.max_baseline_latency)),
            then: (rail.then != usual.then)
                .then(|| word(THEN, &rail.then).map(String::from))
                .flatten(),
        }
    }
}
