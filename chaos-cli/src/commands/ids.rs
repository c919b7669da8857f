//! `on`, `off` and `rm`: rules by their ids.

use serde_json::{Value, json};

use crate::{
    args::change::{IdsArgs, RemoveArgs},
    client::{
        answer::text,
        rule_list::{RuleList, has_ended},
    },
    commands::look::show::unknown,
    edit::{Edit, Terms, all_or_none},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
    rule::as_command::as_written,
};

pub(super) async fn switch(
    fleet: &Fleet,
    out: &Output,
    args: &IdsArgs,
    on: bool,
) -> Result<Report, Failure> {
    let word = if on { "on" } else { "off" };
    match on {
        true => fleet.confirm(out, &format!("{word} {}", args.ids.join(", ")))?,
        false => fleet.announce(out),
    }
    let edit_of = |id: &String, rule: &Value| match on && has_ended(rule) {
        // Only a write of the whole rule arms it anew.
        true => {
            let mut rule = as_written(rule);
            rule["enabled"] = true.into();
            Edit::Put {
                id: id.clone(),
                rule,
            }
        }
        false => Edit::Patch {
            id: id.clone(),
            patch: json!({ "enabled": on }),
        },
    };
    edit(fleet, out, args.reason.as_deref(), &args.ids, edit_of, word).await
}

pub(super) async fn remove(
    fleet: &Fleet,
    out: &Output,
    args: &RemoveArgs,
) -> Result<Report, Failure> {
    let reason = args.reason.as_deref();
    if args.all {
        let question = "delete all rules";
        match &fleet.production {
            Some(_) => fleet.confirm(out, question)?,
            None if fleet.yes => {}
            None => out.confirm(&format!("{question}?"))?,
        }
        let lists = fleet.ask(RuleList::read).await;
        let terms = Terms {
            reason,
            ..Terms::default()
        };
        let none = |_: &RuleList| Ok(vec![Edit::Replace { rules: Vec::new() }]);
        let report = all_or_none(fleet, out, terms, lists, none).await;
        if report.exit == Exit::Done {
            out.text("deleted all rules");
        }
        return Ok(report);
    }
    fleet.announce(out);
    let remove = |id: &String, _: &Value| Edit::Remove { id: id.clone() };
    edit(fleet, out, reason, &args.ids, remove, "deleted").await
}

/// Makes edits of rules that must be there.
async fn edit(
    fleet: &Fleet,
    out: &Output,
    reason: Option<&str>,
    ids: &[String],
    edit_of: impl Fn(&String, &Value) -> Edit,
    done: &str,
) -> Result<Report, Failure> {
    // A rule that is named twice is edited once.
    let mut once: Vec<&String> = Vec::new();
    for id in ids {
        if !once.contains(&id) {
            once.push(id);
        }
    }
    let ids = once;
    let lists = fleet.ask(RuleList::read).await;
    let terms = Terms {
        reason,
        ..Terms::default()
    };
    let plan = |list: &RuleList| {
        let edits = ids.iter().map(|&id| match list.find(id) {
            Some(rule) => Ok(edit_of(id, rule)),
            None => Err(unknown(id, list.rules.iter().map(|rule| text(rule, "id")))),
        });
        edits.collect()
    };
    let report = all_or_none(fleet, out, terms, lists, plan).await;
    if report.exit == Exit::Done {
        for id in ids {
            out.text(format_args!("{id} {done}"));
        }
    }
    Ok(report)
}
