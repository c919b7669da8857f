//! The JSON of a rule as the port shows it: the rule as it was written, with its counts, the sites that
//! it matches, and its warnings.

use std::time::Duration;

use chaos_core::{Counts, Rule, Site, wire};
use serde_json::{Map, Value, json};

use crate::history::entry::time;

/// Returns the rule's JSON with the additional fields `stats`, `sites` and `warnings`. `counts` is `None`
/// if the rule has been deleted in the meantime.
pub(crate) fn rule(
    rule: &Rule,
    counts: Option<&Counts>,
    sites: &[&'static Site],
    warnings: Vec<Value>,
) -> Value {
    let mut value = wire::rule_to_value(rule);
    value["stats"] = counts.map_or(Value::Null, stats);
    value["sites"] = json!(known_sites(rule, sites));
    value["warnings"] = warnings.into();
    value
}

fn stats(counts: &Counts) -> Value {
    let Counts {
        matched,
        injected,
        shadowed,
        active,
        evicted,
        overflow,
        expires_in,
        leash,
        keys,
        armed_by,
        since,
        deadline,
        ..
    } = counts;
    // Whole milliseconds: a finer value is outdated by the time it is read.
    let seconds = |time: &Duration| time.as_millis() as f64 / 1e3;
    let expires_in = expires_in.as_ref().map(seconds);
    let spared = overflow.iter().filter(|(_, calls)| *calls > 0);
    let spared: Map<_, _> = spared
        .map(|(limit, calls)| (limit.as_str().to_owned(), calls.into()))
        .collect();
    let mut stats = json!({
        "matched": matched,
        "injected": injected,
        "shadowed": shadowed,
        "active": active,
        "evicted": evicted,
        "overflow": spared,
        "expires_in": expires_in,
        "keys": keys,
        "armed_by": armed_by.name(),
        "since": time(*since),
        "deadline": deadline.map(time),
    });
    // Most rules hang on none.
    if let Some(left) = leash {
        stats["leash"] = seconds(left).into();
    }
    stats
}

/// Returns the names of the registered sites that the rule matches. An empty list is no error: a
/// site registers on its first pass, which may be yet to come.
fn known_sites(rule: &Rule, sites: &[&'static Site]) -> Vec<&'static str> {
    let glob = rule.site();
    // Sites are sorted by name, so those that begin as the pattern does are next to each other. Several may share a name.
    let start = glob.as_str().split('*').next().unwrap_or_default();
    let first = sites.partition_point(|site| site.name() < start);
    let names = sites[first..].iter().map(|site| site.name());
    let names = names.take_while(|name| name.starts_with(start));
    let mut names: Vec<_> = names.filter(|name| glob.matches(name)).collect();
    names.dedup();
    names
}
