//! A document: rules for a fleet, whom they are meant for, and when they end.

pub(crate) mod sealed;

use std::time::Duration;

use chaos_core::{Rule, wire};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{aim::Aim, error::Refusal, name::Name};

/// Rules for a fleet, as a person writes them.
///
/// ```
/// use chaos_fleet::Document;
///
/// let document = Document::from_json(br#"{
///     "name": "lost-reads",
///     "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "connection lost" }] }],
///     "aim": { "labels": { "zone": "a" }, "share": 0.1 },
///     "ttl": "10m"
/// }"#)?;
/// assert_eq!(document.rules()[0].id().as_str(), "lost");
/// # Ok::<(), chaos_fleet::Refusal>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    name: Name,
    rules: Vec<Rule>,
    /// The rules as they were written: etcd holds them in this form.
    written: Value,
    aim: Aim,
    ttl: Duration,
    leash: LeashKind,
    fleet: FleetTerms,
}

/// Whether the rules of a document end when its controller is gone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeashKind {
    /// They end, at the latest one hold after the last beat of the controller. This is the default.
    #[default]
    Controller,
    /// They outlive the controller, until their `ttl` is over.
    Never,
}

/// What holds for all replicas together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FleetTerms {
    /// The greatest number of injections by all replicas together, whatever happens to any of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The number of replicas whose guard rails may break before the document ends everywhere; 1 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaches: Option<usize>,
}

impl FleetTerms {
    /// Returns the number of breaches that end the document.
    #[must_use]
    pub fn breaches(&self) -> usize {
        self.breaches.unwrap_or(1)
    }

    fn check(self) -> Result<Self, Refusal> {
        if self.limit == Some(0) {
            return Err(Refusal::new(
                "fleet.limit",
                "a limit of 0",
                "a number of at least 1",
            ));
        }
        if self.breaches == Some(0) {
            return Err(Refusal::new(
                "fleet.breaches",
                "0 breaches",
                "a number of at least 1",
            ));
        }
        Ok(self)
    }
}

/// The shape of a document in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    name: Name,
    rules: Value,
    #[serde(default)]
    aim: Aim,
    ttl: String,
    #[serde(default)]
    leash: LeashKind,
    #[serde(default)]
    fleet: FleetTerms,
}

impl Document {
    /// The longest time that a document may last.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    /// The most rules of a document.
    const MOST_RULES: usize = 1_000;

    /// Reads a document from JSON.
    ///
    /// # Errors
    /// Returns an error that names the field and what it accepts.
    pub fn from_json(json: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| Refusal::new("", format!("no JSON: {error}"), "a JSON object"))?;
        Self::from_value(value)
    }

    /// Reads a document from a value of JSON.
    ///
    /// # Errors
    /// Returns an error that names the field and what it accepts.
    pub fn from_value(value: Value) -> Result<Self, Refusal> {
        let shape: Shape = read(value, &["", "/aim", "/fleet"])?;
        shape.aim.check()?;
        let rules = rules_of(&shape.rules)?;
        Ok(Self {
            name: shape.name,
            ttl: ttl_of(&shape.ttl)?,
            fleet: shape.fleet.check()?,
            written: shape.rules,
            aim: shape.aim,
            leash: shape.leash,
            rules,
        })
    }

    /// Returns the document's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns whom it is meant for.
    #[must_use]
    pub fn aim(&self) -> &Aim {
        &self.aim
    }

    /// Returns how long it lasts at a replica, from the moment when the replica first sees it.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Returns whether it ends with its controller.
    #[must_use]
    pub fn leash(&self) -> LeashKind {
        self.leash
    }

    /// Returns what holds for all replicas together.
    #[must_use]
    pub fn fleet(&self) -> FleetTerms {
        self.fleet
    }
}

/// Reads the rules of a document.
fn rules_of(rules: &Value) -> Result<Vec<Rule>, Refusal> {
    let allowed = format!("a list of 1 to {} rules", Document::MOST_RULES);
    let Value::Array(list) = rules else {
        return Err(Refusal::new("rules", "no list", allowed));
    };
    if !(1..=Document::MOST_RULES).contains(&list.len()) {
        return Err(Refusal::new(
            "rules",
            format!("{} rules", list.len()),
            allowed,
        ));
    }
    if let Some(at) = list.iter().position(|rule| rule.get("id").is_none()) {
        let field = format!("rules[{at}].id");
        return Err(Refusal::new(
            field,
            "it is missing",
            "the id of the rule at all replicas",
        ));
    }
    if let Some(at) = list.iter().position(|rule| rule.get("ttl").is_some()) {
        let field = format!("rules[{at}].ttl");
        let allowed = "none: all rules last as long as their document";
        return Err(Refusal::new(
            field,
            "a rule of a document has no ttl of its own",
            allowed,
        ));
    }
    let json = serde_json::json!({ "rules": rules }).to_string();
    Ok(wire::rules_from_json(json.as_bytes())?)
}

