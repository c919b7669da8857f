//! `Fields`: the fields of the JSON object that a request has as its body.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The fields of a body that were not taken yet. Unknown fields are refused: one that is misspelt must not be as if it
/// were missing.
#[derive(Debug)]
pub(crate) struct Fields {
    rest: Map<String, Value>,
    /// What the body may hold.
    allowed: &'static str,
}

impl Fields {
    /// Reads a body.
    pub(crate) fn read(json: &[u8], allowed: &'static str) -> Result<Self, Problem> {
        let body = serde_json::from_slice(json);
        match body.map_err(|error| refuse("body", error.to_string(), allowed))? {
            Value::Object(rest) => Ok(Self { rest, allowed }),
            _ => Err(refuse("body", "the body is not a JSON object", allowed)),
        }
    }

    /// Takes the value of a field, if it is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name)
    }

    /// Refuses the body if it has fields that were not taken.
    pub(crate) fn end(self) -> Result<(), Problem> {
        let Self { rest, allowed } = self;
        match rest.keys().next() {
            Some(other) => Err(refuse(other, format!("unknown field `{other}`"), allowed)),
            None => Ok(()),
        }
    }
}

/// Refuses a request for one field of its body.
pub(crate) fn refuse(field: &str, detail: impl Into<String>, allowed: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail).at(field, allowed)
}

/// Returns the value of a whole number, which may be written `1.0`.
pub(crate) fn whole(number: &Value) -> Option<u64> {
    let of_float = || {
        let number = number.as_f64()?;
        let fits = (0.0..u64::MAX as f64).contains(&number) && number.fract() == 0.0;
        fits.then_some(number as u64)
    };
    number.as_u64().or_else(of_float)
}
