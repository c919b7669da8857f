//! A delay in JSON: a duration, a range, or the curve that it follows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    form::{Form, Names, duration, written},
    refuse,
};
use crate::{
    error::RuleError,
    fault::{
        Fault, When,
        latency::{Distribution, Latency},
    },
};

pub(super) type LatencyDoc = Form<Names<Value>>;

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenDoc {
    Before,
    After,
}

impl LatencyDoc {
    pub(super) fn into_fault(self, beside: Option<WhenDoc>) -> Result<Fault, RuleError> {
        // Whatever is wrong inside: the field is the latency, and all its forms are allowed.
        let here = |error: RuleError| refuse("latency", error.problem());
        let (latency, inside) = match self {
            Form::Text(text) => (range(&text).map_err(here)?, None),
            Form::Number(number) => {
                let problem = format_args!("the integer {number} has no unit");
                return Err(refuse("latency", problem));
            }
            Form::Object(Names(mut fields)) => {
                let inside = fields.remove("when").map(when).transpose()?;
                if let Some(least) = fields.remove("at_least") {
                    nothing_else(&fields)?;
                    if inside.or(beside).is_some() {
                        return Err(refuse("when", "at_least is alongside"));
                    }
                    let least = range(text("at_least", &least)?).map_err(here)?;
                    return Ok(Fault::Latency(least, When::AtLeast));
                }
                (curve(fields).map_err(here)?, inside)
            }
        };
        let when = match (inside, beside) {
            (Some(_), Some(_)) => return Err(refuse("when", "said twice")),
            (None, None) | (Some(WhenDoc::Before), None) | (None, Some(WhenDoc::Before)) => {
                When::Before
            }
            (Some(WhenDoc::After), None) | (None, Some(WhenDoc::After)) => When::After,
        };
        Ok(Fault::Latency(latency, when))
    }
}

type Fields = std::collections::BTreeMap<String, Value>;

fn when(value: Value) -> Result<WhenDoc, RuleError> {
    let problem = format!("{value} is neither");
    serde_json::from_value(value).map_err(|_| refuse("when", problem))
}

fn range(text: &str) -> Result<Latency, RuleError> {
    match text.split_once("..") {
        None => Latency::fixed(duration("latency", text)?),
        Some((min, max)) => Latency::uniform(duration("latency", min)?, duration("latency", max)?),
    }
}

fn curve(mut fields: Fields) -> Result<Latency, RuleError> {
    if let Some(mean) = fields.remove("mean") {
        let Some(std_dev) = fields.remove("std_dev") else {
            return Err(refuse("latency", "mean without std_dev"));
        };
        nothing_else(&fields)?;
        let mean = duration("latency", text("mean", &mean)?)?;
        return Latency::normal(mean, duration("latency", text("std_dev", &std_dev)?)?);
    }
    if let Some(pareto) = fields.remove("pareto") {
        nothing_else(&fields)?;
        let (min, alpha) = (&pareto["min"], &pareto["alpha"]);
        let known = pareto.as_object().is_some_and(|fields| fields.len() == 2);
        let (Some(min), Some(alpha), true) = (min.as_str(), alpha.as_f64(), known) else {
            return Err(refuse(
                "latency",
                "pareto is an object with min, a duration, and alpha, a number",
            ));
        };
        return Latency::pareto(duration("latency", min)?, alpha);
    }
    let mut points = Vec::with_capacity(fields.len());
    for (name, value) in &fields {
        let Some(quantile) = quantile(name) else {
            return Err(refuse("latency", format_args!("unknown field `{name}`")));
        };
        points.push((quantile, duration("latency", text(name, value)?)?));
    }
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Latency::quantiles(&points)
}

/// What `p99.9` means.
pub(super) fn quantile(name: &str) -> Option<f64> {
    let percent = name
        .strip_prefix('p')
        .filter(|n| n.parse::<f64>().is_ok())?;
    // The nearest number to it: 99.9 / 100 would be another one.
    format!("{percent}e-2").parse().ok()
}

/// The other way round.
pub(super) fn quantile_name(quantile: f64) -> String {
    // To the digits that anyone writes: 0.999 is not quite 99.9 hundredths.
    let percent = (quantile * 1e11).round() / 1e9;
    format!("p{percent}")
}

fn nothing_else(fields: &Fields) -> Result<(), RuleError> {
    match fields.keys().next() {
        None => Ok(()),
        Some(name) => Err(refuse("latency", format_args!("unknown field `{name}`"))),
    }
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, RuleError> {
    let problem = || {
        refuse(
            "latency",
            format_args!("{name} is no text such as \"200ms\""),
        )
    };
    value.as_str().ok_or_else(problem)
}

/// As it would be written: the latency, and when it comes if that has to be said.
pub(super) fn doc(latency: &Latency, when: When) -> (Option<LatencyDoc>, Option<WhenDoc>) {
    let doc = latency_doc(latency);
    match (when, doc) {
        (When::Before, doc) => (Some(doc), None),
        (When::After, doc) => (Some(doc), Some(WhenDoc::After)),
        (When::AtLeast, Form::Text(text)) => (Some(object([("at_least", text.into())])), None),
        // Curves cannot be padded up to in JSON; in code they can.
        (When::AtLeast, doc) => (Some(doc), None),
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> LatencyDoc {
    let fields = fields.into_iter();
    Form::Object(Names(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    ))
}

fn latency_doc(latency: &Latency) -> LatencyDoc {
    match latency.distribution() {
        Distribution::Fixed(delay) => Form::Text(written(*delay)),
        Distribution::Uniform { min, max } => {
            Form::Text(format!("{}..{}", written(*min), written(*max)))
        }
        Distribution::Quantiles { points, .. } => {
            let points = points.iter();
            let points =
                points.map(|(quantile, time)| (quantile_name(*quantile), written(*time).into()));
            Form::Object(Names(points.collect()))
        }
        Distribution::Normal { mean, std_dev, .. } => object([
            ("mean", written(*mean).into()),
            ("std_dev", written(*std_dev).into()),
        ]),
        Distribution::Pareto { min, alpha, .. } => {
            let pareto = serde_json::json!({ "min": written(*min), "alpha": alpha });
            object([("pareto", pareto)])
        }
    }
}
