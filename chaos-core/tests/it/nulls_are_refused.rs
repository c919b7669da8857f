//! A field of a rule or a policy that is `null` is refused, and not taken for one that is left out.

use chaos_core::wire::{policy_from_json, rule_from_json, rules_from_json, rules_from_short};

/// Clients that are generated write it for what was left out.
#[test]
fn null_is_not_taken_for_a_field_that_is_left_out() {
    let schema = chaos_core::wire::schema();
    let fields = |name: &str| {
        let fields = schema["$defs"][name]["properties"].as_object().unwrap();
        fields.keys().cloned().collect::<Vec<_>>()
    };
    let refused = |rule: serde_json::Value, field: &str| {
        let json = rule.to_string();
        let error = rule_from_json(json.as_bytes(), Some("r")).expect_err(&json);
        assert_eq!(error.field(), field, "{json}: {error}");
        assert!(error.problem().contains("null"), "{json}: {error}");
        assert!(!error.allowed().is_empty(), "{json}: {error}");
    };
    let rule = |field: &str, value: serde_json::Value| {
        let mut rule = serde_json::json!({ "site": "s", "faults": [{ "status": 503 }] });
        rule[field] = value;
        rule
    };
    let null = serde_json::Value::Null;
    for field in fields("Rule") {
        // What the admin port shows beside a rule is not read.
        if !["stats", "sites", "warnings"].contains(&&*field) {
            refused(rule(&field, null.clone()), &field);
        }
    }
    for field in fields("Fault") {
        let fault = |rest: &[(&str, serde_json::Value)]| {
            let mut fault = serde_json::json!({ (field.as_str()): null });
            for (name, value) in rest {
                fault[name] = value.clone();
            }
            rule("faults", serde_json::json!([fault]))
        };
        if field == "value" {
            // JSON's null is a value where it stands alone, and no other fault is armed in its place.
            let alone = fault(&[]).to_string();
            rule_from_json(alone.as_bytes(), Some("r")).unwrap();
            for other in [
                serde_json::json!({ "status": 503 }),
                serde_json::json!({ "hang": "1s" }),
            ] {
                let (name, value) = other.as_object().unwrap().iter().next().unwrap();
                let json = fault(&[(name, value.clone())]).to_string();
                let error = rule_from_json(json.as_bytes(), Some("r")).unwrap_err();
                assert_eq!(error.field(), "faults[0]");
                assert!(error.problem().contains(&**name), "{error}");
                assert!(error.problem().contains("value"), "{error}");
            }
            continue;
        }
        let path = format!("faults[0].{field}");
        refused(fault(&[]), &path);
        if field != "status" {
            refused(fault(&[("status", 503.into())]), &path);
        }
    }
    for (document, field, rest) in [
        ("Match", "match", serde_json::json!({})),
        (
            "FirstAttempts",
            "first_attempts",
            serde_json::json!({ "n": 1, "key": "peer" }),
        ),
        ("Budget", "budget", serde_json::json!({ "share": 1 })),
        (
            "HoursWindow",
            "window",
            serde_json::json!({ "days": "mon" }),
        ),
        ("Replay", "replay", serde_json::json!({ "ordinals": [1] })),
    ] {
        for name in fields(document) {
            let mut value = rest.clone();
            value[&name] = null.clone();
            if name != "dropped" {
                refused(rule(field, value), &format!("{field}.{name}"));
            }
        }
    }
    for (field, value, path) in [
        ("faults", r#"[null]"#, "faults[0]"),
        ("faults", r#"[{"status":503},null]"#, "faults[1]"),
        (
            "faults",
            r#"[{"status":{"code":503,"body":null}}]"#,
            "faults[0].status.body",
        ),
        (
            "faults",
            r#"[{"status":{"code":503,"json":null}}]"#,
            "faults[0].status.json",
        ),
        (
            "faults",
            r#"[{"status":{"code":503,"headers":null}}]"#,
            "faults[0].status.headers",
        ),
        (
            "faults",
            r#"[{"status":{"code":503,"headers":{"a":null}}}]"#,
            "faults[0].status.headers.a",
        ),
        (
            "faults",
            r#"[{"status":{"code":null}}]"#,
            "faults[0].status.code",
        ),
        (
            "faults",
            r#"[{"grpc":{"code":14,"message":null}}]"#,
            "faults[0].grpc.message",
        ),
        (
            "faults",
            r#"[{"grpc":{"code":null}}]"#,
            "faults[0].grpc.code",
        ),
        (
            "faults",
            r#"[{"grpc":{"code":14,"on":null}}]"#,
            "faults[0].grpc.on",
        ),
        (
            "faults",
            r#"[{"error":{"kind":"other","message":null}}]"#,
            "faults[0].error.message",
        ),
        ("faults", r#"[{"abort":{"h2":null}}]"#, "faults[0].abort.h2"),
        (
            "faults",
            r#"[{"pause":{"max":null}}]"#,
            "faults[0].pause.max",
        ),
        (
            "faults",
            r#"[{"body":{"chunk":"1s","throttle":null}}]"#,
            "faults[0].body.throttle",
        ),
        (
            "faults",
            r#"[{"body":{"chunk":"1s","for":null}}]"#,
            "faults[0].body.for",
        ),
        (
            "faults",
            r#"[{"headers":{"set":null,"remove":["a"]}}]"#,
            "faults[0].headers.set",
        ),
        (
            "faults",
            r#"[{"headers":{"remove":[null]}}]"#,
            "faults[0].headers.remove[0]",
        ),
        (
            "faults",
            r#"[{"burn":{"cpu":1,"memory":null,"for":"1s"}}]"#,
            "faults[0].burn.memory",
        ),
        (
            "faults",
            r#"[{"latency":{"at_least":null}}]"#,
            "faults[0].latency",
        ),
        (
            "faults",
            r#"[{"latency":{"p50":"1s","p99":"2s","when":null}}]"#,
            "faults[0].latency",
        ),
        (
            "faults",
            r#"[{"latency":{"p50":"1s","p99":"2s","mean":null}}]"#,
            "faults[0].latency",
        ),
        (
            "faults",
            r#"[{"one_of":[null,null]}]"#,
            "faults[0].one_of[0]",
        ),
        (
            "faults",
            r#"[{"one_of":[{"fault":{"hang":"1s"},"weight":null},{"fault":{"hang":"1s"}}]}]"#,
            "faults[0].one_of[0].weight",
        ),
        ("match", r#"{"path":[null]}"#, "match.path[0]"),
        ("match", r#"{"path":{"prefix":null}}"#, "match.path.prefix"),
        (
            "match",
            r#"{"path":{"prefix":"a","regex":null}}"#,
            "match.path.regex",
        ),
        ("match", r#"{"path":{"not":null}}"#, "match.path.not"),
        (
            "match",
            r#"{"labels":{"table":null}}"#,
            "match.labels.table",
        ),
        ("match", r#"{"headers":{"a":null}}"#, "match.headers.a"),
        ("match", r#"{"query":{"a":["b",null]}}"#, "match.query.a[1]"),
        ("replay", r#"{"ordinals":[null]}"#, "replay.ordinals[0]"),
        ("program", r#"[null]"#, "program[0]"),
        ("program", r#"[{"rate":1,"for":null}]"#, "program[0].for"),
        (
            "program",
            r#"[{"rate":1,"scale":null}]"#,
            "program[0].scale",
        ),
        ("guards", r#"[null]"#, "guards[0]"),
        (
            "guards",
            r#"[{"error_ratio":0.5,"site":null}]"#,
            "guards[0].site",
        ),
        (
            "guards",
            r#"[{"error_ratio":0.5,"latency":null}]"#,
            "guards[0].latency",
        ),
        (
            "guards",
            r#"[{"error_ratio":0.5,"then":null}]"#,
            "guards[0].then",
        ),
    ] {
        refused(rule(field, serde_json::from_str(value).unwrap()), path);
    }
    for (json, path) in [
        ("null", ""),
        (r#"{"rules":null}"#, "rules"),
        (r#"{"rules":[null]}"#, "rules[0]"),
        (
            r#"{"rules":[{"id":"a","site":"s","rate":null,"faults":[{"status":503}]}]}"#,
            "rules[0].rate",
        ),
    ] {
        let error = rules_from_json(json.as_bytes()).unwrap_err();
        assert_eq!(error.field(), path, "{error}");
        assert!(error.problem().contains("null"), "{error}");
    }
    for field in fields("Policy") {
        let json = serde_json::json!({ (field.as_str()): null }).to_string();
        let error = policy_from_json(json.as_bytes()).unwrap_err();
        assert_eq!(error.field(), field, "{error}");
    }
    // The short form is made of the same documents.
    for short in [
        r#"s=status({"code":503,"json":null})"#,
        r#"s=body({"chunk":"1s","for":null})"#,
        "s=latency({\"p50\":null})",
    ] {
        let error = rules_from_short(short).unwrap_err();
        assert!(!error.allowed().is_empty(), "{error}");
    }
    // What an application reads is its own.
    let custom = rule(
        "faults",
        serde_json::json!([{ "custom": { "name": "a", "to": null } }]),
    );
    rule_from_json(custom.to_string().as_bytes(), Some("r")).unwrap();
}
