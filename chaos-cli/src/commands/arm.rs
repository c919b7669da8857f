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
    let lists = fleet.ask(RuleList::read).await;
    let is_free = |id: &str| {
        let mut lists = lists.iter().flatten();
        lists.all(|list| list.find(id).is_none())
    };
    let rules = rules(&args.rule, is_free)?;
    if !args.dry_run {
        fleet.confirm(out, &format!("arm {}", args.rule.short))?;
    }
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
    };
    let report = all_or_none(fleet, out, terms, lists, |_| Ok(edits.clone())).await;
    if report.exit == Exit::Done && !args.dry_run {
        for made in report.answers() {
            out.text(told(made));
        }
    }
    Ok(report)
}

/// Says what was made, and until when it lasts.
fn told(rule: &Value) -> String {
    let ends = match rule["stats"]["expires_in"].as_f64() {
        Some(seconds) => format!("ends in {}", time::length(seconds)),
        None => "has no end".to_owned(),
    };
    let id = text(rule, "id");
    format!("made {id}, {ends}; delete it: chaosctl rm {id}")
}
