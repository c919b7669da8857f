//! The command that makes a rule.

use chaos_core::wire;
use serde_json::Value;

use crate::{
    args::aim::RuleArgs,
    rule::{as_short, from_args, guard},
};

/// Returns a command that makes exactly this rule: `chaosctl arm` if its arguments can say all of it, and
/// otherwise `chaosctl apply` with the rule in JSON.
pub(crate) fn command(rule: &Value) -> String {
    let written = as_written(rule);
    let arm = arguments(&written).filter(|args| {
        let made = from_args::rules(args, |_| true);
        made.is_ok_and(|rules| rules == [written.clone()])
    });
    match arm {
        Some(args) => {
            let words = words(&args);
            let words = words.iter().map(|word| quoted(word));
            words.collect::<Vec<_>>().join(" ")
        }
        None => {
            let rules = serde_json::json!({ "rules": [written] });
            format!("chaosctl apply -f - <<'RULES'\n{rules}\nRULES")
        }
    }
}

/// Returns a rule without what a port adds to it.
pub(crate) fn as_written(rule: &Value) -> Value {
    let mut written = rule.clone();
    if let Some(fields) = written.as_object_mut() {
        for added in ["stats", "sites", "warnings", "generation"] {
            fields.remove(added);
        }
    }
    // The order of the fields, and defaults that are left out.
    match wire::rule_from_value(written.clone(), None) {
        Ok(rule) => wire::rule_to_value(&rule),
        Err(_) => written,
    }
}

/// Returns the arguments for a rule, without what they cannot say.
fn arguments(rule: &Value) -> Option<RuleArgs> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let matching = &rule["match"];
    let pairs = |name: &str, separator: &str| -> Option<Vec<String>> {
        let pairs = matching[name].as_object().into_iter().flatten();
        let pairs =
            pairs.map(|(name, value)| Some(format!("{name}{separator}{}", value.as_str()?)));
        pairs.collect()
    };
    let method = match &matching["method"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().map(text).collect::<Option<_>>()?,
        _ => Vec::new(),
    };
    let guards = rule["guards"].as_array().into_iter().flatten();
    Some(RuleArgs {
        short: format!("{}={}", rule["site"].as_str()?, as_short::term(rule)),
        id: text(&rule["id"]),
        method,
        path: text(&matching["path"]),
        host: text(&matching["host"]),
        headers: pairs("headers", ": ")?,
        query: pairs("query", "=")?,
        label: pairs("labels", "=")?,
        grpc: text(&matching["grpc"]),
        key: text(&rule["key"]),
        rate: None,
        seed: rule["seed"].as_u64(),
        limit: None,
        max_active: rule["max_active"]
            .as_u64()
            .and_then(|it| it.try_into().ok()),
        guards: guards.map(guard::write).collect::<Option<_>>()?,
        ttl: text(&rule["ttl"]),
        reason: text(&rule["reason"]),
        shadow: rule["mode"] == "shadow",
    })
}

