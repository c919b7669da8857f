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
/// The schema takes every rule that this module reads, but for odd spellings of times and sizes. It has no
/// word for fields that exclude each other, and none for `format`: descriptions say the rest, and the
/// reader refuses what they exclude. Its objects are flat and none of its fields may be null, so that
/// generated clients write what is meant.
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
    use crate::error::RuleError;
    use crate::wire::{policy_from_json, rule_from_value};

    fn definition(name: &str) -> Value {
        let found = schema()["$defs"][name].take();
        assert!(found.is_object(), "there is no {name}");
        found
    }

    /// The fields of an object, of all its forms together.
    fn fields(schema: &Value) -> BTreeSet<String> {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let own = properties.map(|(name, _)| name.clone());
        let forms = ["oneOf", "anyOf"].map(|any| schema[any].as_array());
        let forms = forms.into_iter().flatten().flatten();
        own.chain(forms.flat_map(fields)).collect()
    }

    /// What the reader lists where it comes across a field that it does not know.
    fn known(rule: Value) -> BTreeSet<String> {
        let error = rule_from_value(rule.clone(), None).expect_err(&rule.to_string());
        listed(&error)
    }

    fn listed(error: &RuleError) -> BTreeSet<String> {
        assert!(error.problem().contains("`zz`"), "{error}");
        let names = error.allowed().split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    }

    fn with(field: &str, value: Value) -> Value {
        let mut rule = json!({ "id": "a", "site": "s", "faults": [{ "status": 503 }] });
        rule[field] = value;
        rule
    }

    fn fault(value: Value) -> Value {
        with("faults", json!([value]))
    }

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        let zz = || json!({ "zz": 1 });
        let form = |name: &str, at: usize, field: &str| {
            definition(name)["oneOf"][at]["properties"][field].take()
        };
        let fault_with = |kind: &str| {
            let forms = definition("Fault")["oneOf"].take();
            let forms = forms.as_array().unwrap().iter();
            let mut found = forms.map(|form| &form["properties"][kind]);
            found.find(|found| found.is_object()).unwrap().clone()
        };
        let cases = [
            ("rule", with("zz", json!(1)), definition("Rule")),
            ("match", with("match", zz()), definition("Match")),
            (
                "first_attempts",
                with("first_attempts", zz()),
                definition("FirstAttempts"),
            ),
            ("replay", with("replay", zz()), definition("Replay")),
            ("phase", with("program", json!([zz()])), definition("Phase")),
            ("budget", with("budget", zz()), definition("Budget")),
            (
                "guards",
                with("guards", json!([zz()])),
                definition("GuardRail"),
            ),
            ("window", with("window", zz()), definition("Window")),
            ("fault", fault(zz()), definition("Fault")),
            (
                "status",
                fault(json!({ "status": zz() })),
                definition("Status"),
            ),
            ("grpc", fault(json!({ "grpc": zz() })), definition("Grpc")),
            (
                "error",
                fault(json!({ "error": zz() })),
                fault_with("error"),
            ),
            (
                "abort",
                fault(json!({ "abort": zz() })),
                form("Fault", 7, "abort"),
            ),
            (
                "pause",
                fault(json!({ "pause": zz() })),
                fault_with("pause"),
            ),
            ("body", fault(json!({ "body": zz() })), definition("Body")),
            (
                "headers",
                fault(json!({ "headers": zz() })),
                definition("Headers"),
            ),
            ("burn", fault(json!({ "burn": zz() })), definition("Burn")),
            (
                "one_of",
                fault(json!({ "one_of": [zz()] })),
                fault_with("one_of")["items"].take(),
            ),
        ];
        for (name, rule, schema) in cases {
            assert_eq!(fields(&schema), known(rule), "{name}");
        }
        let error = policy_from_json(br#"{"zz":1}"#).unwrap_err();
        assert_eq!(fields(&definition("Policy")), listed(&error));
        let error = policy_from_json(br#"{"burn":{"zz":1}}"#).unwrap_err();
        let burn = definition("Policy")["properties"]["burn"].take();
        assert_eq!(fields(&burn), listed(&error));
        for (field, not) in [
            ("method", "NotMethod"),
            ("path", "NotPath"),
            ("host", "NotHost"),
            ("grpc", "NotGrpc"),
        ] {
            let mut forms = fields(&definition("TextForm"));
            forms.append(&mut fields(&definition(not)));
            assert_eq!(
                forms,
                known(with("match", json!({ (field): zz() }))),
                "{field}"
            );
        }
    }

    #[test]
    #[cfg(feature = "window")]
    fn the_examples_are_read() {
        let mut read = 0;
        let mut takes = |rule: Value| {
            let mut rule = rule;
            rule["id"] = json!("a");
            let taken = rule_from_value(rule.clone(), None);
            taken.unwrap_or_else(|error| panic!("{rule}: {error}"));
            read += 1;
        };
        let examples = |name: &str| -> Vec<Value> {
            let examples = definition(name)["examples"].take();
            let examples = examples.as_array().cloned();
            examples.unwrap_or_else(|| panic!("{name} has no examples"))
        };
        examples("Rule").into_iter().for_each(&mut takes);
        for example in examples("Fault") {
            takes(fault(example));
        }
        for (name, field) in [
            ("FirstAttempts", "first_attempts"),
            ("Replay", "replay"),
            ("Program", "program"),
            ("Budget", "budget"),
            ("Window", "window"),
            ("Key", "key"),
            ("Duration", "ttl"),
        ] {
            for example in examples(name) {
                takes(with(field, example));
            }
        }
        for example in examples("GuardRail") {
            takes(with("guards", json!([example])));
        }
        for example in examples("Policy") {
            policy_from_json(example.to_string().as_bytes()).unwrap();
        }
        for (name, field) in [
            ("MethodMatcher", "method"),
            ("PathMatcher", "path"),
            ("HostMatcher", "host"),
            ("GrpcMatcher", "grpc"),
        ] {
            for example in examples(name) {
                takes(with("match", json!({ (field): example })));
            }
        }
        for example in examples("TextMatcher") {
            takes(with("match", json!({ "query": { "q": example } })));
        }
        for example in examples("DurationOrRange") {
            takes(fault(json!({ "latency": example })));
        }
        for example in examples("Size") {
            takes(fault(json!({ "abort": "close", "after": example })));
        }
        for example in examples("Ramp") {
            takes(with("program", json!([{ "for": "1m", "rate": example }])));
        }
        assert!(read > 40);
        // What has its default in the schema has it in the reader.
        let plain = rule_from_value(with("site", json!("s")), None).unwrap();
        for (name, field) in definition("Rule")["properties"].as_object().unwrap() {
            if let Some(default) = field.get("default") {
                let same = rule_from_value(with(name, default.clone()), None).unwrap();
                assert_eq!(same, plain, "{name}");
            }
        }
    }
}
