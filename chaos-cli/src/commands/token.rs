//! `token`: signs a token that carries rules with the requests that present it.

use serde_json::{Value, json};

use crate::{
    args::aim::{RuleArgs, TokenArgs},
    client::{Client, answer::text, request::Request},
    failure::Failure,
    fleet::{Fleet, Report},
    output::Output,
    rule::{file, from_args},
};

/// Prints a token of each endpoint, alone on its line.
pub(super) async fn run(fleet: &Fleet, out: &Output, args: &TokenArgs) -> Result<Report, Failure> {
    let question = json!({
        "subject": args.subject,
        "expires_in": args.length.as_secs_f64(),
        "rules": rules(args)?,
    });
    fleet.confirm(out, "sign a token")?;
    let signed = fleet
        .ask(async |client: &Client| {
            let request = Request::post(&["v1", "tokens"], question.clone());
            Ok(client.send(request).await?.with("token")?.body)
        })
        .await;
    Ok(fleet.report(out, signed, |_, body| text(body, "token").to_owned()))
}

fn rules(args: &TokenArgs) -> Result<Vec<Value>, Failure> {
    match &args.file {
        Some(path) => file::rules(path),
        None => {
            let args = RuleArgs {
                short: args.rule.clone().unwrap_or_default(),
                ..RuleArgs::default()
            };
            from_args::rules(&args, |_| true)
        }
    }
}
