//! Rules from a file: JSON, TOML or YAML, a rule or a list of rules.

use std::{fs, io::Read, path::Path};

use serde_json::Value;

use crate::{
    config::{shown, unreadable},
    failure::{Exit, Failure},
    rule::from_args::checked,
};

/// Reads the rules of a file; `-` is standard input, in JSON. Each is as the wire format writes it.
pub(crate) fn rules(path: &Path) -> Result<Vec<Value>, Failure> {
    let rules = match document(path, "a rule, or a list of `rules`")? {
        Value::Object(mut fields) if fields.contains_key("rules") && fields.len() == 1 => {
            match fields.remove("rules") {
                Some(Value::Array(rules)) => rules,
                _ => {
                    let failure = Failure::usage("`rules` is no list");
                    return Err(failure.at(shown(path), "a list of rules"));
                }
            }
        }
        Value::Array(rules) => rules,
        rule => vec![rule],
    };
    rules.into_iter().map(checked).collect()
}

/// Reads a file in the format that its extension names; `-` is standard input, in JSON. `allowed` says what belongs there.
pub(crate) fn document(path: &Path, allowed: &str) -> Result<Value, Failure> {
    let place = shown(path);
    let text = match path.to_str() {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map(|_| text)
        }
        _ => fs::read_to_string(path),
    };
    let text = text.map_err(|error| unreadable(path, &error))?;
    let extension = path.extension().and_then(|it| it.to_str());
    let read = match extension {
        Some("toml") => toml::from_str(&text).map_err(|error| error.message().to_owned()),
        Some("yaml" | "yml") => yaml(&text),
        None | Some("json") => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Some(_) => {
            let failure = Failure::usage("the extension is not that of a format");
            return Err(failure.at(place, ".json, .toml, .yaml, .yml"));
        }
    };
    read.map_err(|problem| {
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        Failure::usage(problem).at(place, allowed)
    })
}

fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        // `on` and `off` are strings, as in YAML 1.2: `on: request` is a valid field of a rule.
        strict_booleans: true,
        with_snippet: false,
    };
    let read = serde_saphyr::from_str_with_options(text, options);
    read.map_err(|error| {
        let error = error.without_snippet();
        error.render_with_formatter(&serde_saphyr::UserMessageFormatter)
    })
}

/// Writes JSON as TOML.
pub(crate) fn to_toml(value: &Value) -> Result<String, Failure> {
    let written = toml::to_string(value).map_err(|error| no_form("TOML", &error.to_string()))?;
    Ok(written.trim_end().to_owned())
}

/// Writes JSON as YAML.
pub(crate) fn to_yaml(value: &Value) -> Result<String, Failure> {
    let written = serde_saphyr::to_string(value);
    let written = written.map_err(|error| no_form("YAML", &error.to_string()))?;
    Ok(written.trim_end().to_owned())
}

fn no_form(format: &str, problem: &str) -> Failure {
    let detail = format!("the rule has no form in {format}: {problem}");
    Failure::new(Exit::Refused, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Texts that YAML would take for something else are written so that they are read as texts.
    #[test]
    fn what_is_written_is_read_again() {
        let texts = [
            "on",
            "off",
            "yes",
            "null",
            "~",
            "1e3",
            "0x1f",
            "0o7",
            "1_000",
            "10m",
            "2026-11-27",
            "12:30",
            ".inf",
            "- a",
            "a: b",
            "a #b",
            "#",
            "",
            " a ",
            "{a}",
            "[a]",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%",
            "@",
            "`",
            "\"",
            "'",
            "a\nb\n",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{202e}",
            "日本語",
            "<script>",
            "---",
            "...",
            "=",
            "<<",
        ];
        for text in texts {
            let rule = json!({
                "id": "a", "site": "http.server", "rate": 0.07, "seed": u64::MAX, "reason": text,
                "match": { "headers": { text: text }, "method": ["GET", "POST"] },
                "faults": [{ "body": { "throttle": "1KiB/s", "on": "request" } }, { "value": { "a": [text, true, 1.5] } }],
            });
            let rules = json!({ "rules": [rule] });
            let written = to_yaml(&rules).unwrap();
            assert_eq!(yaml(&written).unwrap(), rules, "{text:?}:\n{written}");
            let written = to_toml(&rules).unwrap();
            assert_eq!(
                toml::from_str::<Value>(&written).unwrap(),
                rules,
                "{text:?}:\n{written}"
            );
        }
    }
}
