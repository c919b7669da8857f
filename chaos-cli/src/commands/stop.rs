//! `halt`, `resume` and `ack`: the kill switch.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    args::change::{HaltArgs, ReasonArgs},
    client::{
        Client,
        answer::text,
        request::Request,
        rule_list::{RuleList, has_ended},
    },
    edit::meanwhile,
    failure::Failure,
    fleet::{Fleet, Report},
    output::Output,
};

/// The number of characters of a reason that a port takes. A halt is not refused because of a longer one.
const MAX_REASON: usize = 1000;

/// Halts all endpoints at the same time. It reads and asks nothing before, and no failure of one keeps another
/// from being halted.
pub(super) async fn halt(fleet: &Fleet, out: &Output, args: &HaltArgs) -> Report {
    let reason = args.reason.join(" ");
    let reason: String = match reason.trim() {
        // A port without tokens needs one, and an operator in a hurry has none.
        "" => "none given".to_owned(),
        reason => reason.chars().take(MAX_REASON).collect(),
    };
    let halted = send_halt(fleet, &reason).await;
    fleet.announce(out);
    fleet.report(out, halted, told)
}

/// Halts all endpoints, and returns their answers.
pub(super) async fn send_halt(fleet: &Fleet, reason: &str) -> Vec<Result<Value, Failure>> {
    let body = json!({ "reason": reason });
    let halt = async |client: &Client| {
        let request = Request::post(&["v1", "halt"], body.clone());
        Ok(client.send(request).await?.with("state")?.body)
    };
    fleet.ask(halt).await
}

pub(super) async fn resume(
    fleet: &Fleet,
    out: &Output,
    args: &ReasonArgs,
) -> Result<Report, Failure> {
    let lists = fleet.ask(RuleList::read).await;
    if !out.is_json() {
        for list in lists.iter().flatten() {
            for rule in list.rules.iter().filter(|rule| comes_alive(rule)) {
                out.note(format_args!("comes alive: {}", text(rule, "id")));
            }
        }
    }
    fleet.confirm(out, "resume")?;
    let body = json!({ "reason": args.reason.join(" ") });
    let pairs = fleet.clients.iter().zip(lists);
    let resumed = pairs.map(|(client, list)| go_on(client, out, list, body.clone()));
    let resumed = join_all(resumed).await;
    Ok(fleet.report(out, resumed, told))
}

/// Resumes one endpoint, if what comes alive is what was shown.
async fn go_on(
    client: &Client,
    out: &Output,
    list: Result<RuleList, Failure>,
    body: Value,
) -> Result<Value, Failure> {
    let list = list?;
    let request = Request::post(&["v1", "resume"], body);
    match client.send(request.if_match(list.etag.as_deref())).await {
        Ok(answer) => Ok(answer.with("state")?.body),
        Err(failure) => {
            meanwhile::tell(client, out, &list, &failure).await;
            Err(failure)
        }
    }
}

/// Returns whether a rule injects again after a resume.
fn comes_alive(rule: &Value) -> bool {
    rule["enabled"] != false && !has_ended(rule)
}

pub(super) async fn acknowledge(fleet: &Fleet, out: &Output, args: &ReasonArgs) -> Report {
    fleet.announce(out);
    let body = json!({ "reason": args.reason.join(" ") });
    let known = fleet
        .ask(async |client: &Client| {
            let request = Request::post(&["v1", "acknowledge"], body.clone());
            Ok(client.send(request).await?.with("state")?.body)
        })
        .await;
    fleet.report(out, known, told)
}

fn told(name: &str, status: &Value) -> String {
    format!("{name}  {}", text(status, "state"))
}
