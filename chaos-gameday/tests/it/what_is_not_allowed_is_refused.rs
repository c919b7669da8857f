//! What an experiment may not say is refused, by name.

use chaos_gameday::{ExperimentError, Format, experiment_from};
use serde_json::{Value, json};

use crate::experiments_are_read::{LOST_READS, lost_reads};

fn refused(text: &str, format: Format) -> ExperimentError {
    experiment_from(text, format)
        .err()
        .unwrap_or_else(|| panic!("accepted: {text}"))
}

fn changed(from: &str, to: &str) -> ExperimentError {
    assert!(LOST_READS.contains(from), "{from}");
    refused(&LOST_READS.replacen(from, to, 1), Format::Yaml)
}

#[test]
fn an_unknown_field_is_named_with_its_line() {
    for (from, to, name, line) in [
        ("tags:", "tagz:", "tagz", 6),
        (
            "expect: { status: 200",
            "expect: { statuz: 200",
            "statuz",
            13,
        ),
        ("phases:\n  - { name:", "phases:\n  - { nome:", "nome", 22),
    ] {
        let error = changed(from, to);
        assert!(error.problem().contains(name), "{error}");
        let found = error.line_and_column().map(|(line, _)| line);
        assert!(
            found.is_some_and(|found| found.abs_diff(line) <= 1),
            "{error}"
        );
    }
    let toml = "title = \"a\"\n[target]\nendpoint = \"http://a:1\"\nendpiont = \"b\"\n";
    let error = refused(toml, Format::Toml);
    assert!(
        error
            .to_string()
            .starts_with("line 4, column 1: unknown field `endpiont`"),
        "{error}"
    );
    let error = refused("{\n \"title\": \"a\",\n \"titel\": \"b\"\n}", Format::Json);
    assert!(
        error
            .to_string()
            .starts_with("line 3, column 8: unknown field `titel`"),
        "{error}"
    );
}

