//! Anything that is not a rule is refused with the field it failed at and what is allowed there.

use chaos_core::wire::{rule_from_json, rules_from_json};

/// (what, document, field, part of the problem, part of what is allowed)
const BAD: &[(&str, &str, &str, &str, &str)] = &[
    ("no JSON", "rate", "", "expected value", "JSON object"),
    (
        "truncated",
        r#"{"id":"r","site":"#,
        "site",
        "EOF",
        "site name",
    ),
    ("a list", "[]", "", "sequence", "an object"),
    (
        "trailing",
        r#"{"id":"r","site":"s","faults":[{"status":503}]} x"#,
        "",
        "trailing",
        "nothing after",
    ),
    (
        "match as a list",
        r#"{"id":"r","site":"s","match":["GET"],"faults":[{"status":503}]}"#,
        "match",
        "sequence",
        "labels",
    ),
    (
        "fault as a list",
        r#"{"id":"r","site":"s","faults":[["1s"]]}"#,
        "faults[0]",
        "sequence",
        "at least one",
    ),
    (
        "no id",
        r#"{"site":"s","faults":[{"status":503}]}"#,
        "id",
        "missing",
        "1 to 128",
    ),
    (
        "no site",
        r#"{"id":"r","faults":[{"status":503}]}"#,
        "site",
        "missing",
        "site name",
    ),
    (
        "no faults",
        r#"{"id":"r","site":"s"}"#,
        "faults",
        "missing",
        "at least one",
    ),
    (
        "empty faults",
        r#"{"id":"r","site":"s","faults":[]}"#,
        "faults",
        "empty",
        "at least one",
    ),
    (
        "unknown field",
        r#"{"id":"r","site":"s","rat":1,"faults":[{"status":503}]}"#,
        "rat",
        "unknown field",
        "`rate`",
    ),
    (
        "unknown match",
        r#"{"id":"r","site":"s","match":{"pth":"/"},"faults":[{"status":503}]}"#,
        "match.pth",
        "unknown field",
        "`path`",
    ),
    (
        "unknown fault",
        r#"{"id":"r","site":"s","faults":[{"latenzy":"1s"}]}"#,
        "faults[0].latenzy",
        "unknown field",
        "`latency`",
    ),
    (
        "twice",
        r#"{"id":"r","site":"s","rate":1,"rate":0,"faults":[{"status":503}]}"#,
        "rate",
        "duplicate",
        "0 to 1",
    ),
    (
        "empty id",
        r#"{"id":"","site":"s","faults":[{"status":503}]}"#,
        "id",
        "empty",
        "1 to 128",
    ),
    (
        "id",
        r#"{"id":"a/b","site":"s","faults":[{"status":503}]}"#,
        "id",
        "'/'",
        "A-Z",
    ),
    (
        "bad glob",
        r#"{"id":"r","site":"d*","faults":[{"status":503}]}"#,
        "site",
        "d*",
        "whole part",
    ),
    (
        "rate above",
        r#"{"id":"r","site":"s","rate":1.5,"faults":[{"status":503}]}"#,
        "rate",
        "1.5",
        "0 to 1",
    ),
    (
        "rate below",
        r#"{"id":"r","site":"s","rate":-0.1,"faults":[{"status":503}]}"#,
        "rate",
        "-0.1",
        "0 to 1",
    ),
    (
        "rate NaN",
        r#"{"id":"r","site":"s","rate":NaN,"faults":[{"status":503}]}"#,
        "rate",
        "expected value",
        "0 to 1",
    ),
    (
        "rate text",
        r#"{"id":"r","site":"s","rate":"5%","faults":[{"status":503}]}"#,
        "rate",
        "string",
        "0 to 1",
    ),
    (
        "rate huge",
        r#"{"id":"r","site":"s","rate":1e999,"faults":[{"status":503}]}"#,
        "rate",
        "out of range",
        "0 to 1",
    ),
    (
        "seed",
        r#"{"id":"r","site":"s","seed":-1,"faults":[{"status":503}]}"#,
        "seed",
        "-1",
        "whole number",
    ),
    (
        "every 0",
        r#"{"id":"r","site":"s","every":0,"faults":[{"status":503}]}"#,
        "every",
        "0",
        "1 or more",
    ),
    (
        "limit 0",
        r#"{"id":"r","site":"s","limit":0,"faults":[{"status":503}]}"#,
        "limit",
        "0",
        "1 or more",
    ),
    (
        "max_active 0",
        r#"{"id":"r","site":"s","max_active":0,"faults":[{"status":503}]}"#,
        "max_active",
        "0",
        "1 or more",
    ),
    (
        "ttl",
        r#"{"id":"r","site":"s","ttl":"soon","faults":[{"status":503}]}"#,
        "ttl",
        "soon",
        "never",
    ),
    (
        "ttl 0",
        r#"{"id":"r","site":"s","ttl":"0s","faults":[{"status":503}]}"#,
        "ttl",
        "0",
        "more than 0s",
    ),
    (
        "ttl long",
        r#"{"id":"r","site":"s","ttl":"2years","faults":[{"status":503}]}"#,
        "ttl",
        "no time",
        "365 days",
    ),
    (
        "mode",
        r#"{"id":"r","site":"s","mode":"test","faults":[{"status":503}]}"#,
        "mode",
        "test",
        "shadow",
    ),
    (
        "duration",
        r#"{"id":"r","site":"s","faults":[{"latency":"200"}]}"#,
        "faults[0].latency",
        "200",
        "200ms",
    ),
    (
        "duration number",
        r#"{"id":"r","site":"s","faults":[{"latency":200}]}"#,
        "faults[0].latency",
        "integer",
        "200ms",
    ),
    (
        "duration huge",
        r#"{"id":"r","site":"s","faults":[{"latency":"99999999999999999999y"}]}"#,
        "faults[0].latency",
        "no duration",
        "24h",
    ),
    (
        "duration long",
        r#"{"id":"r","site":"s","faults":[{"latency":"25h"}]}"#,
        "faults[0].latency",
        "too long",
        "24h",
    ),
    (
        "range",
        r#"{"id":"r","site":"s","faults":[{"latency":"2s..1s"}]}"#,
        "faults[0].latency",
        "above",
        "range",
    ),
    (
        "status",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s"},{"status":99}]}"#,
        "faults[1].status",
        "99",
        "200 to 599",
    ),
    (
        "status big",
        r#"{"id":"r","site":"s","faults":[{"status":70000}]}"#,
        "faults[0].status",
        "70000",
        "200 to 599",
    ),
    (
        "io kind",
        r#"{"id":"r","site":"s","faults":[{"error":{"kind":"sad"}}]}"#,
        "faults[0].error.kind",
        "sad",
        "connection_refused",
    ),
    (
        "error form",
        r#"{"id":"r","site":"s","faults":[{"error":7}]}"#,
        "faults[0].error",
        "neither",
        "message",
    ),
    (
        "empty fault",
        r#"{"id":"r","site":"s","faults":[{}]}"#,
        "faults[0]",
        "empty",
        "one of",
    ),
    (
        "two in one",
        r#"{"id":"r","site":"s","faults":[{"latency":"1s","status":503}]}"#,
        "faults[0]",
        "several",
        "in order",
    ),
    (
        "after the end",
        r#"{"id":"r","site":"s","faults":[{"status":503},{"latency":"1s"}]}"#,
        "faults[1]",
        "ends the call",
        "last place",
    ),
    (
        "method",
        r#"{"id":"r","site":"s","match":{"method":["POST","get"]},"faults":[{"status":503}]}"#,
        "match.method",
        "get",
        "capitals",
    ),
    (
        "path",
        r#"{"id":"r","site":"s","match":{"path":"products"},"faults":[{"status":503}]}"#,
        "match.path",
        "products",
        "`/`",
    ),
    (
        "path param",
        r#"{"id":"r","site":"s","match":{"path":"/{a}{b}"},"faults":[{"status":503}]}"#,
        "match.path",
        "",
        "{param}",
    ),
    (
        "host",
        r#"{"id":"r","site":"s","match":{"host":"a:80"},"faults":[{"status":503}]}"#,
        "match.host",
        "a:80",
        "without its port",
    ),
    (
        "header name",
        r#"{"id":"r","site":"s","match":{"headers":{"a b":"x"}},"faults":[{"status":503}]}"#,
        "match.headers",
        "a b",
        "header names",
    ),
    (
        "bad regex",
        r#"{"id":"r","site":"s","match":{"headers":{"a":{"regex":"("}}},"faults":[{"status":503}]}"#,
        "match.headers.a",
        "",
        "regular expression",
    ),
    (
        "regex bomb",
        r#"{"id":"r","site":"s","match":{"path":{"regex":"((a{1000}){1000}){1000}"}},"faults":[{"status":503}]}"#,
        "match.path",
        "",
        "32 KiB",
    ),
    (
        "matcher form",
        r#"{"id":"r","site":"s","match":{"path":{"like":"x"}},"faults":[{"status":503}]}"#,
        "match.path",
        "like",
        "`prefix`",
    ),
    (
        "two forms",
        r#"{"id":"r","site":"s","match":{"path":{"prefix":"a","suffix":"b"}},"faults":[{"status":503}]}"#,
        "match.path",
        "",
        "text",
    ),
    (
        "empty list",
        r#"{"id":"r","site":"s","match":{"labels":{"t":[]}},"faults":[{"status":503}]}"#,
        "match.labels.t",
        "empty",
        "list of matchers",
    ),
    (
        "old path syntax",
        r#"{"id":"r","site":"s","match":{"path":"/a/:id"},"faults":[{"status":503}]}"#,
        "match.path",
        "starts with `:`",
        "{param}",
    ),
    (
        "path with a query",
        r#"{"id":"r","site":"s","match":{"path":"/a?b=1"},"faults":[{"status":503}]}"#,
        "match.path",
        "as it is sent",
        "without a query",
    ),
    (
        "host in another script",
        r#"{"id":"r","site":"s","match":{"host":"b\u00fccher.example"},"faults":[{"status":503}]}"#,
        "match.host",
        "no host",
        "without its port",
    ),
    (
        "header twice",
        r#"{"id":"r","site":"s","match":{"headers":{"X-A":"1","x-a":"2"}},"faults":[{"status":503}]}"#,
        "match.headers",
        "stands twice",
        "header names",
    ),
    (
        "label twice",
        r#"{"id":"r","site":"s","match":{"labels":{"t":"1","t":"2"}},"faults":[{"status":503}]}"#,
        "match.labels",
        "stands twice",
        "label names",
    ),
    (
        "label that is no text, called like a field",
        r#"{"id":"r","site":"s","match":{"labels":{"id":7}},"faults":[{"status":503}]}"#,
        "match.labels.id",
        "integer",
        "{\"prefix\"}",
    ),
    (
        "empty form",
        r#"{"id":"r","site":"s","match":{"path":{}},"faults":[{"status":503}]}"#,
        "match.path",
        "says nothing",
        "text matcher",
    ),
];

