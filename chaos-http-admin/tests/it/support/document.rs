//! The OpenAPI document, and whether an answer is one that it has.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::support::port::Answer;

pub(crate) struct Document(pub(crate) Value, RefCell<BTreeMap<String, Rc<Validator>>>);

impl Document {
    pub(crate) fn new() -> Self {
        Self(chaos_http_admin::openapi(), RefCell::default())
    }

    /// Every operation: its method, its path and what is said of it.
    pub(crate) fn operations(&self) -> Vec<(String, String, Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(|(method, said)| (method.to_uppercase(), path.clone(), said.clone()))
        });
        operations.collect()
    }

    pub(crate) fn schemas(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["components"]["schemas"].as_object().unwrap().iter()
    }

    /// What a reference stands for; what is none stands for itself.
    pub(crate) fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value.get("$ref") {
            Some(Value::String(path)) => {
                let found = self.0.pointer(path.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("nothing is at {path}"))
            }
            _ => value,
        }
    }

    /// Made once: it takes longer than to ask it.
    pub(crate) fn validator(&self, schema: &Value) -> Rc<Validator> {
        let mut made = self.1.borrow_mut();
        let made = made.entry(schema.to_string());
        Rc::clone(made.or_insert_with(|| Rc::new(self.make_validator(schema))))
    }

    fn make_validator(&self, schema: &Value) -> Validator {
        let mut root = json!({ "allOf": [schema] });
        root["components"] = self.0["components"].clone();
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let validator = options.build(&root);
        validator.unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    #[track_caller]
    pub(crate) fn assert_valid(&self, schema: &Value, value: &Value) {
        let validator = self.validator(schema);
        let errors = validator.iter_errors(value);
        let errors: Vec<_> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{value:#} is not valid:\n{}",
            errors.join("\n")
        );
    }

    /// Whether an operation says of this answer that it may come: its status, its type, its body and
    /// its headers.
    #[track_caller]
    pub(crate) fn assert_said(&self, operation: &Value, answer: &Answer) {
        let id = &operation["operationId"];
        let status = answer.status.as_str();
        let response = &operation["responses"][status];
        assert!(
            response.is_object(),
            "{id} does not say {status}: {}",
            answer.text()
        );
        self.assert_response(self.resolved(response), answer);
    }

    #[track_caller]
    pub(crate) fn assert_response(&self, response: &Value, answer: &Answer) {
        match response["content"].as_object() {
            None => assert!(answer.body.is_empty(), "{}", answer.text()),
            Some(content) => {
                let (media_type, content) = content.iter().next().unwrap();
                let given = answer.header("content-type").unwrap_or_default();
                assert_eq!(given.split(';').next().unwrap(), media_type);
                let body = match media_type.as_str() {
                    "text/event-stream" => event(&answer.text()),
                    json if json.ends_with("json") => answer.json(),
                    _ => answer.text().into(),
                };
                self.assert_valid(&content["schema"], &body);
            }
        }
        for name in ["ETag", "Allow", "Retry-After", "WWW-Authenticate"] {
            let said = &response["headers"][name];
            match answer.header(name) {
                Some(given) => {
                    assert!(
                        said.is_object(),
                        "{name} is not said of {}",
                        response["description"]
                    );
                    self.assert_valid(&said["schema"], &given.into());
                }
                None => assert_ne!(
                    said["required"],
                    true,
                    "{name} is missing: {}",
                    answer.text()
                ),
            }
        }
    }
}

/// The first event of a stream, its fields as properties.
fn event(stream: &str) -> Value {
    let lines = stream.lines().take_while(|line| !line.is_empty());
    let fields = lines.map(|line| {
        let (field, value) = line.split_once(": ").unwrap();
        let value = match field {
            "retry" => value.parse::<u64>().unwrap().into(),
            _ => value.into(),
        };
        (field.to_owned(), value)
    });
    Value::Object(fields.collect())
}
