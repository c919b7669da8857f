//! An experiment means the same in each format, and is written as it was read.

use std::{fs, path::Path, time::Duration};

use chaos_gameday::{
    Experiment, Format, Question, Stage, Target, experiment_from, experiment_schema,
};
use serde_json::Value;

pub(crate) const LOST_READS: &str = r#"
title: Lost reads do not reach shoppers
description: Five percent of database reads fail; retries hide it.
owner: team-shop
watchers: [oncall]
tags: [gameday]
target: { endpoint: "http://127.0.0.1:9900" }
hypothesis:
  title: Shoppers see no more than 1 % of errors
  probes:
    - name: products
      http: { url: "http://127.0.0.1:3000/products", headers: { accept: application/json } }
      expect: { status: 200, body: "tea", json: { path: "$[0].price", at_most: 10, at_least: 1 }, latency: { at_most: 1s } }
      ask: [after, before, during]
      every: 500ms
    - { name: slo, promql: { url: "http://127.0.0.1:9090", query: "sum(rate(errors[5s]))" }, expect: { at_most: 0.01 }, ask: [before, during] }
    - { name: shoppers, site: http.server, expect: { error_ratio: { at_most: 0.01 }, latency: { p99: { at_most: 300ms } } } }
    - { name: no worse, site: http.server, compare: { rule: lost, error_ratio: { at_most: 0.02 } } }
estimate: { for: 30s, hits: { at_least: 50 } }
observe: { before: 30s, after: 60s }
phases:
  - { name: one in a hundred, for: 60s, rules: [ { id: lost, site: db.read, rate: 0.01, faults: [ { error: lost } ] } ] }
  - { name: pause, for: 10s }
  - { name: ramp, for: 120s, rules: [ { id: lost, site: db.read, program: [ { for: 120s, rate: "0.01..0.05" } ], ttl: 2m, faults: [ { error: lost } ] } ] }
stop: { probes_failing: 3, breaches: 1, worse_than_control: { rule: lost, site: http.server, error_ratio: 0.02 } }
conclusive: { hits: { at_least: 100 } }
follow_ups: [ "look at the retries", { text: write a runbook, owner: team-shop } ]
"#;

pub(crate) fn lost_reads() -> Experiment {
    experiment_from(LOST_READS, Format::Yaml).unwrap()
}

#[test]
fn an_experiment_is_read() {
    let experiment = lost_reads();
    assert_eq!(experiment.title, "Lost reads do not reach shoppers");
    let expected = Target::Endpoints(vec!["http://127.0.0.1:9900".into()]);
    assert_eq!(experiment.target, expected);
    let [products, slo, shoppers, worse] = &experiment.hypothesis.probes[..] else {
        panic!("{experiment:?}");
    };
    assert_eq!(products.ask, [Stage::Before, Stage::During, Stage::After]);
    let asked = [products, slo, shoppers, worse].map(|probe| {
        let question = &probe.question;
        (question.url(), question.site(), question.is_of_counts())
    });
    let urls = ["http://127.0.0.1:3000/products", "http://127.0.0.1:9090"];
    let [products_url, slo_url] = urls.map(|url| (Some(url), None, false));
    let site = (None, Some("http.server"), true);
    assert_eq!(asked, [products_url, slo_url, site, site]);
    assert_eq!(products.every, Duration::from_millis(500));
    assert_eq!(slo.ask, [Stage::Before, Stage::During]);
    assert_eq!(slo.every, Duration::from_secs(1));
    let Question::Http { request, expect } = &products.question else {
        panic!("{products:?}");
    };
    assert_eq!((&*request.method, expect.status), ("GET", Some(200)));
    assert_eq!(request.timeout.0, Duration::from_secs(5));
    let Question::Site { expect, .. } = &shoppers.question else {
        panic!("{shoppers:?}");
    };
    assert_eq!(expect.latency[0].name(), "p99");
    assert_eq!(shoppers.ask, [Stage::During]);
    assert!(matches!(worse.question, Question::Compare { .. }));
    assert_eq!(experiment.injecting(), Duration::from_secs(190));
    assert_eq!(experiment.length(), Duration::from_secs(310));
    assert_eq!(experiment.rules().count(), 2);
    assert_eq!(experiment.follow_ups[1].owner.as_deref(), Some("team-shop"));
}

/// A run arms a rule for the time of its phase and a few seconds.
#[test]
fn a_rule_is_sent_with_the_lifetime_that_is_asked_for() {
    let experiment = lost_reads();
    let rules: Vec<_> = experiment.rules().collect();
    let sent = rules[0].json_for(Duration::from_millis(64_500));
    assert_eq!(sent["ttl"], "1m 4s 500ms");
    let read = chaos_core::wire::rule_from_value(sent, None).unwrap();
    assert_eq!(read.id().as_str(), "lost");
    // Its own is shorter.
    let sent = rules[1].shadow_json_for(Duration::from_secs(125));
    assert_eq!(
        (&sent["ttl"], &sent["mode"]),
        (&"2m".into(), &"shadow".into())
    );
    chaos_core::wire::rule_from_value(sent, None).unwrap();
    assert!(rules[0].json().get("ttl").is_none());
}

#[test]
fn each_format_says_the_same() {
    let experiment = serde_json::to_value(lost_reads()).unwrap();
    let json = serde_json::to_string_pretty(&experiment).unwrap();
    let again = experiment_from(&json, Format::Json).unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), experiment);
    let toml = toml::to_string(&experiment).unwrap();
    let again = experiment_from(&toml, Format::Toml).unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), experiment);
    for (path, format) in [
        ("a.yml", Some(Format::Yaml)),
        ("a.YAML", Some(Format::Yaml)),
        ("a.toml", Some(Format::Toml)),
        ("a.json", Some(Format::Json)),
        ("a", None),
        ("json", None),
        ("a.txt", None),
    ] {
        assert_eq!(Format::of_path(Path::new(path)).ok(), format, "{path}");
    }
}

/// Compares a committed file with what the types say; `UPDATE_SCHEMAS=1` writes it.
pub(crate) fn assert_committed(name: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(name);
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "{}: run the tests with UPDATE_SCHEMAS=1",
        path.display()
    );
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    assert_committed("experiment.schema.json", &experiment_schema());
}

#[test]
fn the_schema_accepts_what_is_read() {
    let schema = jsonschema::draft202012::new(&experiment_schema()).unwrap();
    let experiment = serde_json::to_value(lost_reads()).unwrap();
    let errors: Vec<_> = schema
        .iter_errors(&experiment)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (pointer, value) in [
        ("/hypothesis/probes/0/ask/0", Value::from("sometimes")),
        ("/phases/0/rules/0/rate", Value::from(5)),
        ("/phases/0/for", Value::from("soon")),
        ("/observe", serde_json::json!({ "befor": "1s" })),
        ("/stop/breaches", Value::from(0)),
    ] {
        let mut wrong = experiment.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&wrong), "{pointer}");
        let read = experiment_from(&wrong.to_string(), Format::Json);
        assert!(read.is_err(), "{pointer}");
    }
}
