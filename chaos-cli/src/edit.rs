//! Writes to several endpoints: all or none.
//!
//! 1. Each endpoint is asked for its rules and their entity tag, and makes the edits in a dry run. One that
//!    refuses or does not answer ends it: nothing has been written anywhere.
//! 2. All are written to at once, with `If-Match` of what was read. A rule that is new is written last, with
//!    `If-None-Match`: a port takes no `If-Match` for it.
//! 3. If one fails, those that were written to are put back, with `If-Match` of their own write, so nothing
//!    that somebody else has done meanwhile is lost. An edit that only takes faults away stays, and a rule that
//!    had ended is put back disabled. A rule that was live and was replaced is put back live: its time and its limit
//!    begin anew.
//!
//! With one endpoint, the port itself does all or nothing, so its edits go there at once, and those that switch
//! or delete single rules do not fail because of somebody else's edit of another rule.

mod dry_run;
mod fate;
pub(crate) mod meanwhile;
mod steps;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    client::{Client, answer::Answer, rule_list::RuleList},
    edit::{
        fate::{Fate, report},
        steps::{Written, take_back, write},
    },
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
};

/// One edit of the rules of an endpoint.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Makes or replaces a rule.
    Put { id: String, rule: Value },
    /// Merges fields into a rule.
    Patch { id: String, patch: Value },
    /// Deletes a rule.
    Remove { id: String },
    /// Replaces all rules.
    Replace { rules: Vec<Value> },
}

impl Edit {
    /// Returns whether the edit replaces all that is written there.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Replace { .. })
    }

    /// Returns whether the edit makes a rule that is not among these.
    fn is_new(&self, list: &RuleList) -> bool {
        matches!(self, Self::Put { id, .. } if list.find(id).is_none())
    }

    /// Returns whether the edit takes faults away and brings none.
    fn only_removes(&self) -> bool {
        match self {
            Self::Remove { .. } => true,
            Self::Patch { patch, .. } => *patch == json!({ "enabled": false }),
            Self::Replace { rules } => rules.is_empty(),
            Self::Put { .. } => false,
        }
    }
}

/// How edits are made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms<'a> {
    /// The reason for the audit.
    pub(crate) reason: Option<&'a str>,
    /// Whether nothing is to be changed.
    pub(crate) dry_run: bool,
    /// Whether nothing is to be changed where the service warns of something.
    pub(crate) strict: bool,
    /// Whether the command tries again, and prints nothing, if an id cannot be had that was free when the rules were
    /// read.
    pub(crate) again: bool,
}

/// Makes the edits that `plan` returns for the rules of each endpoint, at all endpoints or at none.
pub(crate) async fn all_or_none(
    fleet: &Fleet,
    out: &Output,
    terms: Terms<'_>,
    lists: Vec<Result<RuleList, Failure>>,
    plan: impl Fn(&RuleList) -> Result<Vec<Edit>, Failure>,
) -> Report {
    let several = fleet.clients.len() > 1;
    let is_tried = several || terms.dry_run || terms.strict;
    let lists = fleet.clients.iter().zip(lists);
    let prepared = lists.map(|(client, list)| prepare(client, list, &plan, is_tried));
    let mut prepared = join_all(prepared).await;
    if terms.strict {
        let all = prepared.into_iter();
        prepared = all.map(|it| it.and_then(|it| it.unwarned(out))).collect();
    }
    let is_refused = prepared.iter().any(Result::is_err);
    if terms.dry_run || is_refused {
        let fates = prepared.into_iter().map(|prepared| match prepared {
            Ok(Prepared { expected, .. }) => Fate::WouldTake(expected),
            Err(failure) => Fate::Refused(failure),
        });
        let fates: Vec<_> = fates.collect();
        if terms.again && is_refused && fates.iter().all(Fate::may_take_another_id) {
            return Report::printed(Exit::Changed);
        }
        return report(fleet, out, fates, terms.dry_run);
    }
    let prepared: Vec<Prepared<'_>> = prepared.into_iter().flatten().collect();
    let writes = prepared.iter().map(|it| {
        let is_whole = it.edits.iter().any(Edit::is_whole);
        let tag = it.list.etag.as_deref().filter(|_| several || is_whole);
        write(it.client, &it.list, &it.edits, tag, terms.reason)
    });
    let written: Vec<Written> = join_all(writes).await;
    let failed = written.iter().any(|written| written.failure.is_some());
    let fates = match failed {
        true => {
            let failures = written.iter().map(|written| written.failure.clone());
            let failures: Vec<_> = failures.collect();
            let written = prepared.iter().zip(written);
            let taken = written.map(|(it, written)| take_back(it.client, &it.list, written));
            let fates = join_all(taken).await;
            if terms.again && fates.iter().all(Fate::may_take_another_id) {
                return Report::printed(Exit::Changed);
            }
            let told = prepared.iter().zip(failures).map(async |(it, failure)| {
                if let Some(failure) = failure {
                    meanwhile::tell(it.client, out, &it.list, &failure).await;
                }
            });
            join_all(told).await;
            fates
        }
        false => {
            let written = written.into_iter();
            written
                .map(|written| Fate::Written(answers(written.answers)))
                .collect()
        }
    };
    report(fleet, out, fates, false)
}

/// The edits of one endpoint, before any is made.
struct Prepared<'c> {
    client: &'c Client,
    list: RuleList,
    edits: Vec<Edit>,
    /// What the dry run has answered.
    expected: Vec<Value>,
}

impl Prepared<'_> {
    /// Returns the edits if the dry run has shown no warning of them; else prints the warnings.
    fn unwarned(self, out: &Output) -> Result<Self, Failure> {
        let answers = self.expected.iter();
        let mut warned = answers.filter_map(|answer| answer["warnings"].as_array()?.first());
        let Some(first) = warned.next() else {
            return Ok(self);
        };
        let failure = Failure::new(Exit::Refused, "a warning, which --strict does not take");
        let text = |field: &str| first[field].as_str().map(Into::into);
        let failure = Failure {
            rule: text("rule"),
            field: text("field"),
            ..failure
        };
        for answer in &self.expected {
            out.warnings(answer);
        }
        Err(failure)
    }
}

async fn prepare<'c>(
    client: &'c Client,
    list: Result<RuleList, Failure>,
    plan: &impl Fn(&RuleList) -> Result<Vec<Edit>, Failure>,
    is_tried: bool,
) -> Result<Prepared<'c>, Failure> {
    let list = list?;
    let mut edits = plan(&list)?;
    // A new rule is written without a tag, so nothing that needs one comes after it.
    edits.sort_by_key(|edit| edit.is_new(&list));
    let expected = match is_tried {
        true => dry_run::check(client, &list, &edits).await?,
        false => Vec::new(),
    };
    Ok(Prepared {
        client,
        list,
        edits,
        expected,
    })
}

fn answers(answers: Vec<(Edit, Answer)>) -> Vec<Value> {
    answers.into_iter().map(|(_, answer)| answer.body).collect()
}
