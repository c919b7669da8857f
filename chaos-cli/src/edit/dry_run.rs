//! Whether a port would take edits.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, answer::Answer, request::Request, rule_list::RuleList},
    edit::{
        Edit,
        steps::{conditional, request},
    },
    failure::Failure,
};

/// Asks the port to make each edit in a dry run, and returns its answers.
pub(super) async fn check(
    client: &Client,
    list: &RuleList,
    edits: &[Edit],
) -> Result<Vec<Value>, Failure> {
    let mut answers = Vec::with_capacity(edits.len());
    for edit in edits {
        let request = conditional(edit, list, list.etag.as_deref());
        match client.send(request.query("dry_run", "true")).await {
            Ok(Answer { body, .. }) => answers.push(body),
            // An older port has dry runs of the whole list alone.
            Err(failure) if failure.field.as_deref() == Some("dry_run") => {
                return whole(client, list, edits).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(answers)
}

async fn whole(client: &Client, list: &RuleList, edits: &[Edit]) -> Result<Vec<Value>, Failure> {
    let mut rules = list.rules.clone();
    for edit in edits {
        apply(&mut rules, edit);
    }
    let edit = Edit::Replace { rules };
    let request = request(&edit).query("dry_run", "true");
    let answer = client.send(request.if_match(list.etag.as_deref())).await?;
    Ok(vec![answer.body])
}

/// Applies an edit to a list of rules, as a port does.
fn apply(rules: &mut Vec<Value>, edit: &Edit) {
    let at = |rules: &[Value], id: &str| rules.iter().position(|rule| rule["id"] == id);
    match edit {
        Edit::Replace { rules: new } => rules.clone_from(new),
        Edit::Put { id, rule } => match at(rules, id) {
            Some(at) => rules[at] = rule.clone(),
            None => rules.push(rule.clone()),
        },
        Edit::Remove { id } => rules.retain(|rule| rule["id"] != id.as_str()),
        Edit::Patch { id, patch } => {
            let fields = patch.as_object().into_iter().flatten();
            if let Some(at) = at(rules, id) {
                for (name, value) in fields {
                    rules[at][name] = value.clone();
                }
            }
        }
    }
}

/// Returns the request of a list that replaces all rules.
pub(super) fn replace(rules: &[Value]) -> Request {
    Request::new(Method::PUT, &["v1", "rules"]).body(json!({ "rules": rules }))
}
