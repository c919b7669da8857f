//! The rules of a port.

use serde_json::Value;

use crate::{
    client::{Client, answer::unlike_a_port, request::Request},
    failure::Failure,
};

/// The most rules that are read.
const MOST: usize = 100_000;

/// The rules of an endpoint, and their generation as an entity tag.
#[derive(Clone, Debug)]
pub(crate) struct RuleList {
    pub(crate) etag: Option<String>,
    pub(crate) rules: Vec<Value>,
}

impl RuleList {
    /// Reads all rules, however many pages they take.
    pub(crate) async fn read(client: &Client) -> Result<Self, Failure> {
        const PATH: [&str; 2] = ["v1", "rules"];
        let mut list = Self {
            etag: None,
            rules: Vec::new(),
        };
        let mut request = Request::get(&PATH);
        loop {
            let answer = client.send(request).await?.with("rules")?;
            // Those of the first page: what changes between two pages is found by the next write.
            list.etag = list.etag.or(answer.etag);
            let before = list.rules.len();
            let rules = answer.body["rules"].as_array();
            list.rules.extend(rules.into_iter().flatten().cloned());
            match answer.body["next"].as_str() {
                None => return Ok(list),
                Some(next) if (before + 1..MOST).contains(&list.rules.len()) => {
                    request = Request::get(&PATH).query("after", next);
                }
                Some(_) => return Err(unlike_a_port("pages without an end")),
            }
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Value> {
        self.rules.iter().find(|rule| rule["id"] == id)
    }
}

/// Returns whether the time of an enabled rule is over: it injects nothing until it is armed anew. Whether a limit
/// is used up is not known, because the counts go on when a rule is armed anew.
pub(crate) fn has_ended(rule: &Value) -> bool {
    rule["enabled"] != false && rule["stats"]["expires_in"] == 0.0
}
