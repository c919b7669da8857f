//! One experiment at a time on a target: a disabled rule, which injects nothing, says who has it and until when.

use std::time::Duration;

use chaos_gameday::Experiment;
use jiff::Timestamp;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    client::{Client, answer::text, request::Request},
    commands::run::{
        phases::GRACE,
        target::ports::{Ports, observe, unobserve},
    },
    failure::{Exit, Failure},
};

/// The id of the rule.
pub(in crate::commands::run) const LOCK: &str = "experiment-lock";

/// Returns the lock: the first rule of the experiment, so that a policy which permits that permits this, but never enabled.
pub(super) fn rule(experiment: &Experiment) -> Value {
    // Each part arms, ends and asks once more.
    let grace = Duration::from_secs(30 * (experiment.phases.len() as u64 + 3));
    let until = Timestamp::now() + experiment.length() + grace;
    let title = clip(&experiment.title);
    let mut phases = experiment.phases.iter();
    let first = phases.find_map(|phase| Some(phase.rules.first()?.json_for(phase.length + GRACE)));
    let mut rule = first.unwrap_or_else(|| json!({}));
    if let Some(fields) = rule.as_object_mut() {
        // It has nothing to guard. What is disabled does not end by its `ttl`, which only a long program needs.
        fields.remove("guards");
        if !fields.contains_key("program") {
            fields.remove("ttl");
        }
    }
    rule["id"] = LOCK.into();
    rule["enabled"] = false.into();
    rule["reason"] = format!("{title}{MARK}{until:.0}").into();
    rule
}

/// Takes the lock at each port.
///
/// # Errors
/// Returns a failure, and leaves no lock, if a port has one whose time is not over.
pub(super) async fn take_all(ports: &Ports, experiment: &Experiment) -> Result<(), Failure> {
    let rule = rule(experiment);
    ports.lock.replace(text(&rule, "reason").to_owned());
    let taken = ports.ask(async |client| take(client, &rule).await).await;
    if taken.iter().all(Result::is_ok) {
        return Ok(());
    }
    let mut first = None;
    for (client, taken) in ports.fleet.clients.iter().zip(taken) {
        // Whether a request without an answer was carried out is not known.
        if taken.as_ref().map_or_else(is_without_answer, |()| true) {
            drop(delete(client, text(&rule, "reason"), &[]).await);
        }
        first = first.or(taken.err());
    }
    Err(first.unwrap_or_else(|| Failure::new(Exit::Changed, "the target is in use")))
}

/// Counts all calls of sites anew.
pub(super) async fn observe_all(ports: &Ports, sites: &[String]) -> Vec<(String, Failure)> {
    let observed = ports.ask(async |client| {
        let outcomes = observe(client, LOCK, sites).await?;
        let since = outcomes["since"].clone();
        ports.counting.borrow_mut().insert(client.name(), since);
        Ok(())
    });
    ports.failures(observed.await)
}

/// Releases the lock. At a port that cannot be asked it is over at its time.
pub(super) async fn release_all(ports: &Ports, sites: &[String]) {
    let reason = ports.lock.take();
    ports
        .ask(async |client| delete(client, &reason, sites).await)
        .await;
}

/// What stands between the title and the end of the lock's time.
const MARK: &str = ", until ";

/// Returns what of a title fits into a reason.
fn clip(title: &str) -> String {
    title.chars().take(200).collect()
}

fn is_without_answer(failure: &Failure) -> bool {
    failure.status.is_none()
}

async fn take(client: &Client, rule: &Value) -> Result<(), Failure> {
    let put = || Request::new(Method::PUT, &["v1", "rules", LOCK]).body(rule.clone());
    let taken = client.send(put().header(header::IF_NONE_MATCH, "*")).await;
    let failure = match taken {
        Ok(_) => return Ok(()),
        Err(failure) if failure.status == Some(412) => failure,
        Err(failure) => return Err(failure),
    };
    let held = client.get(&["v1", "rules", LOCK]).await?;
    let reason = text(&held.body, "reason");
    let until = reason.rsplit_once(MARK);
    let until = until.and_then(|(_, until)| until.parse::<Timestamp>().ok());
    if until.is_some_and(|until| until < Timestamp::now()) {
        // Whoever had it is gone.
        client.send(put().if_match(held.etag.as_deref())).await?;
        return Ok(());
    }
    let by = text(&held.body["stats"], "armed_by");
    let detail = format!("another experiment is under way: {reason} (by {by})");
    let allowed = format!("once it is over, or if it is dead: chaosctl rm {LOCK}");
    Err(Failure {
        status: failure.status,
        ..Failure::new(Exit::Changed, detail).at("target", allowed)
    })
}

/// Deletes the lock with this reason, and what is counted for it at `sites`. That of somebody else stays, with its counts.
async fn delete(client: &Client, reason: &str, sites: &[String]) -> Result<(), Failure> {
    let held = client.get(&["v1", "rules", LOCK]).await?;
    if text(&held.body, "reason") != reason {
        return Ok(());
    }
    if !sites.is_empty() {
        unobserve(client, LOCK).await;
    }
    let request = Request::new(Method::DELETE, &["v1", "rules", LOCK]);
    let request = request.if_match(held.etag.as_deref());
    client.send(request).await.map(drop)
}
