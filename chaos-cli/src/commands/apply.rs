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
        let mut lines: Vec<_> = changed.iter().map(|(_, lines)| lines.clone()).collect();
        let moved = moved(list, &rules);
        if args.prune && !moved.is_empty() {
            let order: Vec<_> = rules.iter().map(|rule| text(rule, "id")).collect();
            lines.push(format!("  order: {}", order.join(", ")));
            changes.extend(moved.into_iter().map(str::to_owned));
        }
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
    for rule in rules.iter().filter(|rule| is_armed_anew(list, rule)) {
        const TOLD: &str = "\n    had ended, and is armed anew";
        let id = text(rule, "id");
        match changed.iter_mut().find(|(other, _)| other == id) {
            Some((_, lines)) => *lines += TOLD,
            None => changed.push((id.to_owned(), format!("  {id}{TOLD}"))),
        }
    }
    changed
}

/// Returns whether a rule is there, has ended, and is to inject again, be it changed or not.
fn is_armed_anew(list: &RuleList, rule: &Value) -> bool {
    let before = list.find(text(rule, "id"));
    rule["enabled"] != false && before.is_some_and(has_ended)
}

/// Returns the ids that have another place among the rules that are both here and in the file.
fn moved<'r>(list: &'r RuleList, rules: &[Value]) -> Vec<&'r str> {
    let places = rules.iter().filter_map(|rule| list.find(text(rule, "id")));
    let is_named = |rule: &&Value| rules.iter().any(|other| other["id"] == rule["id"]);
    let before = list.rules.iter().filter(is_named);
    let pairs = before.zip(places);
    let moved = pairs.filter(|(before, after)| before["id"] != after["id"]);
    moved.map(|(before, _)| text(before, "id")).collect()
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
        let differs = !difference::between(&list.rules, rules).is_empty();
        let is_other = differs || !moved(list, rules).is_empty();
        // A list arms no rule anew that has ended.
        let anew = rules.iter().filter(|rule| is_armed_anew(list, rule));
        let whole = is_other.then_some(whole).into_iter();
        return whole.chain(anew.map(put)).collect();
    }
    let changed = rules.iter().filter(|rule| {
        let before = list.find(text(rule, "id"));
        difference::lines(before, Some(rule)).is_some() || is_armed_anew(list, rule)
    });
    changed.map(put).collect()
}
