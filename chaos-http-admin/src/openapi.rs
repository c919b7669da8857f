//! The OpenAPI document of the port, made from the table of routes, the schemas of the port's own answers in
//! `openapi/schemas.json`, and the schema of the wire format.

pub(crate) mod operation;

use axum::{
    Extension,
    body::Bytes,
    extract::OriginalUri,
    http::{HeaderName, header},
};
use chaos_core::wire;
use serde_json::{Map, Value, json};

use crate::openapi::operation::{Operation, REFUSALS};

const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// The path at which the document is served.
pub(crate) const PATH: &str = "/openapi.json";

const ABOUT: &str = "See the fault injection rules of a running service and change them.

A path without a route answers 404, one with another method 405 and `Allow`; `HEAD` is answered as `GET`. \
Each refusal has a problem (RFC 9457) as its body. A request that is not valid HTTP is answered with a status alone.";

const BEARER: &str = "An access token, if the port asks for tokens: of the role that the route names, \
or of one that includes it. observe is included in stop, and stop in arm.";

/// Makes the document of these routes, for clients that find them under `base`.
pub(crate) fn document<'r>(
    base: &str,
    routes: impl IntoIterator<Item = (&'r str, &'r str, Operation)>,
) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (path, does, operation) in routes {
        let method = operation.method.as_str().to_ascii_lowercase();
        let said = operation.into_value(&id(&method, path), does);
        paths.entry(path).or_insert_with(|| json!({}))[method] = said;
    }
    let refusals = REFUSALS.iter();
    let refusals = refusals.map(|refusal| (refusal.name.to_owned(), refusal.response()));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "chaos-http-admin",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": base }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": BEARER },
            },
            "responses": Map::from_iter(refusals),
            "schemas": schemas(),
        },
    })
}

/// Makes the id of an operation: `get_v1_rules_id` for `GET /v1/rules/{id}`.
fn id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = [method].into_iter().chain(words);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}

fn schemas() -> Map<String, Value> {
    // What stands under `$defs` there, stands under `components/schemas` here.
    let rule = wire::schema()["$defs"].to_string();
    let rule = rule.replace("\"#/$defs/", "\"#/components/schemas/");
    let [rule, own] = [&*rule, SCHEMAS].map(serde_json::from_str::<Map<String, Value>>);
    let (mut schemas, own) = rule
        .and_then(|rule| Ok((rule, own?)))
        .expect("files of ours");
    for (name, schema) in own {
        let other = schemas.insert(name, schema);
        debug_assert!(other.is_none(), "two schemas of one name: {other:?}");
    }
    schemas.insert("ShownRule".to_owned(), shown(&schemas["Rule"]));
    patches(&mut schemas);
    schemas
}

/// Makes the schema of a rule as the port shows it.
fn shown(rule: &Value) -> Value {
    let mut shown = rule.clone();
    if let Value::Object(shown) = &mut shown {
        shown.remove("examples");
    }
    shown["description"] =
        "A rule as it was written, with its counts, its sites and its warnings.".into();
    let required = [
        "id", "site", "enabled", "faults", "stats", "sites", "warnings",
    ];
    shown["required"] = json!(required);
    shown["properties"]["stats"] = nullable(&json!({ "$ref": "#/components/schemas/Stats" }));
    shown["properties"]["sites"] = json!({
        "description": "The names of the known sites that the rule aims at. A rule without any waits for \
                        its site, or has a slip in its name.",
        "type": "array",
        "items": { "type": "string" },
    });
    shown["properties"]["warnings"] = json!({
        "description": "The warnings about the rule: parts of it that cannot have an effect at the known sites.",
        "type": "array",
        "items": { "$ref": "#/components/schemas/RuleWarning" },
    });
    shown
}

/// Adds the schema of a merge patch of a rule, in which null takes a field away, and so it does within.
fn patches(schemas: &mut Map<String, Value>) {
    let patch_of = |name: &str, description: &str| {
        let mut patch = schemas[name].clone();
        patch["description"] = description.into();
        if let Some(Value::Object(fields)) = patch.get_mut("properties") {
            fields
                .values_mut()
                .for_each(|field| *field = nullable(field));
        }
        if let Value::Object(patch) = &mut patch {
            patch.remove("required");
            patch.remove("examples");
        }
        patch
    };
    let mut rule = patch_of(
        "Rule",
        "The fields of a rule that change (RFC 7396). One that is null has its default again. The \
         whole must be a rule.",
    );
    rule["examples"] = json!([{ "enabled": false }, { "rate": 0.5, "reason": null }]);
    // What is required cannot be taken away.
    for name in ["site", "faults"] {
        rule["properties"][name] = schemas["Rule"]["properties"][name].clone();
    }
    let mut made = Vec::new();
    for (field, document) in [
        ("match", "Match"),
        ("first_attempts", "FirstAttempts"),
        ("budget", "Budget"),
        ("window", "HoursWindow"),
    ] {
        let name = format!("{document}Patch");
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        rule["properties"][field] = nullable(&reference);
        made.push((
            name,
            patch_of(
                document,
                "The fields to change. `null` resets a field to its default.",
            ),
        ));
    }
    made.push(("RulePatch".to_owned(), rule));
    schemas.extend(made);
}

/// Makes the schema of a value that may also be null.
fn nullable(schema: &Value) -> Value {
    let mut nullable = schema.clone();
    if let Some(Value::Array(options)) = nullable.get_mut("oneOf") {
        options.push(json!({ "type": "null" }));
    } else if nullable.get("$ref").is_some() {
        nullable = json!({ "oneOf": [nullable, { "type": "null" }] });
    } else if let Some(name) = schema.get("type") {
        nullable["type"] = json!([name, "null"]);
    }
    if let Some(Value::Array(words)) = nullable.get_mut("enum") {
        words.push(Value::Null);
    }
    nullable
}

/// The text of the document, before and after the base under which clients find the routes.
#[derive(Clone, Debug)]
pub(crate) struct Document([Bytes; 2]);

impl Document {
    /// Writes the document that `of` makes for a base. It is the same in every process of this build.
    pub(crate) fn new(of: impl FnOnce(&str) -> Value) -> Self {
        const BASE: &str = "/this-is-the-base-of-the-routes";
        let text = of(BASE).to_string();
        let quoted = Value::from(BASE).to_string();
        let (before, after) = text
            .split_once(&quoted)
            .expect("the document names its base");
        Self([before, after].map(|part| Bytes::from(part.to_owned())))
    }

    /// Returns the text for clients that find the routes under `base`.
    fn text(&self, base: &str) -> Vec<u8> {
        let [before, after] = &self.0;
        [before, Value::from(base).to_string().as_bytes(), after].concat()
    }
}

/// Serves the document.
pub(crate) async fn show(
    Extension(document): Extension<Document>,
    OriginalUri(uri): OriginalUri,
) -> ([(HeaderName, &'static str); 1], Vec<u8>) {
    // In a nested router, the routes stand beside the document.
    let base = uri.path().strip_suffix(PATH).unwrap_or_default();
    let text = document.text(if base.is_empty() { "/" } else { base });
    ([(header::CONTENT_TYPE, "application/json")], text)
}
