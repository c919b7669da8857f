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
        Some(args) => words(&args),
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

fn words(args: &RuleArgs) -> String {
    let mut words = vec!["chaosctl arm".to_owned(), quoted(&args.short)];
    let mut add = |flag: &str, value: Option<&str>| {
        words.extend(value.map(|value| format!("{flag} {}", quoted(value))));
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
    add(
        "--max-active",
        args.max_active.map(|it| it.to_string()).as_deref(),
    );
    if args.shadow {
        words.push("--shadow".to_owned());
    }
    words.join(" ")
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/=%,@+-".contains(c);
    match !word.is_empty() && !word.starts_with('-') && word.chars().all(allowed) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

    #[test]
    fn what_arguments_cannot_say_is_said_in_json() {
        let rule = json!({
            "id": "a", "site": "db.read", "enabled": false, "faults": [{ "error": "x" }],
        });
        assert!(command(&rule).starts_with("chaosctl apply -f - <<'RULES'\n{\"rules\":[{"));
    }
}
