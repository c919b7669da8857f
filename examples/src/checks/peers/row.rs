//! A row of the table: a fault, a client, and what the client must observe.

use std::fmt;

use serde_json::{Value, json};

/// The client of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// curl over HTTP/1.1.
    Http1,
    /// curl over HTTP/2 without TLS.
    Http2,
    /// grpcio, run by `tests/grpcio/client.py`.
    Grpcio,
}

/// The operator's action while the client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Watches,
    Releases,
    Halts,
    Disables,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) peer: Peer,
    /// One fault, or a list of faults.
    faults: Value,
    /// The rule's fields other than `site` and `faults`.
    fields: Value,
    pub(super) operator: Operator,
    /// The client's arguments. A path stands for its URL on the service.
    pub(super) words: Vec<&'static str>,
    /// The expected observation, in the form of [`check`](super::sees::check).
    pub(super) sees: Value,
}

pub(super) fn http1(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Peer::Http1, faults, words, sees)
}

pub(super) fn http2(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Peer::Http2, faults, words, sees)
}

/// Returns a row for HTTP/1.1 and one for HTTP/2, equal otherwise.
pub(super) fn http(faults: Value, words: &'static str, sees: Value) -> [Row; 2] {
    let over = |peer| Row::new(peer, faults.clone(), words, sees.clone());
    [Peer::Http1, Peer::Http2].map(over)
}

pub(super) fn grpcio(faults: Value, words: &'static str, sees: Value) -> Row {
    Row::new(Peer::Grpcio, faults, words, sees)
}

impl Row {
    fn new(peer: Peer, faults: Value, words: &'static str, sees: Value) -> Self {
        Self {
            peer,
            faults,
            fields: json!({}),
            operator: Operator::Watches,
            words: words.split(' ').collect(),
            sees,
        }
    }

    /// Sets another field of the rule.
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.fields[field] = value;
        self
    }

    /// Sets the operator's action, which is performed once the call is in progress.
    pub(super) fn while_it(mut self, operator: Operator) -> Self {
        self.operator = operator;
        self
    }

    /// Returns the rule as JSON, for the site `site`.
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
        let peer = match self.peer {
            Peer::Http1 => "http/1.1",
            Peer::Http2 => "http/2",
            Peer::Grpcio => "grpcio",
        };
        write!(f, "{peer:8} {}", self.faults)?;
        if self.fields != json!({}) {
            write!(f, " and {}", self.fields)?;
        }
        if self.operator != Operator::Watches {
            write!(f, ", the operator {:?} it", self.operator)?;
        }
        write!(f, ": {}", self.words.join(" "))
    }
}
