//! What comes from outside is quoted in errors, and cannot make lines of its own in a log.

use chaos_core::{Text, audit::Actor, wire};
use proptest::prelude::*;
use serde_json::{Value, json};

const FORGED: &str = "x\n2026-11-27T00:00:00Z  WARN chaos: resumed";

/// A value in which any text is replaced by one that would forge a line.
fn forge(value: &Value, text: &str) -> Vec<Value> {
    let mut all = vec![json!(text), json!([text]), json!({ (text): 1 })];
    if let Value::Object(fields) = value {
        for (name, inner) in fields {
            for forged in forge(inner, text) {
                let mut value = value.clone();
                value[name] = forged;
                all.push(value);
            }
        }
        let mut value = value.clone();
        value[text] = json!(1);
        all.push(value);
    }
    if let Value::Array(items) = value {
        for (at, inner) in items.iter().enumerate() {
            for forged in forge(inner, text) {
                let mut value = value.clone();
                value[at] = forged;
                all.push(value);
            }
        }
    }
    all
}

fn breaks_lines(it: char) -> bool {
    it.is_control() || ['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}'].contains(&it)
}

fn assert_one_line(error: &dyn std::error::Error) {
    let printed = format!("{error:?}");
    assert!(printed.starts_with(&error.to_string()), "{printed}");
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(!text.contains(breaks_lines), "{text:?}");
        assert!(text.len() < 8_000, "{}", text.len());
        next = error.source();
    }
}

#[test]
fn no_field_of_a_rule_forges_a_line() {
    let rule = json!({
        "id": "r", "site": "db.read", "mode": "inject", "ttl": "10m", "rate": 1, "key": "label:user",
        "match": {
            "method": "GET", "path": "/a/{id}", "headers": {"x": {"regex": "a"}}, "query": {"q": "1"},
            "labels": {"l": {"not": "x"}},
        },
        "faults": [
            {"latency": "10ms..20ms"}, {"error": {"kind": "other", "message": "m"}},
            {"one_of": [{"fault": {"headers": {"set": {"a": "b"}}}}]},
        ],
        "window": {"days": "mon-fri", "hours": "09:00-17:00"},
        "program": [{"for": "1m", "rate": "0.1..0.2"}],
        "guards": [{"site": "http.server", "error_ratio": 0.5}],
    });
    let mut refused = 0;
    for text in [
        FORGED,
        "\u{1b}[2J",
        "a\r\nb",
        "\0",
        "\u{85}\u{7f}",
        "\u{2028}\u{202e}x",
        &"long\n".repeat(10_000),
    ] {
        for forged in forge(&rule, text) {
            if let Err(error) = wire::rule_from_value(forged.clone(), None) {
                assert_one_line(&error);
                refused += 1;
            }
            if let Err(error) =
                wire::rules_from_json(json!({"rules": [forged]}).to_string().as_bytes())
            {
                assert_one_line(&error);
            }
        }
        for forged in forge(
            &json!({"sites": ["a"], "max_ttl": "1h", "burn": {"memory": "1MiB"}}),
            text,
        ) {
            if let Err(error) = wire::policy_from_json(forged.to_string().as_bytes()) {
                assert_one_line(&error);
            }
        }
        assert_one_line(&Text::regex(&format!("({text}")).unwrap_err());
        assert_one_line(
            &Text::route(text)
                .map(|_| ())
                .err()
                .unwrap_or_else(|| Text::regex("(").unwrap_err()),
        );
        let actor = Actor::new(text).at(text).to_string();
        assert!(!actor.contains(breaks_lines), "{actor:?}");
    }
    assert!(refused > 200, "{refused}");
}

proptest! {
    #[test]
    fn nor_does_the_short_form(text in ".*[\\n\\r\u{1b}].*") {
        if let Err(error) = wire::rules_from_short(&text) {
            assert_one_line(&error);
        }
        if let Err(error) = wire::rules_from_json(text.as_bytes()) {
            assert_one_line(&error);
        }
    }
}
