//! `extend` and `release`: what is done to a rule that stays as it is written.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    args::change::{ExtendArgs, ReleaseArgs},
    client::{Client, request::Request, rule_list::RuleList},
    commands::look::show::find,
    failure::{Exit, Failure},
    fleet::{Fleet, Report, exit_of},
    output::{Output, time},
};

/// Moves the deadline of a rule. An endpoint that has no such rule, or does not answer, ends it before anything
/// is changed; an extension itself cannot be tried or taken back.
pub(super) async fn run(fleet: &Fleet, out: &Output, args: &ExtendArgs) -> Result<Report, Failure> {
    if humantime::parse_duration(&args.by).is_err() {
        let failure = Failure::usage(format!("{:?} is no length of time", args.by));
        return Err(failure.at("BY", "such as 5m, or 1h 30m"));
    }
    fleet.confirm(out, &format!("extend {} by {}", args.id, args.by))?;
    let found = fleet
        .ask(async |client: &Client| {
            let list = RuleList::read(client).await?;
            find(&list, &args.id).cloned()
        })
        .await;
    if exit_of(&found) != Exit::Done {
        out.note("nothing was changed anywhere");
        return Ok(fleet.report(out, found, |name, _| format!("{name}  has the rule")));
    }
    let extended = fleet
        .ask(async |client: &Client| {
            let path = ["v1", "rules", &args.id, "extend"];
            let request = Request::post(&path, json!({ "by": args.by }));
            let answer = client.send(request.because(args.reason.as_deref())).await?;
            Ok(answer.with("stats")?.body)
        })
        .await;
    Ok(fleet.report(out, extended, |_, rule| told(&args.id, rule)))
}

fn told(id: &str, rule: &Value) -> String {
    let left = rule["stats"]["expires_in"].as_f64().unwrap_or_default();
    format!("{id} ends in {}", time::length(left))
}

pub(super) async fn release(fleet: &Fleet, out: &Output, args: &ReleaseArgs) -> Report {
    fleet.announce(out);
    let released = fleet
        .ask(async |client: &Client| {
            let path = ["v1", "rules", &args.id, "release"];
            let answer = client.send(Request::new(Method::POST, &path)).await?;
            answer.without_body()?;
            Ok(json!({ "released": args.id }))
        })
        .await;
    fleet.report(out, released, |_, _| format!("{} released", args.id))
}