/// Returns the words of the command, as a program gets them.
fn words(args: &RuleArgs) -> Vec<String> {
    let mut words = ["chaosctl", "arm", &args.short].map(str::to_owned).to_vec();
    let mut add = |flag: &str, value: Option<&str>| match value {
        None => {}
        // By itself, it would be taken for another flag.
        Some(value) if value.starts_with('-') && flag.starts_with("--") => {
            words.push(format!("{flag}={value}"));
        }
        Some(value) => words.extend([flag.to_owned(), value.to_owned()]),
    };
    add("--id", args.id.as_deref());
    for (flag, values) in [
        ("--method", &args.method),
        ("-H", &args.headers),
        ("--query", &args.query),
        ("--label", &args.label),
        ("--guard", &args.guards),
    ] {
        for value in values {
            add(flag, Some(value));
        }
    }
    for (flag, value) in [
        ("--path", &args.path),
        ("--host", &args.host),
        ("--grpc", &args.grpc),
        ("--key", &args.key),
        ("--ttl", &args.ttl),
        ("--reason", &args.reason),
    ] {
        add(flag, value.as_deref());
    }
    add("--seed", args.seed.map(|it| it.to_string()).as_deref());
    let most = args.max_active.map(|it| it.to_string());
    add("--max-active", most.as_deref());
    if args.shadow {
        words.push("--shadow".to_owned());
    }
    words
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/=%,@+-".contains(c);
    match !word.is_empty() && word.chars().all(allowed) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn a_rule_becomes_a_command() {
        let rule = json!({
            "id": "slow", "site": "http.server", "rate": 0.1, "ttl": "5m", "reason": "it's a test",
            "match": { "method": "POST", "path": "/checkout/{id}", "headers": { "x-tenant": "acme" } },
            "key": "header:x-user-id", "faults": [{ "latency": "200ms" }],
            "guards": [{ "site": "http.server", "error_ratio": 0.1 }],
            "stats": {}, "sites": [], "warnings": [],
        });
        let expected = "chaosctl arm 'http.server=10%latency(200ms)' --id slow --method POST \
                        -H 'x-tenant: acme' --guard 'http.server errors<10%' --path '/checkout/{id}' \
                        --key header:x-user-id --ttl 5m --reason 'it'\\''s a test'";
        assert_eq!(command(&rule), expected);
    }

    /// A thousand rules, each of other fields: the arguments of its command make the same rule.
    #[test]
    fn a_command_makes_the_same_rule() {
        let faults = [
            json!({ "status": 503 }),
            json!({ "status": { "code": 429, "headers": { "retry-after": "5" } } }),
            json!({ "latency": "200ms..500ms" }),
            json!({ "latency": { "p50": "20ms", "p99": "800ms" } }),
            json!({ "error": "lost: \"it's\" (gone); -> a=b+c" }),
            json!({ "error": { "kind": "connection_reset" } }),
            json!({ "value": { "stock": [0, null, "7"] } }),
            json!({ "value": "7" }),
            json!({ "grpc": "UNAVAILABLE" }),
            json!({ "abort": "reset", "after": "1KiB" }),
            json!({ "body": { "throttle": "10KiB/s" } }),
            json!({ "hang": "30s" }),
        ];
        let fields = [
            ("rate", json!(0.07)),
            ("limit", json!(3)),
            ("key", json!("header:x-user-id")),
            ("seed", json!(u64::MAX)),
            ("max_active", json!(20)),
            ("ttl", json!("5m")),
            ("reason", json!("-- it's $HOME")),
            ("mode", json!("shadow")),
            (
                "match",
                json!({ "path": "/a/{id}", "method": ["GET", "POST"], "headers": { "x-a": "b: c" } }),
            ),
            (
                "match",
                json!({ "labels": { "table": "-orders" }, "query": { "q": "a=b" }, "host": "h" }),
            ),
            (
                "match",
                json!({ "labels": { "table": { "prefix": "tmp_" } } }),
            ),
            (
                "guards",
                json!([{ "site": "http.server", "error_ratio": 0.07 }]),
            ),
            ("final", json!(true)),
        ];
        let (mut state, mut by_arguments) = (1_u64, 0);
        let mut draw = |most: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % most
        };
        for number in 0..1000 {
            let id = ["a", "-b", "a:b.c_d"][draw(3)];
            let site = ["http.server", "db.*", "**"][draw(3)];
            let fault = &faults[draw(faults.len())];
            let mut rule = json!({ "id": id, "site": site, "faults": [fault] });
            for _ in 0..draw(4) {
                let (name, value) = &fields[draw(fields.len())];
                rule[*name] = value.clone();
            }
            let written = as_written(&rule);
            let command = command(&rule);
            if command.starts_with("chaosctl arm ") {
                let words = words(&arguments(&written).unwrap());
                let parsed = Cli::try_parse_from(&words)
                    .unwrap_or_else(|error| panic!("{words:?}: {error}"));
                let Command::Arm(args) = parsed.command else {
                    panic!("{words:?}");
                };
                let made = from_args::rules(&args.rule, |_| true).unwrap();
                assert_eq!(made, [written], "{number}: {command}");
                by_arguments += 1;
            } else {
                let document = command.lines().nth(1).unwrap();
                let document: Value = serde_json::from_str(document).unwrap();
                assert_eq!(document["rules"][0], written, "{number}");
            }
        }
        assert!((400..1000).contains(&by_arguments), "{by_arguments}");
    }

    #[test]
    fn what_arguments_cannot_say_is_said_in_json() {
        let rule = json!({
            "id": "a", "site": "db.read", "enabled": false, "faults": [{ "error": "x" }],
        });
        assert!(command(&rule).starts_with("chaosctl apply -f - <<'RULES'\n{\"rules\":[{"));
    }
}
