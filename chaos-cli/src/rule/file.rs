//! Rules from a file: JSON, TOML or YAML, a rule or a list of rules.

use std::{fs, io::Read, path::Path};

use serde_json::Value;

use crate::{config::unreadable, failure::Failure, rule::from_args::checked};

/// Reads the rules of a file; `-` is standard input, in JSON. Each is as the wire format writes it.
pub(crate) fn rules(path: &Path) -> Result<Vec<Value>, Failure> {
    let place = path.display().to_string();
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
    let document: Value = read.map_err(|problem| {
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        Failure::usage(problem).at(place.as_str(), "a rule, or a list of `rules`")
    })?;
    let rules = match document {
        Value::Object(mut fields) if fields.contains_key("rules") && fields.len() == 1 => {
            match fields.remove("rules") {
                Some(Value::Array(rules)) => rules,
                _ => return Err(Failure::usage("`rules` is no list").at(place, "a list of rules")),
            }
        }
        Value::Array(rules) => rules,
        rule => vec![rule],
    };
    rules.into_iter().map(checked).collect()
}

fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        // `on` and `off` are strings, as in YAML 1.2: `on: request` is a valid field of a rule.
        strict_booleans: true,
        with_snippet: false,
    };
    let read = serde_saphyr::from_str_with_options(text, options);
    read.map_err(|error| error.without_snippet().to_string())
}
