//! The end of a trial: its rules are deleted everywhere.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, answer::Answer, request::Request},
    commands::trial::{each::each, tally::Tally},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
};

/// Deletes the rules, after a last look at them. What is not deleted ends at its deadline.
///
/// No signal ends it: a terminal that is closed sends several, and a service that does not answer is left after a few
/// seconds.
pub(super) async fn take_back(
    fleet: &Fleet,
    out: &Output,
    ids: &[String],
    tally: &Tally<'_>,
) -> Report {
    let deleted = fleet
        .ask(async |client: &Client| {
            tally.finish(client).await;
            each(ids, async |id| delete(client, id).await).await
        })
        .await;
    let deleted = deleted
        .into_iter()
        .map(|deleted| deleted.map(|()| json!({})));
    let report = fleet.report(out, deleted.collect(), |_, _| String::new());
    if report.exit != Exit::Done {
        out.note("what was not deleted ends at its deadline");
    }
    report
}

async fn delete(client: &Client, id: &str) -> Result<Answer, Failure> {
    let request = Request::new(Method::DELETE, &["v1", "rules", id]);
    let request = request.because(Some("the trial is over"));
    match client.send(request).await {
        // It is gone already.
        Err(failure) if failure.status == Some(404) && failure.rule.is_some() => Ok(Answer {
            etag: None,
            body: Value::Null,
        }),
        answer => answer,
    }
}
