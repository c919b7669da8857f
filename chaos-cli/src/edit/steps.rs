//! Writing edits to one port, and putting back what was written.

use reqwest::{Method, header};
use serde_json::Value;

use crate::{
    client::{
        Client,
        answer::Answer,
        request::Request,
        rule_list::{RuleList, has_ended},
    },
    edit::{Edit, answers, dry_run::replace, fate::Fate},
    failure::{Exit, Failure},
    rule::as_command::as_written,
};

/// What was written to a port, in order, and why it ended early.
pub(super) struct Written {
    pub(super) answers: Vec<(Edit, Answer)>,
    pub(super) failure: Option<Failure>,
}

/// Returns the request that makes an edit.
pub(super) fn request(edit: &Edit) -> Request {
    let one = |method, id: &str| Request::new(method, &["v1", "rules", id]);
    match edit {
        Edit::Put { id, rule } => one(Method::PUT, id).body(rule.clone()),
        Edit::Patch { id, patch } => one(Method::PATCH, id).body(patch.clone()),
        Edit::Remove { id } => one(Method::DELETE, id),
        Edit::Replace { rules } => replace(rules),
    }
}

/// Returns the request that makes an edit of these rules. A rule that is new must not exist by then; with a `tag`,
/// all other edits are refused if anybody has written since.
pub(super) fn conditional(edit: &Edit, list: &RuleList, tag: Option<&str>) -> Request {
    match edit.is_new(list) {
        true => request(edit).header(header::IF_NONE_MATCH, "*"),
        false => request(edit).if_match(tag),
    }
}

/// Writes edits in order. With a `tag`, each write is refused if anybody else has written since.
pub(super) async fn write(
    client: &Client,
    list: &RuleList,
    edits: &[Edit],
    tag: Option<&str>,
    reason: Option<&str>,
) -> Written {
    let (mut answers, mut tag) = (Vec::new(), tag.map(str::to_owned));
    for edit in edits {
        let request = conditional(edit, list, tag.as_deref());
        match client.send(request.because(reason)).await {
            Ok(answer) => {
                tag = tag.and(answer.etag.clone());
                answers.push((edit.clone(), answer));
            }
            Err(failure) => {
                let failure = Some(failure);
                return Written { answers, failure };
            }
        }
    }
    Written {
        answers,
        failure: None,
    }
}

/// Puts back what was written, the last first, as far as nobody has written since. Edits that only take faults
/// away stay, as those of a halt do.
pub(super) async fn take_back(client: &Client, before: &RuleList, written: Written) -> Fate {
    let Written {
        answers: made,
        failure,
    } = written;
    // A write without an answer may have been made or not.
    let is_known = failure.as_ref().is_none_or(|it| it.exit != Exit::NoAnswer);
    let mut tag = match tag_now(client, before, &made).await {
        Ok(tag) => tag,
        Err(failure) => return Fate::NotTakenBack(answers(made), failure),
    };
    if failure.is_none() && made.iter().all(|(edit, _)| edit.only_removes()) {
        return Fate::Written(answers(made));
    }
    for (edit, _) in made.iter().rev().filter(|(edit, _)| !edit.only_removes()) {
        let request =
            inverse(edit, before).because(Some("taken back: it failed at another endpoint"));
        match client.send(request.if_match(tag.as_deref())).await {
            Ok(answer) => tag = answer.etag,
            Err(failure) => return Fate::NotTakenBack(answers(made), failure),
        }
    }
    match failure {
        Some(failure) if made.iter().any(|(edit, _)| edit.only_removes()) => {
            Fate::NotTakenBack(answers(made), failure)
        }
        Some(failure) if is_known => Fate::Refused(failure),
        Some(failure) => Fate::Unknown(failure),
        None => Fate::TakenBack,
    }
}

/// Returns the tag of rules that nobody else has edited since they were written. That of a new rule may cover what
/// others have written right before it, so the rules are read again.
async fn tag_now(
    client: &Client,
    before: &RuleList,
    made: &[(Edit, Answer)],
) -> Result<Option<String>, Failure> {
    if !made.iter().any(|(edit, _)| edit.is_new(before)) {
        return Ok(made.last().and_then(|(_, answer)| answer.etag.clone()));
    }
    let now = RuleList::read(client).await?;
    for (edit, answer) in made {
        if let Edit::Put { id, .. } | Edit::Patch { id, .. } = edit
            && now.find(id).map(as_written) != Some(as_written(&answer.body))
        {
            let detail = "somebody else has edited the rule meanwhile";
            return Err(Failure {
                rule: Some(id.as_str().into()),
                ..Failure::new(Exit::Changed, detail)
            });
        }
    }
    Ok(now.etag)
}

/// Returns the request that puts back what an edit has changed.
fn inverse(edit: &Edit, before: &RuleList) -> Request {
    let rule_before = match edit {
        Edit::Put { id, .. } => Some((id, before.find(id))),
        // Other fields may have been edited between the read and the write.
        Edit::Patch { id, patch } => {
            let rule = before.find(id);
            return request(&Edit::Patch {
                id: id.clone(),
                patch: fields_before(patch, rule),
            });
        }
        Edit::Remove { .. } | Edit::Replace { .. } => None,
    };
    match rule_before {
        Some((id, Some(rule))) => request(&Edit::Put {
            id: id.clone(),
            rule: unarmed_if_ended(rule),
        }),
        Some((id, None)) => request(&Edit::Remove { id: id.clone() }),
        // The whole list, because the order counts.
        None => {
            let rules = before.rules.iter().map(unarmed_if_ended);
            replace(&rules.collect::<Vec<_>>())
        }
    }
}

/// Returns the patch that puts back the fields of another.
fn fields_before(patch: &Value, rule: Option<&Value>) -> Value {
    let names = patch
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name);
    let value = |name: &String| match rule.and_then(|rule| rule.get(name)) {
        Some(value) => value.clone(),
        // A rule without it is enabled, and it takes no `null`.
        None if name == "enabled" => true.into(),
        None => Value::Null,
    };
    let fields = names.map(|name| (name.clone(), value(name)));
    Value::Object(fields.collect())
}

/// Returns a rule as it was; disabled if it had ended, because putting it back would arm it again.
fn unarmed_if_ended(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if has_ended(&rule) {
        rule["enabled"] = false.into();
    }
    rule
}
