//! `token`: signs a token that carries rules with the requests that present it.

use serde_json::{Value, json};

use crate::{
    args::aim::{RuleArgs, TokenArgs},
    client::{Client, answer::text, request::Request},
    commands::{child::Child, signals::Signals},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
    rule::{file, from_args},
};

/// The variable in which a command gets the token.
const VARIABLE: &str = "CHAOS_TOKEN";

/// Prints a token of each endpoint, alone on its line; or runs a command with the token of the only endpoint.
pub(super) async fn run(fleet: &Fleet, out: &Output, args: &TokenArgs) -> Result<Report, Failure> {
    if !args.command.is_empty() {
        check(fleet, out)?;
    }
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
    let token = signed.first().and_then(|body| body.as_ref().ok());
    match token.map(|body| text(body, "token").to_owned()) {
        Some(token) if !args.command.is_empty() => run_with(&args.command, &token, out).await,
        _ => Ok(fleet.report(out, signed, |_, body| text(body, "token").to_owned())),
    }
}

/// Checks that there is one token, and that standard output is the command's.
fn check(fleet: &Fleet, out: &Output) -> Result<(), Failure> {
    if out.is_json() {
        let failure = Failure::usage("what is printed is what the command prints");
        return Err(failure.at("--json", "no --json with a command"));
    }
    match fleet.clients.len() {
        1 => Ok(()),
        _ => {
            let failure = Failure::usage("each endpoint signs a token of its own");
            Err(failure.at("--endpoint", "one endpoint with a command"))
        }
    }
}

/// Runs a command with the token, and returns its exit code. A signal ends it.
async fn run_with(command: &[String], token: &str, out: &Output) -> Result<Report, Failure> {
    let mut signals = Signals::new()?;
    let mut child = Child::spawn_with(command, &[(VARIABLE, token)], out)?;
    let code = tokio::select! {
        biased;
        code = signals.next() => code,
        code = Child::ended(&mut child) => code,
    };
    Ok(Report::printed(Exit::Other(code)))
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
