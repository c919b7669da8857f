//! A request to a port.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;

/// A request; the address of the port is added when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The segments of the path, not encoded.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(header::HeaderName, String)>,
    pub(crate) body: Option<Value>,
    /// How long the port is to wait before it answers, besides the time that a request may take.
    pub(crate) wait: Duration,
}

impl Request {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(ToString::to_string).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &[&str], body: Value) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    pub(crate) fn body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds the reason for the audit, if there is one.
    pub(crate) fn because(self, reason: Option<&str>) -> Self {
        match reason {
            Some(reason) => self.query("reason", reason),
            None => self,
        }
    }

    /// Makes the write depend on the generation with this tag, if there is one.
    pub(crate) fn if_match(self, tag: Option<&str>) -> Self {
        match tag {
            Some(tag) => self.header(header::IF_MATCH, tag),
            None => self,
        }
    }

    pub(crate) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Gives the port this much longer to answer.
    pub(crate) fn answered_after(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Returns the route for people: `POST /v1/halt`.
    pub(crate) fn route(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }
}