fn ttl_of(text: &str) -> Result<Duration, Refusal> {
    let allowed = "a time from 1s to 24h, such as 10m";
    let ttl = wire::duration_from_text(text)
        .map_err(|error| Refusal::new("ttl", error.problem(), allowed))?;
    if !(Duration::from_secs(1)..=Document::LONGEST).contains(&ttl) {
        return Err(Refusal::new(
            "ttl",
            format!("{ttl:?} is out of range"),
            allowed,
        ));
    }
    Ok(ttl)
}

/// Reads an object. At `objects`, which are pointers of RFC 6901, a list is refused, whose items would be read as the fields
/// of an object.
fn read<T: DeserializeOwned>(value: Value, objects: &[&str]) -> Result<T, Refusal> {
    let is_list = |pointer: &str| value.pointer(pointer).is_some_and(Value::is_array);
    if let Some(pointer) = objects.iter().find(|pointer| is_list(pointer)) {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        return Err(Refusal::new(field, "it is a list", "an object"));
    }
    serde_path_to_error::deserialize(value).map_err(shape_refusal)
}

/// Says which field has another shape.
fn shape_refusal(error: serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    let path = error.path().to_string();
    let field = if path == "." { String::new() } else { path };
    Refusal::new(
        field,
        error.into_inner(),
        "an object with name, rules and ttl, and maybe aim, leash and fleet",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "name": "lost",
            "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
            "ttl": "10m",
        })
    }

    #[test]
    fn what_is_not_given_is_as_users_expect() {
        let document = Document::from_value(document()).unwrap();
        assert_eq!(document.leash(), LeashKind::Controller);
        assert_eq!(document.fleet().breaches(), 1);
        assert_eq!(document.aim(), &Aim::default());
        assert_eq!(document.ttl(), Duration::from_secs(600));
    }

    #[test]
    fn a_slip_is_named() {
        for (field, value, expected) in [
            ("name", json!("a b"), "name"),
            ("name", json!(1), "name"),
            ("rules", json!({}), "rules"),
            ("rules", json!([]), "rules"),
            (
                "rules",
                json!([{ "site": "db.read", "faults": [{ "error": "x" }] }]),
                "rules[0].id",
            ),
            (
                "rules",
                json!([{ "id": "a", "site": "s", "rate": 7, "faults": [{ "error": "x" }] }]),
                "rules[0].rate",
            ),
            (
                "rules",
                json!([{ "id": "a", "site": "s", "ttl": "1m", "faults": [{ "error": "x" }] }]),
                "rules[0].ttl",
            ),
            ("ttl", json!("0s"), "ttl"),
            ("ttl", json!("2 moons"), "ttl"),
            ("ttl", json!("25h"), "ttl"),
            ("leash", json!("always"), "leash"),
            ("fleet", json!({ "limit": 0 }), "fleet.limit"),
            ("fleet", json!({ "limits": 1 }), "fleet.limits"),
            ("aim", json!({ "share": 2 }), "aim.share"),
            ("aim", json!({ "labels": { "zone": 1 } }), "aim.labels"),
            ("aim", json!([]), "aim"),
        ] {
            let mut document = document();
            document[field] = value.clone();
            let refusal = Document::from_value(document).unwrap_err();
            assert!(
                refusal.field().starts_with(expected),
                "{field} {value}: {refusal}"
            );
        }
        let mut document = document();
        document["site"] = json!("x");
        assert!(
            Document::from_value(document)
                .unwrap_err()
                .to_string()
                .contains("site")
        );
        for (json, problem) in [("{", "no JSON"), ("[]", "it is a list")] {
            let refusal = Document::from_json(json.as_bytes()).unwrap_err();
            assert!(refusal.to_string().contains(problem), "{refusal}");
        }
    }
}
