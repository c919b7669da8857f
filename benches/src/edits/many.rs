//! What is edited: one rule for each of many sites, or many rules at one site, in code and in JSON.

use std::time::Duration;

use chaos_core::{Fault, Injector, Lifetime, Policy, Rule, rule::Change, wire};
use serde_json::{Value, json};

use crate::{cases::many::by_path, edits::cpu, rules::matching};

/// Returns an injector that takes more rules than the default policy allows.
pub(crate) fn roomy() -> Injector {
    let injector = Injector::new();
    let policy = Policy::default().max_rules(1_000_000);
    injector.set_policy(policy.max_rule_bytes(1 << 30));
    injector
}

/// Returns an injector with `count` sites, at each of which one rule aims.
pub(crate) fn one_rule_for_each_site(count: usize) -> Injector {
    let injector = roomy();
    make_sites(&injector, count);
    let rule = |n| matching(&format!("rule-{n}"), &site(n), by_path(n));
    let replaced = injector.replace((0..count).map(rule).collect());
    replaced.expect("the ids differ");
    injector
}

/// Makes `count` sites by name.
pub(crate) fn make_sites(injector: &Injector, count: usize) {
    for n in 0..count {
        let _ = injector.site(&site(n));
    }
}

fn site(n: usize) -> String {
    format!("bench.site-{n}")
}

/// Returns the processor time in which a rule that is new is read from JSON, checked and put at one of many sites.
pub(crate) fn put_new(injector: &Injector, round: usize) -> Duration {
    let id = format!("new-{round}");
    let json = in_json(&id, &site(round), "/new").to_string();
    let put = || {
        let rule = wire::rule_from_json(json.as_bytes(), Some(&id)).expect("a rule");
        injector.check([&rule]).expect("a rule that can happen");
        let rules = injector.rules();
        assert!(rules.find(&id).is_none());
        injector.apply(Change::Put(rule), Some(rules.generation()))
    };
    let (time, put) = cpu::spent(put);
    put.expect("nobody else edits");
    time
}

/// Returns the processor time in which one rule is written as JSON, changed, read again and put in its place.
pub(crate) fn patch(injector: &Injector, round: usize) -> Duration {
    let id = format!("rule-{round}");
    let patch = || {
        let rules = injector.rules();
        let mut value = wire::rule_to_value(rules.find(&id).expect("one of the rules"));
        value["rate"] = json!(1.0 / (1 + round) as f64);
        let rule = wire::rule_from_value(value, Some(&id)).expect("a rule");
        injector.check([&rule]).expect("a rule that can happen");
        injector.apply(Change::Edit(rule), Some(rules.generation()))
    };
    let (time, edited) = cpu::spent(patch);
    edited.expect("nobody else edits");
    time
}

/// Returns the processor time in which one rule is disabled or enabled.
pub(crate) fn toggle(injector: &Injector, round: usize) -> Duration {
    let toggle = || {
        let rules = injector.rules();
        let rule = rules.find("rule-7").expect("one of the rules");
        let rule = Rule::clone(rule).enabled(round.is_multiple_of(2));
        injector.apply(Change::Edit(rule), Some(rules.generation()))
    };
    let (time, edited) = cpu::spent(toggle);
    edited.expect("nobody else edits");
    time
}

/// Returns the processor time in which `count` sites are made by name.
pub(crate) fn new_sites(count: usize) -> Duration {
    let injector = roomy();
    cpu::spent(|| make_sites(&injector, count)).0
}

/// Returns the processor time in which the audit's entry of a replace of `count` rules says what was changed.
pub(crate) fn changes(count: usize) -> Duration {
    let injector = roomy();
    for of_round in [1, 2] {
        let replaced = injector.replace(at_one_site(count, of_round));
        replaced.expect("the ids differ");
    }
    let entries = injector.audit().after(0).entries;
    let entry = entries.last().expect("an entry of the second edit");
    let (time, changes) = cpu::spent(|| entry.changes());
    assert_eq!(changes.len(), count);
    time
}

/// Returns the processor time in which each of the rules in force is found by its id.
pub(crate) fn finds(injector: &Injector, count: usize) -> Duration {
    let rules = injector.rules();
    let ids: Vec<_> = (0..count).map(|n| format!("rule-{n}")).collect();
    let (time, ()) = cpu::spent(|| {
        for id in &ids {
            assert!(rules.find(id).is_some());
        }
    });
    time
}

/// Returns an injector with `count` rules at one site.
pub(super) fn all_at_one_site(count: usize) -> Injector {
    let injector = roomy();
    let _ = injector.site("bench.many");
    let replaced = injector.replace(at_one_site(count, 0));
    replaced.expect("the ids differ");
    injector
}

/// Returns rules for one site. Those of two rounds differ, so that no counter goes on.
pub(crate) fn at_one_site(count: usize, of_round: u64) -> Vec<Rule> {
    let rule = |n| {
        let rule = matching(&format!("rule-{n}"), "bench.many", by_path(n));
        rule.lifetime(Lifetime::new(Duration::from_secs(3600 + of_round)).expect("a lifetime"))
    };
    (0..count).map(rule).collect()
}

/// Returns a rule that holds each call at the site `held.site`.
pub(crate) fn holding() -> Rule {
    let fault = Fault::hang(Duration::from_secs(600)).expect("a time");
    let site = "held.site".parse().expect("a site");
    Rule::new("holding".parse().expect("an id"), site, fault).lifetime(Lifetime::NEVER_ENDS)
}

/// Returns a document of `count` rules, as one writes them by hand.
pub(crate) fn document(count: usize, of_round: usize) -> Vec<u8> {
    let rule = |n| {
        let path = format!("/products/{n}/{of_round}");
        in_json(&format!("rule-{n}"), "bench.many", &path)
    };
    let rules: Vec<_> = (0..count).map(rule).collect();
    json!({ "rules": rules }).to_string().into_bytes()
}

fn in_json(id: &str, site: &str, path: &str) -> Value {
    json!({
        "id": id,
        "site": site,
        "match": { "method": "GET", "path": path },
        "rate": 0.05,
        "ttl": "10m",
        "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }],
    })
}

/// Returns the bytes that `count` rules take that were read from JSON and are in force.
pub(crate) fn bytes_of_rules(count: usize) -> u64 {
    let json = document(count, 0);
    let injector = roomy();
    let _ = injector.site("bench.many");
    let counted = allocation_counter::measure(|| {
        let rules = wire::rules_from_json(&json).expect("rules");
        injector.replace(rules).expect("the ids differ");
    });
    u64::try_from(counted.bytes_current).expect("more is kept than was there before")
}

/// Returns the bytes of the texts of `count` rules: ids, sites and paths.
pub(crate) fn bytes_of_texts(count: usize) -> u64 {
    let rules = wire::rules_from_json(&document(count, 0)).expect("rules");
    let text = |rule: &Rule| {
        let path = wire::rule_to_value(rule)["match"]["path"]
            .as_str()
            .map(str::len);
        rule.id().as_str().len() + rule.site().as_str().len() + path.unwrap_or(0)
    };
    rules.iter().map(text).sum::<usize>() as u64
}
