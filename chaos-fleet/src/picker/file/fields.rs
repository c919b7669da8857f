//! The fields of a table: each is known, and of the type that it should be.

use std::time::Duration;

use chaos_core::wire;
use toml::{Table, Value};

use crate::error::Refusal;

/// The name of a field, and what it accepts.
pub(super) type Field = (&'static str, &'static str);

/// The fields of a table that are not read yet.
pub(super) struct Fields {
    /// The path of the table, empty for a pick itself.
    path: &'static str,
    table: Table,
    known: &'static [Field],
}

/// Returns what a field accepts.
pub(super) fn allowed(known: &'static [Field], name: &str) -> &'static str {
    let field = known.iter().find(|(known, _)| *known == name);
    field.map_or("", |(_, allowed)| allowed)
}

/// Writes a value as errors show it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(date) => date.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

impl Fields {
    /// Returns an error if the table has a field that is not known.
    pub(super) fn new(
        path: &'static str,
        table: Table,
        known: &'static [Field],
    ) -> Result<Self, Refusal> {
        let fields = Self { path, table, known };
        let is_known = |name: &&String| known.iter().any(|(known, _)| known == name);
        match fields.table.keys().find(|name| !is_known(name)) {
            None => Ok(fields),
            Some(unknown) => {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let path = fields.path_of(unknown);
                Err(Refusal::new(path, "unknown field", names.join(", ")))
            }
        }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(super) fn refuse(&self, name: &str, problem: impl std::fmt::Display) -> Refusal {
        Refusal::new(self.path_of(name), problem, allowed(self.known, name))
    }

    pub(super) fn missing(&self, name: &str) -> Refusal {
        self.refuse(name, "the field is missing")
    }

    /// Takes the value of a field, of whatever type.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.table.remove(name)
    }

    /// Returns the fields that were not taken.
    pub(super) fn rest(self) -> Table {
        self.table
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(self.refuse(name, format!("{} is no text", shown(&value)))),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(flag)),
            Some(value) => {
                Err(self.refuse(name, format!("{} is neither true nor false", shown(&value))))
            }
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Float(number)) => Ok(Some(number)),
            Some(Value::Integer(number)) => Ok(Some(number as f64)),
            Some(value) => Err(self.refuse(name, format!("{} is no number", shown(&value)))),
        }
    }

    /// Takes a whole number in this range.
    pub(super) fn whole(
        &mut self,
        name: &str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value.as_integer().and_then(|it| u64::try_from(it).ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(name, format!("{} is not allowed", shown(&value)))),
        }
    }

    pub(super) fn duration(&mut self, name: &str) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let duration = wire::duration_from_text(&text);
        let duration = duration.map_err(|error| self.refuse(name, error.problem()))?;
        Ok(Some(duration))
    }
}
