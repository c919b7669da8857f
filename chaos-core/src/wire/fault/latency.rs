//! A delay in JSON: a duration, a range, or the curve that it follows.

use serde_json::{Map, Value};

use crate::{
    error::RuleError,
    fault::{
        Fault, When,
        latency::{DelayCurve, Distribution, Latency},
    },
    wire::{
        document::document,
        form::{Form, Names, Object},
        read,
        scalar::{DURATION, Words, duration, duration_text, meaning, refuse, words},
        shape::{Documented, Shape},
    },
};

pub(super) type LatencyDoc = Form<Names<Value>>;

pub(super) const WHEN: Words<When> = &[("before", When::Before), ("after", When::After)];

const RANGE: Shape = Shape::text(
    "a duration such as \"200ms\", or a range from low to high such as \"200ms..500ms\", 0s to 24h",
    "duration-or-range",
    r"^\s*([0-9][0-9.\s]*[A-Za-zµ]+\s*)+(\.\.\s*([0-9][0-9.\s]*[A-Za-zµ]+\s*)+)?$",
);

pub(super) const LATENCY: Shape = Shape::either(&[RANGE, CurveDoc::SHAPE]).allowing(
    "a duration such as \"200ms\", a range \"200ms..500ms\", 0s to 24h, or an object: 2 to 16 \
     quantiles such as {\"p50\", \"p99\"}, {\"mean\", \"std_dev\"}, {\"pareto\": {\"min\", \"alpha\"}} \
     or {\"at_least\"}; \"max\" beside any of these but at_least",
);

document! {
    /// A distribution of delays. Two to sixteen quantiles, such as `p50` and `p99.9`, define a curve
    /// through these points. Each is more than 0s, and none is longer than a later one.
    CurveDoc as "LatencyCurve", "quantiles, mean and std_dev, pareto or at_least; max and when, but for at_least";
    optional {
        /// The mean of a normal distribution.
        mean: String = DURATION;
        /// The standard deviation of a normal distribution.
        std_dev: String = DURATION;
        /// A Pareto distribution.
        pareto: Object<ParetoDoc> = ParetoDoc::SHAPE;
        /// The longest delay, to which longer draws are cut. It is at least the last quantile, the mean, or
        /// the shortest delay of the Pareto distribution. The default is 24h.
        max: String = DURATION;
        /// Pads the call to this duration.
        at_least: String = RANGE;
        /// Whether the delay comes `before` the handler (the default) or `after` it.
        when: String = Shape::word(|| words(WHEN));
    }
    rest Shape::ANY;
}

document! {
    /// The Pareto distribution.
    ParetoDoc as "ParetoCurve";
    required {
        /// The shortest delay, more than 0s.
        min: String = DURATION;
        /// The exponent of the tail.
        alpha: f64 = Shape::above_0(f64::MAX).allowing("a number above 0");
    }
}

/// Returns why `when` may not stand beside a latency, if there is a reason.
pub(super) fn excludes_when(doc: &LatencyDoc) -> Option<&'static str> {
    match doc {
        Form::Object(Names(fields)) if fields.contains_key("at_least") => {
            Some("beside at_least, which is alongside the whole call")
        }
        Form::Object(Names(fields)) if fields.contains_key("when") => {
            Some("given twice, in latency and beside it")
        }
        _ => None,
    }
}

/// Reads a latency. Every error is at the field as a whole: all forms are allowed there.
pub(super) fn fault(doc: LatencyDoc, beside: Option<When>) -> Result<Fault, RuleError> {
    let here = |error: RuleError| error.at("");
    let (latency, inside) = match doc {
        Form::Text(text) => (range(&text).map_err(here)?, None),
        Form::Number(number) => {
            return Err(refuse(format_args!("the integer {number} has no unit")));
        }
        Form::Object(Names(fields)) => {
            let (points, rest): (Vec<_>, Vec<_>) = fields
                .into_iter()
                .partition(|(name, _)| quantile(name).is_some());
            let doc = read::document::<CurveDoc, _>(Value::Object(Map::from_iter(rest)));
            let doc = doc.map_err(in_words)?;
            let inside = doc.when.as_deref().map(|when| meaning(WHEN, when));
            let inside = inside.transpose()?;
            if let Some(least) = &doc.at_least {
                let curve = [
                    ("mean", doc.mean.is_some()),
                    ("std_dev", doc.std_dev.is_some()),
                    ("pareto", doc.pareto.is_some()),
                    ("max", doc.max.is_some()),
                ];
                let mut curve = curve.iter().filter(|(_, is_given)| *is_given);
                let quantile = points.first().map(|(name, _)| &**name);
                if let Some(name) = curve.next().map(|(name, _)| *name).or(quantile) {
                    return Err(refuse(format_args!(
                        "{name} beside at_least: a call is padded up to a duration or a range, and to no curve"
                    )));
                }
                if inside.is_some() {
                    return Err(refuse(
                        "when beside at_least, which is alongside the whole call",
                    ));
                }
                return Ok(Fault::Latency(range(least).map_err(here)?, When::AtLeast));
            }
            let mut latency = curve(&doc, &points).map_err(here)?;
            if let Some(max) = &doc.max {
                latency = latency.at_most(duration(max)?).map_err(here)?;
            }
            (latency, inside)
        }
    };
    let when = inside.or(beside).unwrap_or(When::Before);
    Ok(Fault::Latency(latency, when))
}

