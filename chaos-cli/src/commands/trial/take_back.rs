//! The end of a trial: its rules are deleted everywhere.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    client::{Client, no_answer, request::Request},
    commands::{signals::Signals, trial::tally::Tally},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
};

/// How long the end waits for each service.
const PATIENCE: Duration = Duration::from_secs(2);

/// Deletes the rules, after a last look at them. A further signal ends the wait: what is not deleted ends at its deadline.
pub(super) async fn take_back(
    fleet: &Fleet,
    out: &Output,
    ids: &[String],
    tally: &Tally<'_>,
    signals: &mut Signals,
) -> Report {
    let deleted = fleet.ask(async |client: &Client| {
        tally.finish(client).await;
        let deleted = timeout(PATIENCE, delete(client, ids)).await;
        deleted.unwrap_or_else(|_| Err(no_answer("it took too long")))
    });
    let report = tokio::select! {
        deleted = deleted => {
            let deleted = deleted.into_iter().map(|deleted| deleted.map(|()| json!({})));
            fleet.report(out, deleted.collect(), |_, _| String::new())
        }
        code = signals.next() => Report { exit: Exit::Other(code), documents: Some(Vec::new()) },
    };
    if report.exit != Exit::Done {
        out.note("what was not deleted ends at its deadline");
    }
    report
}

async fn delete(client: &Client, ids: &[String]) -> Result<(), Failure> {
    for id in ids {
        let request = Request::new(Method::DELETE, &["v1", "rules", id]);
        match client
            .send(request.because(Some("the trial is over")))
            .await
        {
            Ok(_) => {}
            // It is gone already.
            Err(failure) if failure.status == Some(404) && failure.rule.is_some() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}
