//! The rules of a trial.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    args::aim::{RuleArgs, TryArgs},
    config::shown,
    failure::Failure,
    rule::{file, from_args, guard},
};

/// Returns the rules to try, which end after `ttl`.
pub(super) fn prepare(args: &TryArgs, ttl: Duration) -> Result<Vec<Value>, Failure> {
    let mut rules = match &args.file {
        Some(path) => enabled(file::rules(path)?, path)?,
        None => {
            let named = RuleArgs {
                id: Some(args.rule.id.clone().unwrap_or_else(id)),
                ..args.rule.clone()
            };
            from_args::rules(&named, |_| true)?
        }
    };
    let until = match &args.until {
        Some(text) => Some(bound(text)?),
        None => None,
    };
    for rule in &mut rules {
        rule["ttl"] = humantime::format_duration(ttl).to_string().into();
        if let Some(until) = &until {
            let guards = rule["guards"].as_array().cloned().unwrap_or_default();
            rule["guards"] = guards.into_iter().chain([until.clone()]).collect();
        }
    }
    rules.into_iter().map(from_args::checked).collect()
}

/// Returns the rules of a file if there are some, and all of them can inject.
fn enabled(rules: Vec<Value>, path: &Path) -> Result<Vec<Value>, Failure> {
    if rules.is_empty() {
        let failure = Failure::usage("the file has no rule to try");
        return Err(failure.at(shown(path), "at least one rule"));
    }
    match rules.iter().find(|rule| rule["enabled"] == false) {
        Some(rule) => Err(Failure {
            rule: rule["id"].as_str().map(Into::into),
            ..Failure::usage("a trial of a disabled rule shows nothing").at("enabled", "true")
        }),
        None => Ok(rules),
    }
}

/// Returns a name that no other trial has.
fn id() -> String {
    let nanos = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
    let mixed = (nanos ^ std::process::id().rotate_left(16)).wrapping_mul(0x9e37_79b1);
    format!("try-{:06x}", mixed >> 8)
}

/// Reads `http.server errors>5%`: a guard rail of the service, which disables the rule.
fn bound(text: &str) -> Result<Value, Failure> {
    let allowed = "[SITE] errors>5%, or [SITE] p99>800ms";
    let refuse = || Failure::usage(format!("{text:?} is no bound")).at("--until", allowed);
    if text.contains('<') {
        return Err(refuse());
    }
    let mut guard = guard::read(&text.replacen('>', "<", 1)).map_err(|_| refuse())?;
    guard["then"] = json!("disarm");
    Ok(guard)
}