/// Puts the name of the field into the problem.
fn in_words(error: RuleError) -> RuleError {
    let problem = error.problem();
    let is_named = error.field().is_empty() || problem.contains(error.field());
    match is_named {
        true => refuse(problem),
        false => refuse(format_args!("{}: {problem}", error.field())),
    }
}

fn range(text: &str) -> Result<Latency, RuleError> {
    match text.split_once("..") {
        None => Latency::fixed(duration(text)?),
        Some((min, max)) => Latency::uniform(duration(min)?, duration(max)?),
    }
}

fn curve(doc: &CurveDoc, points: &[(String, Value)]) -> Result<Latency, RuleError> {
    match (&doc.mean, &doc.std_dev, &doc.pareto) {
        (Some(mean), Some(std_dev), None) if points.is_empty() => {
            Latency::normal(duration(mean)?, duration(std_dev)?)
        }
        (None, None, Some(Object(pareto))) if points.is_empty() => {
            Latency::pareto(duration(&pareto.min)?, pareto.alpha)
        }
        (None, None, None) => {
            let mut curve = Vec::with_capacity(points.len());
            for (name, value) in points {
                let no_text = || refuse(format_args!("{name} is no text such as \"200ms\""));
                let text = value.as_str().ok_or_else(no_text)?;
                curve.extend(
                    quantile(name).map(|quantile| duration(text).map(|time| (quantile, time))),
                );
            }
            let mut curve = curve.into_iter().collect::<Result<Vec<_>, _>>()?;
            curve.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            Latency::quantiles(&curve)
        }
        (Some(_), None, None) if points.is_empty() => Err(refuse("mean without std_dev")),
        (None, Some(_), None) if points.is_empty() => Err(refuse("std_dev without mean")),
        _ => Err(refuse("several curves in one latency")),
    }
}

/// Returns what `p99.9` means.
pub(in crate::wire) fn quantile(name: &str) -> Option<f64> {
    let percent = name
        .strip_prefix('p')
        .filter(|n| n.parse::<f64>().is_ok())?;
    // The nearest number to it: 99.9 / 100 would be another one.
    format!("{percent}e-2").parse().ok()
}

/// Returns the name of a quantile.
pub(in crate::wire) fn quantile_name(quantile: f64) -> String {
    // To the digits that anyone writes: 0.999 is not quite 99.9 hundredths.
    let percent = (quantile * 1e11).round() / 1e9;
    format!("p{percent}")
}

/// Writes a latency as it would be read.
pub(super) fn doc(latency: &Latency, when: When) -> LatencyDoc {
    match (when, latency_doc(latency)) {
        (When::AtLeast, Form::Text(text)) => object([("at_least", text.into())]),
        // JSON cannot say that a call is padded up to a curve; code can.
        (_, doc) => doc,
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> LatencyDoc {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Form::Object(Names(fields.into()))
}

fn latency_doc(latency: &Latency) -> LatencyDoc {
    let mut doc = curve_doc(latency.distribution());
    if let (Form::Object(Names(fields)), Some(max)) = (&mut doc, latency.longest()) {
        fields.insert("max".to_owned(), duration_text(max).into());
    }
    doc
}

fn curve_doc(distribution: &Distribution) -> LatencyDoc {
    let text = |time: &_| Value::from(duration_text(*time));
    match distribution {
        Distribution::Fixed(delay) => Form::Text(duration_text(*delay)),
        Distribution::Uniform { min, max } => {
            Form::Text(format!("{}..{}", duration_text(*min), duration_text(*max)))
        }
        Distribution::Curved(curved) => match &curved.curve {
            DelayCurve::Quantiles { points, .. } => {
                let points = points.iter();
                let points = points.map(|(quantile, time)| (quantile_name(*quantile), text(time)));
                Form::Object(Names(points.collect()))
            }
            DelayCurve::Normal { mean, std_dev, .. } => {
                object([("mean", text(mean)), ("std_dev", text(std_dev))])
            }
            DelayCurve::Pareto { min, alpha, .. } => {
                let pareto = serde_json::json!({ "min": text(min), "alpha": alpha });
                object([("pareto", pareto)])
            }
        },
    }
}
