//! A row of the table: a fault, who looks, and what they see.

use std::fmt;

use serde_json::{Value, json};

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// curl, over HTTP/1.1.
    Http1,
    /// curl, over HTTP/2 without TLS.
    Http2,
    /// `tests/grpcio/client.py`.
    Grpcio,
}

/// What the operator does while the client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Watches,
    Releases,
    Halts,
    Disables,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) who: Who,
    /// One fault, or a list of them.
    faults: Value,
    /// Other fields of the rule.
    fields: Value,
    pub(super) operator: Operator,
    /// The client's arguments: a path stands for its address.
    pub(super) words: Vec<&'static str>,
    /// As [`check`](super::sees::check) reads it.
    pub(super) sees: Value,
}

pub(super) fn http1(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Who::Http1, faults, words, sees)
}

pub(super) fn http2(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Who::Http2, faults, words, sees)
}

/// The same over both.
pub(super) fn http(faults: Value, words: &'static str, sees: Value) -> [Row; 2] {
    let over = |who| Row::new(who, faults.clone(), words, sees.clone());
    [Who::Http1, Who::Http2].map(over)
}

pub(super) fn grpcio(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Who::Grpcio, faults, words, sees)
}

impl Row {
    fn new(who: Who, faults: Value, words: &'static str, sees: Value) -> Self {
        Self {
            who,
            faults,
            fields: json!({}),
            operator: Operator::Watches,
            words: words.split(' ').collect(),
            sees,
        }
    }

    /// With another field of the rule.
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.fields[field] = value;
        self
    }

    /// With an operator who does something once the call is under way.
    pub(super) fn while_it(mut self, operator: Operator) -> Self {
        self.operator = operator;
        self
    }

    /// The rule, aimed at `site`.
    pub(super) fn rule(&self, site: &str) -> Value {
        let mut rule = self.fields.clone();
        rule["site"] = site.into();
        rule["faults"] = match &self.faults {
            Value::Array(_) => self.faults.clone(),
            fault => json!([fault]),
        };
        rule
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.who {
            Who::Http1 => "http/1.1",
            Who::Http2 => "http/2",
            Who::Grpcio => "grpcio",
        };
        write!(f, "{who:8} {}", self.faults)?;
        if self.fields != json!({}) {
            write!(f, " and {}", self.fields)?;
        }
        if self.operator != Operator::Watches {
            write!(f, ", the operator {:?} it", self.operator)?;
        }
        write!(f, ": {}", self.words.join(" "))
    }
}
