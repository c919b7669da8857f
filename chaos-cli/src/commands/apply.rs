//! `apply`: makes the rules of a file.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
};

use serde_json::Value;

use crate::{
    args::aim::ApplyArgs,
    client::{
        Client,
        answer::text,
        rule_list::{RuleList, has_ended},
    },
    edit::{Edit, Terms, all_or_none},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
    rule::{difference, file},
};

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &ApplyArgs) -> Result<Report, Failure> {
    let rules = file::rules(&args.file)?;
    let mut ids: Vec<_> = rules.iter().map(|rule| text(rule, "id")).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|two| two[0] == two[1]) {
        let failure = Failure::usage(format!("the id {} occurs twice", twice[0]));
        return Err(failure.at(args.file.display().to_string(), "each id once"));
    }
    let lists = fleet.ask(RuleList::read).await;
    let mut shown: Vec<String> = Vec::new();
    let mut changes: BTreeSet<String> = BTreeSet::new();
    for (name, list) in fleet.clients.iter().map(Client::name).zip(&lists) {
        let Ok(list) = list else { continue };
        let changed = differences(list, &rules, args.prune);
        // Endpoints that change alike are shown once.
        let lines: Vec<_> = changed.iter().map(|(_, lines)| lines.as_str()).collect();
        let text = lines.join("\n");
        changes.extend(changed.into_iter().map(|(id, _)| id));
        if !text.is_empty() && !shown.contains(&text) {
            if fleet.clients.len() > 1 {
                out.text(&name);
            }
            out.text(&text);
            shown.push(text);
        }
    }
    if !changes.is_empty() && !args.dry_run {
        ask(fleet, out, args)?;
    }
    let terms = Terms {
        reason: args.reason.as_deref(),
        dry_run: args.dry_run,
        strict: args.strict,
        ..Terms::default()
    };
    let plan = |list: &RuleList| Ok(edits(list, &rules, args.prune));
    let report = all_or_none(fleet, out, terms, lists, plan).await;
    if report.exit == Exit::Done {
        let all = fleet.clients.len();
        let stay = ids.iter().filter(|id| !changes.contains(**id)).count();
        let changed = changes.len();
        out.text(format_args!(
            "{changed} changed, {stay} as they were, on {all} of {all} endpoints"
        ));
    }
    Ok(report)
}

/// Asks where there is somebody to ask. Standard input may be the file.
fn ask(fleet: &Fleet, out: &Output, args: &ApplyArgs) -> Result<(), Failure> {
    if fleet.production.is_some() {
        return fleet.confirm(out, "apply it");
    }
    let is_stdin = args.file.as_os_str() == "-";
    match !fleet.yes && !is_stdin && io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => out.confirm("apply it?"),
        false => Ok(()),
    }
}

/// Returns the id of each rule that changes, with the lines that change.
fn differences(list: &RuleList, rules: &[Value], prune: bool) -> Vec<(String, String)> {
    let is_named = |rule: &&Value| rules.iter().any(|other| other["id"] == rule["id"]);
    let before = list.rules.iter().filter(|rule| prune || is_named(rule));
    let mut changed = difference::between(&before.cloned().collect::<Vec<_>>(), rules);
    let anew = rules.iter().filter(|rule| is_armed_anew(list, rule));
    changed.extend(anew.map(|rule| {
        let id = text(rule, "id");
        (
            id.to_owned(),
            format!("  {id}\n    had ended, and is armed anew"),
        )
    }));
    changed
}

/// Returns whether a rule is there as it is to be, and has ended.
fn is_armed_anew(list: &RuleList, rule: &Value) -> bool {
    let before = list.find(text(rule, "id"));
    before.is_some_and(has_ended) && difference::lines(before, Some(rule)).is_none()
}

/// Returns the edits that make the rules. Rules that stay as they are keep their counts.
fn edits(list: &RuleList, rules: &[Value], prune: bool) -> Vec<Edit> {
    let put = |rule: &Value| Edit::Put {
        id: text(rule, "id").to_owned(),
        rule: rule.clone(),
    };
    if prune {
        let whole = Edit::Replace {
            rules: rules.to_vec(),
        };
        // In a list, a rule that stays as it is stays ended, too.
        let anew = rules.iter().filter(|rule| is_armed_anew(list, rule));
        return std::iter::once(whole).chain(anew.map(put)).collect();
    }
    let changed = rules.iter().filter(|rule| {
        let before = list.find(text(rule, "id"));
        difference::lines(before, Some(rule)).is_some() || before.is_some_and(has_ended)
    });
    changed.map(put).collect()
}
