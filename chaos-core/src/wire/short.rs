//! Rules in one line, in the grammar of failpoints, for an environment variable or a command line.
//!
//! A term becomes the JSON of one rule, which is read by the same documents as any other rule.

mod action;
mod grammar;

use std::collections::BTreeSet;

use serde_json::json;

use self::grammar::{Term, settings};
use super::rule::rule_from_json;
use crate::{error::RuleError, matcher::glob::SiteGlob, rule::Rule};

/// Reads rules in the short form: `site=term->term; site=…`.
///
/// A term is `[p%][n*]fault(argument)`, and `+` joins several faults of one term. Each term is one
/// rule. Its percentage is drawn first, and its count is spent only when it fires. The terms of a site
/// are tried in order, and the first that applies is used: its rule is `final`, so later rules are not
/// evaluated either. A term whose count is exhausted is skipped.
///
/// ```
/// use chaos_core::{Injector, inject, wire};
///
/// let injector = Injector::new();
/// injector.replace(wire::rules_from_short(r#"db.read=1*error("connection_reset")->2*return(7)"#)?)?;
/// let read = || inject!(injector: &injector, "db.read");
/// assert_eq!(read().unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
/// assert_eq!(read().unwrap_err().value_json(), Some("7"));
/// assert_eq!(read().unwrap_err().value_json(), Some("7"));
/// assert!(read().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Faults
///
/// A fault has the same name as in JSON. Its argument is the value that JSON has there: a word or a number
/// without quotes, and anything else as JSON: `latency(200ms..500ms)`,
/// `latency({"p50":"20ms","p99":"800ms"})`, `status(503)`, `grpc(UNAVAILABLE)`, `abort(reset)`,
/// `hang(30s)`, `pause(30s)`, `block(50ms)`, `value([1,2])`, `body({"throttle":"10KiB/s"})`.
/// `error(connection_reset)` is an io error of that kind, and `error(any other text)` a message.
///
/// The actions of failpoints mean:
///
/// | action | means |
/// |---|---|
/// | `off` | later terms are not tried: `off` arms no rule, `3*off->…` spares three calls |
/// | `return(x)` | `value`: JSON, or else a text; `null` without an argument |
/// | `sleep(50)`, `sleep(1s)` | `latency`, in milliseconds or as a duration |
/// | `delay(50)` | `block`: holds the thread, as the busy wait of failpoints does |
/// | `panic(text)` | `abort`: `panic`; the text is the rule's reason |
/// | `print(text)` | an event of `tracing`, and nothing else |
/// | `pause` | holds the call until it is released, or the rule is changed or expires |
/// | `yield` | `latency` of a nanosecond: in async code, other tasks run first |
///
/// # Names
///
/// A site may be written as a failpoint is named: each `::` and each `/` in it is read as a dot, so that
/// `raft::before_save` and `raft/before_save` both name the site `raft.before_save`. A text that sets one
/// site twice, in either spelling, is refused.
///
/// The third term of `db.read` is the rule `env.db.read.3`. In a site, `*` is written `:any` and `**`
/// is `:all`, which no site is called: `env.db.:any.1`.
///
/// # Errors
/// Returns an error if any part cannot be parsed or is not allowed; the error names the term and what is
/// allowed.
pub fn rules_from_short(text: &str) -> Result<Vec<Rule>, RuleError> {
    let settings = settings(text)?;
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for setting in &settings {
        let site = site_of(setting.site)?;
        rules.extend(rules_of(site.as_str(), &setting.terms)?);
        if !seen.insert(site.to_string()) {
            let problem = "occurs twice";
            let allowed = "each site once, its terms joined by `->`";
            return Err(RuleError::new(setting.site, problem, allowed));
        }
    }
    Ok(rules)
}

/// Returns the site that is written, which may have the separators of a failpoint's name.
fn site_of(written: &str) -> Result<SiteGlob, RuleError> {
    let site = written.replace("::", ".").replace('/', ".").parse();
    let here = grammar::excerpt(written);
    site.map_err(|error: RuleError| RuleError::new(here, error.problem(), error.allowed()))
}

fn rules_of(site: &str, terms: &[Term<'_>]) -> Result<Vec<Rule>, RuleError> {
    let mut rules = Vec::with_capacity(terms.len());
    // The calls that `off` terms with a count take before the next term.
    let mut skip = 0_u64;
    let mut is_off = false;
    for (at, term) in terms.iter().enumerate() {
        let id = id(site, at + 1);
        let here = |error: RuleError| error.in_rule(&*id);
        if let Some(count) = term.off().map_err(here)? {
            match count {
                Some(count) => skip = skip.saturating_add(count),
                None => is_off = true,
            }
            continue;
        }
        let rule = rule(&id, site, term, skip).map_err(here)?;
        // A term behind an `off` is never asked: it is read, so that a mistake is found, and not armed.
        if !is_off {
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn id(site: &str, number: usize) -> String {
    let parts = site.split('.').map(|part| match part {
        "*" => ":any",
        "**" => ":all",
        part => part,
    });
    let parts: Vec<_> = parts.collect();
    format!("env.{}.{number}", parts.join("."))
}

fn rule(id: &str, site: &str, term: &Term<'_>, skip: u64) -> Result<Rule, RuleError> {
    let mut faults = Vec::with_capacity(term.actions.len());
    let mut reason = None;
    for action in &term.actions {
        let (fault, said) = action::fault(action)?;
        faults.push(fault);
        reason = reason.or(said);
    }
    let mut head = json!({ "id": id, "site": site, "final": true });
    if let Some(rate) = term.rate {
        head["rate"] = rate.into();
    }
    if let Some(count) = term.count {
        head["limit"] = count.into();
    }
    if skip > 0 {
        head["skip"] = skip.into();
    }
    if let Some(reason) = reason {
        head["reason"] = reason.into();
    }
    // The rule is assembled as text, so that the reader finds a field that an argument has twice.
    let head = head.to_string();
    let head = head.strip_suffix('}').unwrap_or(&head);
    let text = format!("{head},\"faults\":[{}]}}", faults.join(","));
    rule_from_json(text.as_bytes(), None).map_err(|error| as_written(&error, term))
}

/// Moves an error to the text that the user wrote, who has written no `faults[0]`.
fn as_written(error: &RuleError, term: &Term<'_>) -> RuleError {
    let fault = error.field().strip_prefix("faults[");
    let fault = fault.and_then(|rest| rest.split_once(']'));
    let action = fault.and_then(|(at, _)| term.actions.get(at.parse::<usize>().ok()?));
    let field = match action {
        Some(action) => action.text,
        None => error.field(),
    };
    RuleError::new(grammar::excerpt(field), error.problem(), error.allowed())
}
