//! `arm`: makes rules from the short form.

use serde_json::{Value, json};

use crate::{
    args::aim::{ArmArgs, RuleFormatArg},
    client::{answer::text, rule_list::RuleList},
    edit::{Edit, Terms, all_or_none},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::{Output, time},
    rule::{file, from_args::rules},
};

/// How often an id is drawn while others make rules of the same site.
const TRIES: u32 = 32;

/// Prints the rules, and asks no endpoint.
pub(super) fn print(
    args: &ArmArgs,
    format: RuleFormatArg,
    out: &Output,
) -> Result<Report, Failure> {
    let document = json!({ "rules": rules(&args.rule, |_| true)? });
    match format {
        _ if out.is_json() => out.json(&document),
        RuleFormatArg::Json => out.print(format_args!("{document:#}")),
        RuleFormatArg::Toml => out.print(file::to_toml(&document)?),
        RuleFormatArg::Yaml => out.print(file::to_yaml(&document)?),
    }
    Ok(Report::printed(Exit::Done))
}

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &ArmArgs) -> Result<Report, Failure> {
    // A slip is found before anything is asked.
    rules(&args.rule, |_| true)?;
    if !args.dry_run {
        fleet.confirm(out, &format!("arm {}", args.rule.short))?;
    }
    let (mut tries, mut taken) = (0..TRIES, Vec::new());
    loop {
        tries.next();
        // Without an id of the operator's, the next one is free.
        let again = args.rule.id.is_none() && !tries.is_empty();
        let report = make(fleet, out, args, again, &mut taken).await?;
        // What is not printed is tried again.
        if !again || report.exit != Exit::Changed || report.documents.is_some() {
            return Ok(report);
        }
    }
}

/// Makes the rules, with ids that are not `taken`, and adds theirs to it.
async fn make(
    fleet: &Fleet,
    out: &Output,
    args: &ArmArgs,
    again: bool,
    taken: &mut Vec<String>,
) -> Result<Report, Failure> {
    let lists = fleet.ask(RuleList::read).await;
    let is_free = |id: &str| {
        let mut lists = lists.iter().flatten();
        lists.all(|list| list.find(id).is_none())
    };
    let rules = rules(&args.rule, |id| {
        is_free(id) && !taken.iter().any(|other| other == id)
    })?;
    taken.extend(rules.iter().map(|rule| text(rule, "id").to_owned()));
    let are_new: Vec<_> = rules.iter().map(|rule| is_free(text(rule, "id"))).collect();
    let edits: Vec<_> = rules
        .iter()
        .map(|rule| Edit::Put {
            id: text(rule, "id").to_owned(),
            rule: rule.clone(),
        })
        .collect();
    let terms = Terms {
        reason: None,
        dry_run: args.dry_run,
        strict: args.strict,
        again,
    };
    let report = all_or_none(fleet, out, terms, lists, |_| Ok(edits.clone())).await;
    if report.exit == Exit::Done && !args.dry_run {
        for made in report.answers() {
            let at = rules.iter().position(|rule| rule["id"] == made["id"]);
            out.text(told(made, at.is_none_or(|at| are_new[at])));
        }
    }
    Ok(report)
}

/// Says what was made or replaced, and until when it lasts.
fn told(rule: &Value, is_new: bool) -> String {
    let ends = match rule["stats"]["expires_in"].as_f64() {
        Some(seconds) => format!("ends in {}", time::length(seconds)),
        None => "has no end".to_owned(),
    };
    let id = text(rule, "id");
    match is_new {
        true => format!("made {id}, {ends}; delete it: chaosctl rm {id}"),
        false => format!("replaced {id}, {ends}; put it back: chaosctl undo"),
    }
}
