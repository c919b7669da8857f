//! How much of anything an experiment may have, and the errors that say so.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use crate::{error::ExperimentError, span::Span};

/// The longest text of an experiment, in bytes.
pub(super) const DOCUMENT: usize = 1 << 20;
pub(super) const TITLE: usize = 200;
pub(super) const NAME: usize = 100;
pub(super) const DESCRIPTION: usize = 10_000;
pub(super) const LINE: usize = 1000;
pub(super) const URL: usize = 2048;
pub(super) const QUERY: usize = 4096;
pub(super) const PROBES: usize = 64;
pub(super) const PHASES: usize = 32;
pub(super) const RULES: usize = 64;
/// The most sites at which a port observes a rule.
pub(super) const COUNTED_SITES: usize = 16;
/// The most rules that a port observes, without the lock of the experiment, which is one.
pub(super) const COUNTED_RULES: usize = 15;
pub(super) const ENDPOINTS: usize = 256;
/// The most watchers, tags, labels, headers and follow-ups.
pub(super) const LIST: usize = 100;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const PHASE: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;
pub(super) const OBSERVE: RangeInclusive<Duration> = Duration::ZERO..=DAY;
pub(super) const EVERY: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3600);
pub(super) const TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

/// Checks a text of one line that has to say something. It is printed on terminals, so control characters are refused.
pub(super) fn text(field: &str, text: &str, longest: usize) -> Result<(), ExperimentError> {
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        let problem = format!("the text has the control character {control:?}");
        let allowed = "a text of one line, without control characters";
        return Err(ExperimentError::new(field, problem, allowed));
    }
    lines(field, text, longest)
}

/// Checks a text of any number of lines that has to say something.
pub(super) fn lines(field: &str, text: &str, longest: usize) -> Result<(), ExperimentError> {
    let allowed = || format!("a text of 1 to {longest} bytes");
    if text.trim().is_empty() {
        return Err(ExperimentError::new(field, "the text is empty", allowed()));
    }
    at_most(field, text, longest)
}

/// Checks a text that may be empty.
pub(super) fn at_most(field: &str, text: &str, longest: usize) -> Result<(), ExperimentError> {
    if text.len() <= longest {
        return Ok(());
    }
    let problem = format!("the text has {} bytes", text.len());
    let allowed = format!("at most {longest} bytes");
    Err(ExperimentError::new(field, problem, allowed))
}

pub(super) fn texts(field: &str, texts: &[String], longest: usize) -> Result<(), ExperimentError> {
    count(field, texts.len(), 0, LIST)?;
    let mut each = texts.iter().enumerate();
    each.try_for_each(|(n, one)| text(&format!("{field}[{n}]"), one, longest))
}

pub(super) fn count(
    field: &str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), ExperimentError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let problem = format!("the list has {found} elements");
    let allowed = format!("{least} to {most}");
    Err(ExperimentError::new(field, problem, allowed))
}

/// Checks that a port can count the calls of so many sites, for so many rules of each phase.
pub(super) fn counted(
    sites: usize,
    rules: impl IntoIterator<Item = usize>,
) -> Result<(), ExperimentError> {
    if sites > COUNTED_SITES {
        let problem = format!("the calls of {sites} sites are to be counted");
        let allowed = format!("{COUNTED_SITES} sites at most");
        return Err(ExperimentError::new("hypothesis.probes", problem, allowed));
    }
    let mut phases = rules.into_iter().enumerate();
    match phases.find(|(_, rules)| *rules > COUNTED_RULES) {
        Some((n, rules)) if sites > 0 => {
            let problem = format!("the calls that {rules} rules hit are to be counted");
            let allowed = format!("{COUNTED_RULES} rules at most, or no probe or bound of a site");
            let field = format!("phases[{n}].rules");
            Err(ExperimentError::new(field, problem, allowed))
        }
        _ => Ok(()),
    }
}

pub(super) fn span(
    field: &str,
    Span(found): Span,
    allowed: RangeInclusive<Duration>,
) -> Result<Duration, ExperimentError> {
    if allowed.contains(&found) {
        return Ok(found);
    }
    let allowed = format!("{} to {}", Span(*allowed.start()), Span(*allowed.end()));
    let problem = format!("{} is out of range", Span(found));
    Err(ExperimentError::new(field, problem, allowed))
}

/// Checks a part of a whole, such as an error ratio.
pub(super) fn share(field: &str, share: f64) -> Result<(), ExperimentError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    let problem = format!("{share} is out of range");
    Err(ExperimentError::new(field, problem, "a number from 0 to 1"))
}

pub(super) fn finite(field: &str, number: Option<f64>) -> Result<(), ExperimentError> {
    match number {
        Some(number) if !number.is_finite() => {
            let problem = format!("{number} is no number to compare with");
            Err(ExperimentError::new(field, problem, "a finite number"))
        }
        _ => Ok(()),
    }
}

/// Checks that no two things are called alike.
pub(super) fn unique<'n>(
    field: &str,
    what: &str,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), ExperimentError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let problem = format!("the {what} {name:?} occurs twice");
            return Err(ExperimentError::new(field, problem, "names that differ"));
        }
    }
    Ok(())
}

/// Checks the address of something that is asked over HTTP.
pub(super) fn url(field: &str, url: &str) -> Result<(), ExperimentError> {
    text(field, url, URL)?;
    let parsed = url.parse::<http::Uri>().ok();
    let is_whole = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    if is_whole {
        return Ok(());
    }
    let problem = format!("{url:?} is not the address of an HTTP service");
    Err(ExperimentError::new(
        field,
        problem,
        "http://HOST… or https://HOST…",
    ))
}
