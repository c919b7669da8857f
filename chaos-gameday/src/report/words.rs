//! Numbers, times and questions in words.

use std::time::Duration;

use crate::{
    experiment::{Compare, HttpExpect, Probe, QuantileBound, Question, SiteExpect, Stage},
    journal::{PhaseTimes, TargetFate},
    span::Span,
    statistics::{Difference, Group, Method},
};

/// Rounds to four significant digits: what a plot draws is then what its table says.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Writes seconds since the start as `m:ss`.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{} %", rounded(ratio * 100.0))
}

/// Writes how many calls failed: `95 of 380 (25 %)`.
pub(super) fn failed(group: &Group) -> String {
    match group.error_ratio() {
        Some(ratio) => format!("{} of {} ({})", group.failed, group.calls, percent(ratio)),
        None => "no calls".into(),
    }
}

pub(super) fn difference(difference: &Difference) -> String {
    format!(
        "{}, from {} to {}",
        percent(difference.estimate),
        percent(difference.lower),
        percent(difference.upper)
    )
}

pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Newcombe => "Newcombe, each call for itself",
        Method::KeyGroups => "Newcombe, by groups of keys",
        Method::OrderStatistics => "order statistics",
    }
}

pub(super) fn fate(fate: TargetFate) -> &'static str {
    match fate {
        TargetFate::Applied => "applied",
        TargetFate::Refused => "refused",
        TargetFate::CutOff => "cut off",
        TargetFate::Silent => "silent",
        TargetFate::Withdrawn => "withdrawn",
    }
}

/// The class of a phase, by which it is shaded.
pub(super) fn shade(times: &PhaseTimes) -> &'static str {
    match times.stage {
        Some(Stage::Before) => "before",
        Some(Stage::During) => "during",
        Some(Stage::After) => "after",
        None => "estimate",
    }
}

/// What a probe asks.
pub(super) fn asks(question: &Question) -> String {
    match question {
        Question::Http { request, .. } => format!("{} {}", request.method, request.url),
        Question::Promql { query, .. } => format!("{} at {}", query.query, query.url),
        Question::Site { site, .. } => format!("the calls of {site}"),
        Question::Compare { site, compare } => {
            format!(
                "the calls of {site} that {} hits, against those that it spares",
                compare.rule
            )
        }
    }
}

/// What a probe expects.
pub(super) fn expects(question: &Question) -> String {
    match question {
        Question::Http { expect, .. } => http(expect),
        Question::Promql { expect, .. } => {
            let least = expect.at_least.map(|it| format!("at least {it}"));
            let most = expect.at_most.map(|it| format!("at most {it}"));
            joined([least, most])
        }
        Question::Site { expect, .. } => {
            let SiteExpect {
                error_ratio,
                latency,
            } = expect;
            bounds(*error_ratio, latency, "at most", "of the calls fail")
        }
        Question::Compare { compare, .. } => {
            let Compare {
                error_ratio,
                latency,
                ..
            } = compare;
            bounds(*error_ratio, latency, "worse by at most", "of the calls")
        }
    }
}

fn http(expect: &HttpExpect) -> String {
    joined([
        Some(match expect.status {
            Some(status) => format!("status {status}"),
            None => "a status from 200 to 399".into(),
        }),
        (expect.body.as_ref()).map(|it| format!("a body that matches {}", it.as_str())),
        expect
            .json
            .as_ref()
            .map(|it| format!("JSON with {}", it.path)),
        expect.latency.map(|it| format!("in at most {}", Span(it))),
    ])
}

fn bounds(ratio: Option<f64>, latency: &[QuantileBound], how: &str, what: &str) -> String {
    let ratio = ratio.map(|ratio| format!("{how} {} {what}", percent(ratio)));
    let latency = latency.iter();
    let latency = latency.map(|it| Some(format!("{} {how} {}", it.name(), Span(it.at_most))));
    joined([ratio].into_iter().chain(latency))
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

pub(super) fn stages(probe: &Probe) -> String {
    let word = |stage: &Stage| match stage {
        Stage::Before => "before",
        Stage::During => "during",
        Stage::After => "after",
    };
    let words: Vec<_> = probe.ask.iter().map(word).collect();
    words.join(", ")
}

pub(super) fn seconds(seconds: f64) -> String {
    let whole = Duration::from_secs(seconds.max(0.0).round() as u64);
    Span(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_what_they_are() {
        for (value, expected) in [
            (0.0, "0"),
            (0.012_345_67, "0.01235"),
            (123_456.0, "123500"),
            (99.996, "100"),
            (-1.234_56, "-1.235"),
        ] {
            assert_eq!(rounded(value).to_string(), expected);
        }
        assert_eq!((clock(0.0), clock(61.9)), ("0:00".into(), "1:01".into()));
        assert_eq!(failed(&Group::of(380, 95)), "95 of 380 (25 %)");
        assert_eq!(failed(&Group::of(0, 0)), "no calls");
    }
}
