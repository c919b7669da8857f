//! A rule as the port shows it: as it was written, with what it has counted and where it aims.

use chaos_core::{Counts, Rule, Site, wire};
use serde_json::{Map, Value, json};

/// The rule's JSON with two fields more, `stats` and `sites`. The counts are `None` if the rule has
/// been deleted since.
pub(crate) fn rule(rule: &Rule, counts: Option<&Counts>, sites: &[&'static Site]) -> Value {
    let mut value = wire::rule_to_value(rule);
    value["stats"] = counts.map_or(Value::Null, stats);
    value["sites"] = json!(known_sites(rule, sites));
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
        ..
    } = counts;
    // Whole milliseconds: what is finer has passed by the time it is read.
    let expires_in = expires_in.map(|time| time.as_millis() as f64 / 1e3);
    let spared = overflow.iter().filter(|(_, calls)| *calls > 0);
    let spared: Map<_, _> = spared
        .map(|(limit, calls)| (limit.as_str().to_owned(), calls.into()))
        .collect();
    json!({
        "matched": matched,
        "injected": injected,
        "shadowed": shadowed,
        "active": active,
        "evicted": evicted,
        "overflow": spared,
        "expires_in": expires_in,
    })
}

/// The names of the known sites that the rule aims at. None is no mistake: a site registers on its
/// first pass, and a rule may wait for it.
fn known_sites(rule: &Rule, sites: &[&'static Site]) -> Vec<&'static str> {
    let aimed_at = sites.iter().map(|site| site.name());
    let mut names: Vec<_> = aimed_at.filter(|name| rule.site().matches(name)).collect();
    // They come in order of name.
    names.dedup();
    names
}
