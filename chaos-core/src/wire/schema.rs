//! The wire format as a JSON Schema: for editors, generators of requests and clients, and the admin
//! port's OpenAPI document.

use serde_json::{Value, json};

use super::{
    policy::PolicyDoc,
    rule::RuleDoc,
    shape::{Definitions, Documented},
};

/// Returns the JSON Schema (draft 2020-12) of a rule. Its definitions stand under `$defs`: a rule under
/// `Rule`, a policy under `Policy`.
///
/// The schema accepts every rule that this module reads, except for unusual spellings of times and sizes, and
/// lists of matchers in lists. It does not express which fields exclude each other, and does not use
/// `format`: the descriptions say the rest, and the reader refuses what they exclude. Its objects are flat
/// and none of its fields may be null, so that generated clients write what is meant.
///
/// ```
/// let schema = chaos_core::wire::schema();
/// assert!(schema["$defs"]["Rule"]["properties"]["ttl"].is_object());
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Definitions::new();
    let rule = RuleDoc::document().reference(&mut definitions);
    PolicyDoc::document().reference(&mut definitions);
    #[cfg(not(feature = "window"))]
    if let Some(Value::Object(fields)) = definitions["Rule"].get_mut("properties") {
        // This build refuses it.
        fields.remove("window");
        definitions.remove("HoursWindow");
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of chaos-core",
        "$defs": definitions,
    });
    schema["$ref"] = rule["$ref"].clone();
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::wire::{document::document, policy_from_json, read, rule_from_value, shape::Shape};

    fn definitions() -> Value {
        schema()["$defs"].take()
    }

    fn with(field: &str, value: Value) -> Value {
        let mut rule = json!({ "id": "a", "site": "s", "faults": [{ "status": 503 }] });
        rule[field] = value;
        rule
    }

    document! {
        /// A document of a test.
        ProbeDoc as "Probe", "either of them";
        required {
            /// What is there.
            first: bool = Shape::FLAG;
        }
        optional {
            /// What is added.
            added as "new": f64 = Shape::SHARE;
        }
    }

    #[test]
    fn a_field_that_is_added_is_read_allowed_and_described() {
        let read = |json: &str| read::document_from_json::<ProbeDoc>(json.as_bytes());
        let probe = read(r#"{"first": true, "new": 0.5}"#).map_err(|error| error.to_string());
        let probe = probe.unwrap();
        assert_eq!((probe.first, probe.added), (true, Some(0.5)));
        let mut found = Definitions::new();
        ProbeDoc::document().reference(&mut found);
        let expected = json!({
            "description": "A document of a test. It has either of them.",
            "type": "object",
            "additionalProperties": false,
            "required": ["first"],
            "properties": {
                "first": { "description": "What is there. Accepts true or false.", "type": "boolean" },
                "new": {
                    "description": "What is added. Accepts a number from 0 to 1.",
                    "type": "number", "minimum": 0, "maximum": 1.0,
                },
            },
        });
        assert_eq!(found["Probe"], expected);
        for (json, error) in [
            (
                "[]",
                "invalid type: sequence; allowed: an object with first, and optionally new; either of them",
            ),
            ("{}", "first: the field is missing; allowed: true or false"),
            (
                r#"{"first": true, "new": "x"}"#,
                "new: invalid type: string \"x\"; allowed: a number from 0 to 1",
            ),
            (
                r#"{"first": true, "new": null}"#,
                "new: invalid type: null; allowed: a number from 0 to 1",
            ),
            (
                r#"{"first": true, "zz": 1}"#,
                "zz: unknown field `zz`; allowed: `first` or `new`",
            ),
        ] {
            let found = read(json).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), Some(error), "{json}");
        }
    }

    /// What common generators of clients stumble over is not there.
    #[test]
    fn generated_clients_can_use_it() {
        fn walk(schema: &Value, path: &str) {
            match schema {
                Value::Object(fields) => {
                    assert!(!fields.contains_key("$ref") || fields.len() == 1, "{path}");
                    for word in [
                        "anyOf",
                        "allOf",
                        "not",
                        "if",
                        "patternProperties",
                        "default",
                    ] {
                        let is_field = path.ends_with("/properties");
                        assert!(is_field || !fields.contains_key(word), "{word} at {path}");
                    }
                    // The options differ in their types, which a reference says to be an object.
                    let options = fields.get("oneOf").and_then(Value::as_array);
                    let types = options.into_iter().flatten().map(|option| {
                        let named = option["type"].as_str();
                        named.unwrap_or_else(|| option["$ref"].as_str().map_or("?", |_| "object"))
                    });
                    let types: Vec<_> = types.collect();
                    let distinct: BTreeSet<_> = types.iter().collect();
                    assert!(
                        distinct.len() == types.len() && !distinct.contains(&"?"),
                        "{path}"
                    );
                    for (name, schema) in fields.iter().filter(|(name, _)| *name != "examples") {
                        walk(schema, &format!("{path}/{name}"));
                    }
                }
                Value::Array(schemas) => schemas.iter().for_each(|schema| walk(schema, path)),
                Value::String(text) => assert_ne!(text, "null", "{path}"),
                Value::Null => panic!("null at {path}"),
                _ => {}
            }
        }
        let definitions = definitions();
        walk(&definitions, "");
        // Of the browser, Python and Java.
        let globals = [
            "Body", "Document", "Error", "Event", "Headers", "Object", "Option", "Range",
            "Request", "Response", "State", "Status", "Text", "Window",
        ];
        for name in definitions.as_object().unwrap().keys() {
            assert!(!globals.contains(&&**name), "{name}");
        }
    }

    #[test]
    fn the_lengths_are_those_of_the_reader() {
        let definitions = definitions();
        let of = |name: &str, field: &str| {
            let longest = definitions[name]["properties"][field]["maxLength"].as_u64();
            longest.unwrap_or_else(|| panic!("{name} {field}")) as usize
        };
        let text = |length: usize| Value::from("a".repeat(length));
        // Of a class, which compiles to little.
        let class = |length: usize| format!("[{}]", "a".repeat(length - 2));
        let path = |form: &str, length| json!({ "path": { form: class(length) } });
        let rules = |field: &str, value: Value| rule_from_value(with(field, value), None);
        for (longest, reads) in [
            (of("Rule", "id"), &|n| rules("id", text(n)).is_ok()),
            (of("Rule", "site"), &|n| rules("site", text(n)).is_ok()),
            (of("Rule", "reason"), &|n| rules("reason", text(n)).is_ok()),
            (of("GuardRail", "site"), &|n| {
                let guard = json!([{ "error_ratio": 0.5, "site": text(n) }]);
                rules("guards", guard).is_ok()
            }),
            (of("TextForm", "regex"), &|n| {
                rules("match", path("regex", n)).is_ok()
            }),
            (of("TextForm", "full_regex"), &|n| {
                rules("match", path("full_regex", n)).is_ok()
            }),
        ] as [(usize, &dyn Fn(usize) -> bool); 6]
        {
            assert!(reads(longest) && !reads(longest + 1), "{longest}");
        }
        let of_policy = &definitions["Policy"]["properties"]["sites"]["items"]["maxLength"];
        assert_eq!(*of_policy, 256);
    }

    #[cfg(feature = "window")]
    #[test]
    fn the_patterns_of_a_window_take_what_the_reader_takes() {
        let definitions = definitions();
        let pattern = |field: &str| {
            let pattern = &definitions["HoursWindow"]["properties"][field]["pattern"];
            regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap()
        };
        let ranges = |n: usize| vec!["09:00-17:00"; n].join(",");
        for (field, texts) in [
            (
                "days",
                [
                    "mon",
                    " Mon - FRI ,sat",
                    "mon,",
                    "",
                    "mon-",
                    "monday",
                    "mon-tue-wed",
                    "xyz",
                ]
                .map(String::from)
                .to_vec(),
            ),
            (
                "hours",
                [
                    "09:00-17:00",
                    " 22:00 - 06:00 ",
                    "00:00-24:00",
                    "24:00-01:00",
                    "9:00-10:00",
                    "12:60-13:00",
                    "",
                ]
                .map(String::from)
                .into_iter()
                .chain([ranges(24), ranges(25)])
                .collect(),
            ),
        ] {
            for text in texts {
                let is_read =
                    rule_from_value(with("window", json!({ field: &text })), None).is_ok();
                assert_eq!(pattern(field).is_match(&text), is_read, "{field}: {text:?}");
            }
        }
    }

    #[test]
    fn the_examples_are_read() {
        let definitions = definitions();
        let mut seen = BTreeSet::new();
        for (name, definition) in definitions.as_object().unwrap() {
            let Some(examples) = definition["examples"].as_array() else {
                continue;
            };
            seen.insert(name.as_str());
            for example in examples {
                let example = example.clone();
                let rule = match name.as_str() {
                    "Policy" => {
                        policy_from_json(example.to_string().as_bytes()).unwrap();
                        continue;
                    }
                    "Rule" => example,
                    "Fault" => with("faults", json!([example])),
                    "FirstAttempts" => with("first_attempts", example),
                    "Replay" => with("replay", example),
                    "Budget" => with("budget", example),
                    "GuardRail" => with("guards", json!([example])),
                    "HoursWindow" => with("window", example),
                    name => panic!("{name} has examples"),
                };
                let taken = rule_from_value(rule.clone(), Some("a"));
                taken.unwrap_or_else(|error| panic!("{rule}: {error}"));
            }
        }
        assert_eq!(
            seen.len(),
            if cfg!(feature = "window") { 8 } else { 7 },
            "{seen:?}"
        );
    }
}
