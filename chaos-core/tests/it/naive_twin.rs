//! A naive reading of the rule format decides like the compiled one, call for call.

use chaos_core::{
    Call, Injector, Plan,
    rule::Change,
    wire::{rule_from_value, rules_from_json},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
struct Facts {
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    label: Option<&'static str>,
}

/// Reads the JSON again for every call; slow, obvious, and sharing no code with the crate.
struct Twin {
    rules: Vec<Value>,
    calls: Vec<u64>,
    injected: Vec<u64>,
}

impl Twin {
    fn decide(&mut self, site: &str, facts: &Facts) -> Vec<String> {
        let mut fired = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if !glob(rule["site"].as_str().unwrap(), site) || !matches(&rule["match"], facts) {
                continue;
            }
            if rule["enabled"] == json!(false) {
                continue;
            }
            let ordinal = self.calls[at];
            self.calls[at] += 1;
            let skip = rule["skip"].as_u64().unwrap_or(0);
            let every = rule["every"].as_u64().unwrap_or(1);
            if ordinal < skip
                || !(ordinal - skip + 1).is_multiple_of(every)
                || rule["rate"] == json!(0.0)
            {
                continue;
            }
            if rule["limit"]
                .as_u64()
                .is_some_and(|limit| self.injected[at] >= limit)
            {
                continue;
            }
            self.injected[at] += 1;
            let id = rule["id"].as_str().unwrap().to_owned();
            let ends = rule["faults"][0].get("error").is_some();
            fired.push(id);
            if ends || rule["final"] == json!(true) {
                break;
            }
        }
        fired
    }
}

fn glob(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<_>, Vec<_>) = (glob.split('.').collect(), name.split('.').collect());
    fn rest(glob: &[&str], name: &[&str]) -> bool {
        match (glob, name) {
            ([], []) => true,
            (["**", glob @ ..], name) => (1..=name.len()).any(|n| rest(glob, &name[n..])),
            (["*", glob @ ..], [_, name @ ..]) => rest(glob, name),
            ([a, glob @ ..], [b, name @ ..]) => a == b && rest(glob, name),
            _ => false,
        }
    }
    rest(&glob, &name)
}

fn matches(matcher: &Value, facts: &Facts) -> bool {
    let header = |name: &str| -> Vec<&str> {
        let named = facts.headers.iter().filter(|(header, _)| *header == name);
        named.map(|(_, value)| *value).collect()
    };
    let query = |name: &str| -> Vec<&str> {
        let pairs = facts
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .collect()
    };
    let label: Vec<&str> = facts.label.into_iter().collect();
    matcher
        .as_object()
        .unwrap()
        .iter()
        .all(|(key, wanted)| match key.as_str() {
            "method" => text(wanted, &[facts.method], false),
            "path" => text(wanted, &[facts.path], true),
            "headers" => wanted
                .as_object()
                .unwrap()
                .iter()
                .all(|(k, v)| text(v, &header(k), false)),
            "query" => wanted
                .as_object()
                .unwrap()
                .iter()
                .all(|(k, v)| text(v, &query(k), false)),
            "labels" => wanted
                .as_object()
                .unwrap()
                .iter()
                .all(|(_, v)| text(v, &label, false)),
            other => panic!("{other}"),
        })
}

fn text(wanted: &Value, values: &[&str], is_path: bool) -> bool {
    if let Some(list) = wanted.as_array() {
        return list.iter().any(|wanted| text(wanted, values, is_path));
    }
    if let Some(wanted) = wanted.as_str() {
        return values.iter().any(|value| {
            if is_path {
                route(wanted, value)
            } else {
                wanted == *value
            }
        });
    }
    let (form, inner) = wanted.as_object().unwrap().iter().next().unwrap();
    let inner_text = inner.as_str().unwrap_or("");
    match form.as_str() {
        "prefix" => values.iter().any(|value| value.starts_with(inner_text)),
        "suffix" => values.iter().any(|value| value.ends_with(inner_text)),
        // The only expressions that the strategy writes.
        "regex" => values
            .iter()
            .any(|value| value.starts_with('a') && value.ends_with('e')),
        "full_regex" => values.iter().any(|value| ["a", "/a", "e"].contains(value)),
        "present" => inner.as_bool().unwrap() != values.is_empty(),
        "not" => !text(inner, values, is_path),
        other => panic!("{other}"),
    }
}

fn route(route: &str, path: &str) -> bool {
    if let Some(prefix) = route.strip_suffix("{*rest}") {
        return path
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty());
    }
    let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    // The last segment is not empty; one in the middle may be, for axum.
    let last = path.len() - 1;
    let same = |(at, (r, p)): (usize, (&&str, &&str))| {
        r == p || r.starts_with('{') && (at < last || !p.is_empty())
    };
    route.len() == path.len() && route.iter().zip(&path).enumerate().all(same)
}

fn any_text(plain: &'static [&'static str]) -> impl Strategy<Value = Value> {
    // A path begins with a slash, and a prefix that does not is refused.
    let prefix = if plain[0].starts_with('/') { "/a" } else { "a" };
    let leaf = prop_oneof![
        3 => prop::sample::select(plain).prop_map(|text| json!(text)),
        1 => Just(json!({ "prefix": prefix })),
        1 => Just(json!({"suffix": "e"})),
        1 => Just(json!({"regex": "^a.*e$"})),
        1 => Just(json!({"full_regex": "/?a|e"})),
        1 => any::<bool>().prop_map(|wanted| json!({ "present": wanted })),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|text| json!({ "not": text })),
            prop::collection::vec(inner, 1..3).prop_map(|texts| json!(texts)),
        ]
    })
}