#[test]
fn each_bad_rule_names_its_field_and_what_is_allowed() {
    let mut wrong = Vec::new();
    for (what, json, field, problem, allowed) in BAD {
        let error = match rule_from_json(json.as_bytes(), None) {
            Ok(rule) => {
                wrong.push(format!("{what}: accepted as {rule:?}"));
                continue;
            }
            Err(error) => error,
        };
        let fits = error.field() == *field
            && error.problem().contains(problem)
            && error.allowed().contains(allowed);
        if !fits {
            wrong.push(format!("{what}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_id_in_the_address_counts() {
    let json = br#"{"site":"s","faults":[{"status":503}]}"#;
    assert_eq!(rule_from_json(json, Some("r")).unwrap().id().as_str(), "r");
    let json = br#"{"id":"other","site":"s","faults":[{"status":503}]}"#;
    let error = rule_from_json(json, Some("r")).unwrap_err();
    assert_eq!(
        (error.field(), error.allowed()),
        ("id", "the same in both, or left out")
    );
}

#[test]
fn in_a_list_the_field_says_which_rule() {
    let json = br#"{"rules":[{"id":"a","site":"s","faults":[{"status":503}]},
                             {"id":"b","site":"s","rate":2,"faults":[{"status":503}]}]}"#;
    let error = rules_from_json(json).unwrap_err();
    assert_eq!((error.rule(), error.field()), (Some("b"), "rules[1].rate"));
    let json = br#"{"rules":[{"id":"a","site":"s","faults":[{"status":"x"}]}]}"#;
    assert_eq!(
        rules_from_json(json).unwrap_err().field(),
        "rules[0].faults[0].status"
    );
    assert_eq!(rules_from_json(b"{}").unwrap_err().field(), "rules");
}

#[test]
fn a_path_with_too_many_parameters_is_refused_before_the_router_panics() {
    let path = |n: usize| (0..n).map(|n| format!("/{{p{n}}}")).collect::<String>();
    let rule = |n| {
        let json = serde_json::json!({
            "site": "s", "match": { "path": path(n) }, "faults": [{ "status": 503 }],
        });
        rule_from_json(json.to_string().as_bytes(), Some("r"))
    };
    assert!(rule(25).is_ok());
    let error = rule(26).unwrap_err();
    assert_eq!(error.field(), "match.path");
    assert!(error.allowed().contains("25 at most"), "{error}");
}

#[test]
fn many_small_bombs_are_one_large_one() {
    let bombs: Vec<_> = (0..2000)
        .map(|_| serde_json::json!({ "regex": "(?:a?){100}" }))
        .collect();
    let rule = serde_json::json!({
        "id": "r", "site": "s", "match": { "path": bombs }, "faults": [{ "status": 503 }],
    });
    let error = rule_from_json(rule.to_string().as_bytes(), None).unwrap_err();
    assert_eq!(error.field(), "match");
    assert!(
        error.allowed().contains("256 regular expressions"),
        "{error}"
    );

    let rule = |n: usize| {
        serde_json::json!({
            "id": format!("r{n}"), "site": "s", "match": { "path": { "not": { "regex": "a" } } },
            "faults": [{ "status": 503 }],
        })
    };
    let rules: Vec<_> = (0..257).map(rule).collect();
    let document = serde_json::json!({ "rules": rules }).to_string();
    assert_eq!(
        rules_from_json(document.as_bytes()).unwrap_err().field(),
        "rules"
    );
}