/// A `main` that returns an error prints its `Debug`.
#[test]
fn debug_writes_the_sentence() {
    for error in [changed("tags:", "tagz:"), changed("rate: 0.01", "rate: 5")] {
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

/// Returns the pointer of each object in a document, but for those whose fields are free, and for rules, which core reads.
fn objects(value: &Value, at: &str) -> Vec<String> {
    let children: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => (items.iter().enumerate())
            .map(|(n, it)| (n.to_string(), it))
            .collect(),
        _ => return Vec::new(),
    };
    let mut all: Vec<_> = value
        .is_object()
        .then(|| at.to_owned())
        .into_iter()
        .collect();
    for (name, child) in children {
        if !["rules", "headers"].contains(&&*name) {
            all.extend(objects(child, &format!("{at}/{name}")));
        }
    }
    all
}

/// A list was read as the fields of an object, in their order; where that failed, the error had the number of the fields.
#[test]
fn a_list_is_no_object() {
    let mut document = serde_json::to_value(lost_reads()).unwrap();
    document["target"] = json!({ "fleet": { "etcd": ["http://a:1"], "name": "shop" } });
    let compare = &mut document["hypothesis"]["probes"][3]["compare"];
    compare["latency"] = json!({ "p50": { "at_most": "1s" }, "p999": { "at_most": "2s" } });
    let all = objects(&document, "");
    assert_eq!(all.len(), 34, "{all:?}");
    for pointer in all {
        let mut document = document.clone();
        let object = document.pointer_mut(&pointer).unwrap();
        let fields = object.as_object().unwrap();
        *object = fields.values().cloned().collect();
        let json = refused(&document.to_string(), Format::Json);
        let expected = match pointer.starts_with("/follow_ups") {
            true => "a text, or an object with `text`",
            false => "invalid type: sequence, expected an object",
        };
        assert!(json.problem().contains(expected), "{pointer}: {json}");
        refused(&document.to_string(), Format::Yaml);
        if pointer.is_empty() {
            continue;
        }
        let toml = refused(&toml::to_string(&document).unwrap(), Format::Toml);
        assert!(toml.problem().contains(expected), "{pointer}: {toml}");
    }
}

#[test]
fn a_value_that_is_not_allowed_is_refused_by_its_field() {
    for (from, to, field) in [
        (
            "title: Lost reads do not reach shoppers",
            "title: \"\"",
            "title",
        ),
        (
            "title: Lost reads do not reach shoppers",
            "title: \"a\\e[2Jb\"",
            "title",
        ),
        (
            "endpoint: \"http://127.0.0.1:9900\"",
            "endpoint: \"127.0.0.1:9900\"",
            "target.endpoint",
        ),
        ("{ endpoint: \"http://127.0.0.1:9900\" }", "{}", "target"),
        (
            "{ endpoint: \"http://127.0.0.1:9900\" }",
            "{ endpoints: [] }",
            "target.endpoints",
        ),
        ("rate: 0.01,", "rate: 5,", "phases[0].rules[0].rate"),
        (
            "rate: 0.01,",
            "rate: 0.01, ttl: never,",
            "phases[0].rules[0].ttl",
        ),
        (
            "rate: 0.01,",
            "rate: 0.01, ttl: 61s,",
            "phases[0].rules[0].ttl",
        ),
        (
            "rate: 0.01,",
            "rate: 0.01, mode: shadow,",
            "phases[0].rules[0].mode",
        ),
        (
            "rate: 0.01,",
            "rate: 0.01, enabled: false,",
            "phases[0].rules[0].enabled",
        ),
        (
            "[ { for: 120s,",
            "[ { for: 121s,",
            "phases[2].rules[0].program",
        ),
        ("name: pause", "name: ramp", "phases"),
        ("for: 10s }", "for: 10s, share: 0.5 }", "phases[1].share"),
        ("name: slo", "name: products", "hypothesis.probes"),
        (
            "compare: { rule: lost",
            "compare: { rule: lots",
            "hypothesis.probes[3].compare.rule",
        ),
        (
            "worse_than_control: { rule: lost",
            "worse_than_control: { rule: lots",
            "stop.worse_than_control.rule",
        ),
        ("every: 500ms", "every: 1ms", "hypothesis.probes[0].every"),
        (
            "body: \"tea\"",
            "body: \"(\"",
            "hypothesis.probes[0].expect.body",
        ),
        (
            "$[0].price",
            "price[",
            "hypothesis.probes[0].expect.json.path",
        ),
        (
            "expect: { at_most: 0.01 }",
            "expect: { status: 200 }",
            "hypothesis.probes[1].expect.status",
        ),
        (
            "expect: { at_most: 0.01 }",
            "expect: {}",
            "hypothesis.probes[1].expect",
        ),
        (
            "expect: { at_most: 0.01 }",
            "expect: { at_most: .nan }",
            "hypothesis.probes[1].expect.at_most",
        ),
        (
            "compare: { rule: lost, error_ratio: { at_most: 0.02 } }",
            "compare: { rule: lost }",
            "hypothesis.probes[3].compare",
        ),
        (
            "name: no worse, site: http.server,",
            "name: no worse, site: http.server, ask: [before],",
            "hypothesis.probes[3].ask",
        ),
        (
            "name: no worse, site: http.server,",
            "name: no worse, promql: { url: \"http://a\", query: up },",
            "hypothesis.probes[3].compare",
        ),
        (
            "conclusive: { hits: { at_least: 100 } }",
            "conclusive: { hits: { at_least: 0 } }",
            "conclusive.hits.at_least",
        ),
        ("breaches: 1", "breaches: 0", "stop.breaches"),
        (
            "observe: { before: 30s",
            "observe: { before: 25h",
            "observe.before",
        ),
        ("observe: { before: 30s", "observe: { before: 24h", ""),
    ] {
        let error = changed(from, to);
        assert_eq!(error.field(), field, "{to}: {error}");
        assert!(!error.allowed().is_empty(), "{error}");
    }
}

/// A field is found in each format, also within a rule.
#[test]
fn what_is_not_allowed_is_shown_where_it_stands() {
    let place = |error: ExperimentError| error.line_and_column();
    for (from, to) in [
        ("rate: 0.01,", "rate: 5,"),
        ("rate: 0.01,", "rat: 5,"),
        ("breaches: 1", "breaches: 0"),
        ("every: 500ms", "every: 1ms"),
    ] {
        let text = LOST_READS.replacen(from, to, 1);
        let before = text.split(to).next().unwrap();
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.lines().last().unwrap().chars().count() + 1;
        assert_eq!(
            place(changed(from, to)),
            Some((line, column as u64)),
            "{to}"
        );
    }
    // What is missing is shown by what it is missing in.
    let error = changed("{ endpoint: \"http://127.0.0.1:9900\" }", "{}");
    assert_eq!(place(error).map(|it| it.0), Some(7));
    let rest = "[hypothesis]\ntitle = \"a\"\nprobes = [{ name = \"p\", site = \"s\", expect = { error_ratio = { at_most = 0 } } }]\n\
                [[phases]]\nname = \"one\"\nfor = \"1s\"\n[[phases.rules]]\nid = \"a\"\nsite = \"s\"\nrate = 5\nfaults = [{ status = 503 }]\n";
    let toml = format!("title = \"a\"\ntarget.endpoint = \"http://a:1\"\n{rest}");
    let error = refused(&toml, Format::Toml);
    assert_eq!(error.field(), "phases[0].rules[0].rate");
    assert_eq!(place(error).map(|it| it.0), Some(12));
    let json = serde_json::to_string_pretty(&lost_reads()).unwrap();
    let json = json.replacen("\"rate\": 0.01", "\"rate\": 5", 1);
    let line = json
        .lines()
        .position(|line| line.contains("\"rate\": 5"))
        .unwrap() as u64
        + 1;
    let error = refused(&json, Format::Json);
    assert_eq!(
        error.line_and_column().map(|it| it.0),
        Some(line),
        "{error}"
    );
}

/// A bound is said where it is exceeded.
#[test]
fn what_is_too_much_is_refused_with_its_bound() {
    let probe = |n| {
        format!("    - {{ name: p{n}, site: a, expect: {{ error_ratio: {{ at_most: 1 }} }} }}\n")
    };
    let phase = |n| format!("  - {{ name: q{n}, for: 1s }}\n");
    let many = |one: &dyn Fn(usize) -> String, n: usize| (0..n).map(one).collect::<String>();
    let probes = |n| format!("  probes:\n{}", many(&probe, n));
    let phases = |n| format!("phases:\n{}", many(&phase, n));
    // Four and three are there.
    for (from, to, allowed) in [
        ("  probes:\n", probes(61), "1 to 64"),
        ("phases:\n", phases(30), "1 to 32"),
        (
            "[gameday]",
            format!("[{}]", vec!["a"; 101].join(", ")),
            "0 to 100",
        ),
        (
            "title: Lost",
            format!("title: {}", "a".repeat(200)),
            "at most 200 bytes",
        ),
        (
            "description: Five",
            format!("description: {}", "a".repeat(10_000)),
            "at most 10000 bytes",
        ),
        (
            "description: Five",
            format!("description: {}", "a".repeat(1 << 20)),
            "at most 1048576 bytes",
        ),
    ] {
        let error = changed(from, &to);
        assert_eq!(error.allowed(), allowed, "{}", error.problem());
    }
    let enough =
        LOST_READS
            .replacen("  probes:\n", &probes(60), 1)
            .replacen("phases:\n", &phases(29), 1);
    experiment_from(&enough, Format::Yaml).unwrap();
}

#[test]
fn nothing_is_changed_in_silence() {
    for (text, format, problem) in [
        ("", Format::Yaml, ""),
        ("[]", Format::Json, ""),
        (
            "title: a\ntitle: b\n",
            Format::Yaml,
            "duplicate mapping key `title` is not allowed here",
        ),
        (
            "{\"title\": \"a\", \"title\": \"b\"}",
            Format::Json,
            "duplicate field `title`",
        ),
    ] {
        let error = refused(text, format);
        assert!(error.problem().contains(problem), "{error}");
    }
    // In a rule, too.
    let json = serde_json::to_string(&lost_reads()).unwrap();
    let twice = json.replacen("\"rate\":0.01", "\"rate\":0.01,\"rate\":1", 1);
    let error = refused(&twice, Format::Json);
    assert!(error.problem().contains("`rate` occurs twice"), "{error}");
    let error = changed("rate: 0.01,", "rate: .inf,");
    assert!(error.problem().contains("inf"), "{error}");
    assert!(
        changed("rate: 0.01,", "rate: null,")
            .field()
            .ends_with("rate")
    );
}

/// Where other than chance decides between hit and spared, a comparison shows what decided.
#[test]
fn a_comparison_needs_a_draw() {
    let rule = "rate: 0.01, faults: [ { error: lost } ]";
    for (to, why) in [
        (
            "rate: 0.01, limit: 5, faults: [ { error: lost } ]",
            "`limit`",
        ),
        (
            "rate: 0.01, max_active: 5, faults: [ { error: lost } ]",
            "`max_active`",
        ),
        ("rate: 0.01, skip: 5, faults: [ { error: lost } ]", "`skip`"),
        ("faults: [ { error: lost } ]", "spares none"),
        ("rate: 1, faults: [ { error: lost } ]", "spares none"),
        (
            "rate: 0.01, faults: [ { body: { truncate_after: 5 } } ]",
            "acts on responses",
        ),
    ] {
        assert!(LOST_READS.contains(rule), "{LOST_READS}");
        let text = LOST_READS
            .replace(rule, to)
            .replace("site: db.read", "site: http.server");
        let error = refused(&text, Format::Yaml);
        assert!(error.field().ends_with("rule"), "{error}");
        assert!(error.problem().contains(why), "{error}");
    }
}

#[test]
fn a_probe_is_asked_once_faults_are_injected() {
    let text = r#"
title: nothing is asked
target: { endpoint: "http://127.0.0.1:9900" }
hypothesis: { title: x, probes: [ { name: up, http: { url: "http://127.0.0.1:3000/" }, ask: [before] } ] }
phases: [ { name: lost, for: 1s, rules: [ { id: lost, site: db.read, faults: [ { error: lost } ] } ] } ]
"#;
    assert_eq!(refused(text, Format::Yaml).field(), "hypothesis.probes");
}

/// A port observes 16 rules, of which the lock is one, at 16 sites.
#[test]
fn no_more_is_counted_than_a_port_observes() {
    let rules = |count: usize| {
        let rule =
            |n| format!("{{ id: r{n}, site: db.read, rate: 0.5, faults: [ {{ error: lost }} ] }}");
        let rules: Vec<_> = (0..count).map(rule).collect();
        format!("for: 10s, rules: [ {} ] }}", rules.join(", "))
    };
    let probes = |count: usize| {
        let probe = |n| {
            format!(
                "    - {{ name: p{n}, site: s{n}, expect: {{ error_ratio: {{ at_most: 0.1 }} }} }}\n"
            )
        };
        let probes: Vec<_> = (0..count).map(probe).collect();
        format!("  probes:\n{}", probes.concat())
    };
    let with = |from: &str, to: &str| LOST_READS.replacen(from, to, 1);
    let error = refused(&with("for: 10s }", &rules(16)), Format::Yaml);
    assert_eq!(error.field(), "phases[1].rules");
    assert!(error.problem().contains("16 rules"), "{error}");
    assert!(error.allowed().contains("15"), "{error}");
    experiment_from(&with("for: 10s }", &rules(15)), Format::Yaml).unwrap();
    // `http.server` is one of them.
    let error = refused(&with("  probes:\n", &probes(16)), Format::Yaml);
    assert_eq!(error.field(), "hypothesis.probes");
    assert!(error.problem().contains("17 sites"), "{error}");
    experiment_from(&with("  probes:\n", &probes(15)), Format::Yaml).unwrap();
    // Where nothing is counted, there may be more.
    let unasked = format!(
        r#"{{ title: a, target: {{ endpoint: "http://a:1" }}, hypothesis: {{ title: b, probes: [ {{ name: c, http: {{ url: "http://a:1" }} }} ] }}, phases: [ {{ name: d, {} ] }}"#,
        rules(16)
    );
    experiment_from(&unasked, Format::Yaml).unwrap();
}