fn any_matcher() -> impl Strategy<Value = Value> {
    let paths = &[
        "/",
        "/products",
        "/products/{id}",
        "/files/{*rest}",
        "/products/{id}/x",
    ];
    let methods = &["GET", "POST", "A"];
    let values = &["acme", "ace", "zed"];
    (
        prop::option::of(any_text(methods)),
        prop::option::of(any_text(paths)),
        prop::option::of(any_text(values)),
        prop::option::of(any_text(values)),
        prop::option::of(any_text(values)),
    )
        .prop_map(|(method, path, header, query, label)| {
            let mut matcher = json!({});
            let mut set = |key: &str, value: Option<Value>| {
                if let Some(value) = value {
                    matcher[key] = value;
                }
            };
            set("method", method);
            set("path", path);
            set("headers", header.map(|text| json!({ "x-tenant": text })));
            set("query", query.map(|text| json!({ "beta": text })));
            set("labels", label.map(|text| json!({ "table": text })));
            matcher
        })
}

fn any_rule() -> impl Strategy<Value = Value> {
    let site = prop::sample::select(&["db.read", "db.*", "**", "*.read", "db.write"]);
    let fault = prop_oneof![Just(json!({"latency": "0s"})), Just(json!({"error": "x"}))];
    (
        site,
        any_matcher(),
        prop::sample::select(&[1.0, 1.0, 1.0, 0.0]),
        (0_u64..3, 1_u64..3, prop::option::of(1_u64..4)),
        any::<bool>(),
        fault,
    )
        .prop_map(
            |(site, matcher, rate, (skip, every, limit), is_final, fault)| {
                let mut rule = json!({
                    "site": site, "match": matcher, "rate": rate, "skip": skip, "every": every,
                    "final": is_final, "faults": [fault],
                });
                if let Some(limit) = limit {
                    rule["limit"] = limit.into();
                }
                rule
            },
        )
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let paths = &[
        "/",
        "/products",
        "/products/7",
        "/products/",
        "/files/a/b",
        "/products/7/x",
        "/ae",
    ];
    let header = prop::sample::select(&["acme", "ace", "zed", "zee"]);
    (
        prop::sample::select(&["GET", "POST", "A"]),
        prop::sample::select(paths),
        prop::sample::select(&["", "beta=acme", "beta=zed&beta=ace", "other=acme"]),
        prop::collection::vec(header.prop_map(|value| ("x-tenant", value)), 0..3),
        prop::option::of(prop::sample::select(&["acme", "zed"])),
    )
        .prop_map(|(method, path, query, headers, label)| Facts {
            method,
            path,
            query,
            headers,
            label,
        })
}

fn decide(injector: &Injector, site: &str, facts: &Facts) -> Vec<String> {
    let method: Method = facts.method.parse().unwrap();
    let uri: Uri = format!("{}?{}", facts.path, facts.query).parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &facts.headers {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let labels: Vec<_> = facts
        .label
        .iter()
        .map(|value| ("table", (*value).into()))
        .collect();
    let call = Call::http(&method, &uri, &headers).labels(&labels);
    let before = ids(injector);
    if let Some(mut decision) = injector.site(site).decide(&call) {
        while let Some(plan) = decision.next_plan() {
            if let Plan::Wait(_) = plan {
                continue;
            }
        }
    }
    let after = ids(injector);
    let hit = before
        .iter()
        .zip(after)
        .filter(|(before, after)| **before != *after);
    hit.map(|(_, after)| after.0).collect()
}

fn ids(injector: &Injector) -> Vec<(String, u64)> {
    let (set, counts) = injector.report();
    let pairs = set.rules().iter().zip(counts);
    pairs
        .map(|(rule, counts)| (rule.id().to_string(), counts.injected))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn compiled_rules_decide_like_the_naive_twin(
        // Few are asked one by one, and many are looked up.
        mut rules in prop_oneof![
            2 => prop::collection::vec(any_rule(), 1..9),
            1 => prop::collection::vec(any_rule(), 9..=200),
        ],
        toggled in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        calls in prop::collection::vec(
            (prop::sample::select(&["db.read", "db.write", "db"]), any_facts()), 1..20),
    ) {
        for (at, rule) in rules.iter_mut().enumerate() {
            rule["id"] = json!(format!("r{at}"));
        }
        let injector = Injector::new();
        let document = json!({ "rules": rules }).to_string();
        injector.replace(rules_from_json(document.as_bytes()).unwrap()).unwrap();
        let (calls_seen, injected) = (vec![0; rules.len()], vec![0; rules.len()]);
        let mut twin = Twin { rules, calls: calls_seen, injected };
        for (at, (site, facts)) in calls.into_iter().enumerate() {
            // Now and then one is switched off, or on again, which arms it anew.
            if let Some(toggled) = toggled.get(at) {
                let toggled = toggled.index(twin.rules.len());
                let rule = &mut twin.rules[toggled];
                rule["enabled"] = json!(rule["enabled"] == json!(false));
                (twin.calls[toggled], twin.injected[toggled]) = (0, 0);
                let rule = rule_from_value(rule.clone(), None).unwrap();
                injector.apply(Change::Edit(rule), None).unwrap();
            }
            let expected = twin.decide(site, &facts);
            prop_assert_eq!(decide(&injector, site, &facts), expected, "{:?}", facts);
        }
    }
}
