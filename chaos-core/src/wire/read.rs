//! Reads a document, and turns what serde says into an error that names the field and what it accepts.

use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;

use super::{
    form::Object,
    shape::{Documented, Shape},
};
use crate::error::RuleError;

/// Reads one document from JSON text.
///
/// To know where one stands in a text costs more than to read it, so only a document that is wrong is read so, once
/// more.
pub(super) fn document_from_json<T>(json: &[u8]) -> Result<T, RuleError>
where
    T: Documented + for<'de> Deserialize<'de>,
{
    if let Ok(Object(document)) = serde_json::from_slice(json) {
        return Ok(document);
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let document = document(&mut reader)?;
    let end = reader.end();
    end.map_err(|error| RuleError::new("", error, "one JSON object and nothing after it"))?;
    Ok(document)
}

/// Reads one document from any format that serde can read.
pub(super) fn document<'de, T, D>(reader: D) -> Result<T, RuleError>
where
    T: Documented + Deserialize<'de>,
    D: Deserializer<'de>,
{
    read::<Object<T>, D>(reader, &T::SHAPE).map(|Object(document)| document)
}

/// Reads a value of this shape.
pub(super) fn read<'de, T, D>(reader: D, shape: &Shape) -> Result<T, RuleError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let mut allowed = *shape;
        for segment in error.path() {
            let part = match segment {
                Segment::Seq { .. } => allowed.part(None),
                Segment::Map { key } => allowed.part(Some(key)),
                Segment::Enum { .. } | Segment::Unknown => None,
            };
            match part {
                Some(part) => allowed = *part,
                None => break,
            }
        }
        // Of a document that breaks off before the next field, the path ends in `?`.
        let path = error.path().to_string();
        let path = path.trim_end_matches(['?', '.']).to_owned();
        let text = error.into_inner().to_string();
        // The position in the text says less than the path does.
        let text = text.split(" at line ").next().unwrap_or(&text);
        let (problem, expected) = match text.split_once(", expected ") {
            Some((problem, expected)) => (problem, Some(expected)),
            None => (text, None),
        };
        // A field that is missing or there twice is no part of the path to it.
        for (wrong, said) in [
            ("missing", "the field is missing"),
            ("duplicate", "the field is a duplicate"),
        ] {
            let name = problem
                .strip_prefix(wrong)
                .and_then(|rest| rest.strip_prefix(" field `"));
            if let Some((field, _)) = name.and_then(|rest| rest.split_once('`')) {
                let field_allowed = allowed.part(Some(field)).unwrap_or(shape).allowed();
                return RuleError::new(field, said, field_allowed).under(&path);
            }
        }
        if path.is_empty() && expected.is_none() {
            return RuleError::new("", problem, "a JSON object");
        }
        match expected {
            // The names that are known there.
            Some(expected) if problem.starts_with("unknown ") => {
                let unknown = path.rsplit('.').next().unwrap_or_default();
                match &*allowed.fields_that_have(unknown) {
                    [] => RuleError::new(path, problem, expected),
                    owners => {
                        let owners = owners.join("`, `");
                        let problem = format!("{problem}, which belongs in `{owners}`");
                        RuleError::new(path, problem, expected)
                    }
                }
            }
            _ => RuleError::new(path, problem, allowed.allowed()),
        }
    })
}
