//! One schema in three formats, and what each of them would let slip.

use std::fs;

use chaos_core::{Rule, wire};
use chaos_sources::{FileSource, SourceError};

fn load(extension: &str, text: &str) -> Result<Vec<Rule>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("rules.{extension}"));
    fs::write(&path, text).unwrap();
    FileSource::new(&path).load()
}

fn refused(extension: &str, text: &str) -> SourceError {
    load(extension, text).expect_err(text)
}

const JSON: &str = r#"{
  "rules": [
    {
      "id": "slow-checkout",
      "site": "http.server",
      "reason": "GameDay 12",
      "match": { "method": ["POST"], "headers": { "x-tenant": { "prefix": "ac" } } },
      "rate": 0.05, "seed": 18446744073709551615, "limit": 100,
      "ttl": "never",
      "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }]
    },
    { "id": "off", "site": "db.*", "enabled": false,
      "faults": [{ "body": { "throttle": "10KiB/s", "on": "request" } }, { "value": null }] }
  ]
}"#;

const TOML: &str = r#"
[[rules]]
id = "slow-checkout"
site = "http.server"
reason = "GameDay 12"
rate = 0.05
seed = "SEED"
limit = 100
ttl = "never"
faults = [{ latency = "200ms..500ms" }, { status = 503 }]

[rules.match]
method = ["POST"]
headers.x-tenant.prefix = "ac"

[[rules]]
id = "off"
site = "db.*"
enabled = false
faults = [
    { body = { throttle = "10KiB/s", on = "request" } },
    { value = "NULL" },
]
"#;

const YAML: &str = r#"
rules:
  - id: slow-checkout
    site: http.server
    reason: GameDay 12
    match:
      method: [POST]
      headers:
        x-tenant: { prefix: ac }
    rate: 0.05
    seed: 18446744073709551615
    limit: 100
    ttl: never
    faults:
      - latency: 200ms..500ms
      - status: 503
  - id: off
    site: "db.*"
    enabled: false
    faults:
      - body: { throttle: 10KiB/s, on: request }
      - value: null
"#;

#[test]
fn the_same_rules_in_each_format() {
    let json = load("json", JSON).unwrap();
    assert_eq!(load("yaml", YAML).unwrap(), json);
    assert_eq!(load("YML", YAML).unwrap(), json);
    // What TOML cannot say: whole numbers beyond 2^63 - 1, and null.
    let toml = load(
        "toml",
        &TOML.replace("\"SEED\"", "7").replace("\"NULL\"", "0"),
    )
    .unwrap();
    let less = JSON
        .replace("18446744073709551615", "7")
        .replace("null", "0");
    assert_eq!(toml, load("json", &less).unwrap());
    for format in ["json", "yaml"] {
        assert!(load(format, r#"{"rules":[]}"#).unwrap().is_empty());
    }
    assert!(load("toml", "rules = []").unwrap().is_empty());
}

#[test]
fn what_the_port_shows_can_be_a_file() {
    let mut shown: serde_json::Value = serde_json::from_str(JSON).unwrap();
    let rules = load("json", JSON).unwrap();
    shown["rules"] = rules.iter().map(wire::rule_to_value).collect();
    shown["rules"][0]["stats"] = serde_json::json!({ "matched": 1, "expires_in": null });
    shown["rules"][0]["sites"] = serde_json::json!([]);
    shown["generation"] = 7.into();
    assert_eq!(load("json", &shown.to_string()).unwrap(), rules);
}

/// With `rate` taken for left out, a rule would hit every call.
#[test]
fn a_rate_that_is_no_number_is_not_left_out() {
    for (format, text, problem) in [
        ("toml", TOML.replace("0.05", "nan"), "not finite"),
        ("toml", TOML.replace("0.05", "inf"), "not finite"),
        ("yaml", YAML.replace("0.05", ".nan"), "finite"),
        ("yaml", YAML.replace("0.05", ".inf"), "finite"),
        (
            "yaml",
            YAML.replace("rate: 0.05", "rate:"),
            "`rate` has no value",
        ),
        ("yaml", YAML.replace("0.05", "~"), "`rate` has no value"),
        ("json", JSON.replace("0.05", "null"), "`rate` has no value"),
        ("json", JSON.replace("0.05", "NaN"), "expected"),
        ("json", JSON.replace("0.05", "1e999"), "out of range"),
    ] {
        let error = refused(format, &text);
        assert!(error.to_string().contains(problem), "{format}: {error}");
    }
}

#[test]
fn a_field_stands_once() {
    for (format, text) in [
        (
            "json",
            JSON.replace("\"rate\": 0.05", "\"rate\": 0.05, \"rate\": 1"),
        ),
        ("toml", TOML.replace("rate = 0.05", "rate = 0.05\nrate = 1")),
        (
            "yaml",
            YAML.replace("rate: 0.05", "rate: 0.05\n    rate: 1"),
        ),
    ] {
        let error = refused(format, &text);
        assert!(error.line_and_column().is_some(), "{format}: {error}");
        let error = error.to_string();
        // What a program may set is nothing to who writes the file.
        assert!(
            ["twice", "duplicate"].iter().any(|it| error.contains(it)) && !error.contains("Policy"),
            "{error}"
        );
    }
}

#[test]
fn words_of_yaml_stay_words() {
    let text = "rules: [{id: no, site: on, enabled: true, faults: [{error: off}]}]";
    let rule = &load("yaml", text).unwrap()[0];
    assert_eq!((rule.id().as_str(), rule.site().as_str()), ("no", "on"));
    for not in ["yes", "on", "y"] {
        let error = refused("yaml", &text.replace("true", not));
        assert!(error.to_string().contains("true or false"), "{error}");
    }
}

#[test]
fn no_document_grows_without_end() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{before}]\n");
    }
    refused("yaml", &text);
    refused("json", &"[".repeat(100_000));
    refused("yaml", &"[".repeat(100_000));
    refused("toml", &format!("a = {}", "[".repeat(100_000)));
}

#[test]
fn one_document_and_no_dates() {
    refused("yaml", &format!("{YAML}\n---\n{YAML}"));
    refused("yaml", "rules: !include other.yaml");
    let error = refused("toml", &TOML.replace("\"never\"", "09:00:00"));
    assert!(error.to_string().contains("in quotes"), "{error}");
}

#[test]
fn errors_say_where() {
    for (format, text, line, column) in [
        ("json", "{\n  \"rules\": [}\n}", 2, 13),
        ("toml", "[[rules]]\nid = \"a\nsite = 1", 2, 8),
        ("toml", "[[rules]]\nrate = nan\n", 2, 8),
        ("yaml", "rules:\n  - id: \"a\n", 2, 9),
        ("yaml", "rules:\n  - id: a\n    rate: .nan\n", 3, 11),
    ] {
        let error = refused(format, text);
        assert_eq!(error.line_and_column(), Some((line, column)), "{error}");
        let said = error.to_string();
        assert!(
            said.contains(&format!("rules.{format}:{line}:{column}: ")),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let error = refused("yaml", &YAML.replace("503", "99"));
    let rule = error.rule_error().unwrap();
    assert_eq!(
        (rule.rule(), rule.field()),
        (Some("slow-checkout"), "rules[0].faults[1].status")
    );
}
