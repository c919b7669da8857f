//! `why`: what becomes of the calls at the sites of a rule, while it looks.

use std::time::Duration;

use chaos_core::OneLine;
use serde_json::{Map, Value};

use crate::{
    args::look::WhyArgs,
    client::{
        Client,
        answer::{number, text},
        live::Live,
        request::Request,
        rule_list::RuleList,
    },
    commands::look::show::find,
    failure::Failure,
    fleet::{Fleet, Report},
    output::{Output, time},
};

/// The longest that a port counts before it answers.
const LONGEST: Duration = Duration::from_secs(8);

pub(in crate::commands) async fn run(
    fleet: &Fleet,
    out: &Output,
    args: &WhyArgs,
) -> Result<Report, Failure> {
    let length = *args.length;
    if length > LONGEST {
        return Err(Failure::usage("the time is too long").at("--for", "at most 8s"));
    }
    let answers = fleet
        .ask(async |client: &Client| ask(client, &args.id, length).await)
        .await;
    let several = fleet.clients.len() > 1;
    Ok(fleet.report(out, answers, |name, why| match several {
        true => format!("{name}\n{}", shown(why)),
        false => shown(why),
    }))
}

/// Watches the sites of a rule, and asks what becomes of their calls.
async fn ask(client: &Client, id: &str, length: Duration) -> Result<Value, Failure> {
    let list = RuleList::read(client).await?;
    let site = text(find(&list, id)?, "site").to_owned();
    // The port counts all calls of a site for as long as somebody watches. Without a watch, which may be refused for want of
    // places, it still has the rule's own counts.
    let _live = Live::watch(client, &[site]).await;
    let request = Request::get(&["v1", "rules", id, "why"])
        .query("for", length.as_secs_f64().to_string())
        .answered_after(length);
    Ok(client.send(request).await?.with("total")?.body)
}

/// Returns the lines for people.
fn shown(why: &Value) -> String {
    let sites = why["sites"].as_array().into_iter().flatten();
    let mut lines: Vec<_> = sites.clone().map(|it| site(it, why)).collect();
    let mut add = |label: &str, calls: u64, rest: String| {
        let line = format!("  {label:<12}{calls:>7}  {rest}");
        lines.push(line.trim_end().to_owned());
    };
    let counted = &why["counted"];
    if !counted.is_null() {
        if let Some(calls) = why["not_matched"].as_u64() {
            add("not matched", calls, conditions(sites));
        }
        add("not drawn", number(counted, "not_drawn"), String::new());
        let (spared, limits) = spared(counted);
        add("spared", spared, limits);
        add("would hit", number(counted, "shadowed"), String::new());
        add("hit", number(counted, "injected"), String::new());
    }
    let total = &why["total"];
    lines.push(format!(
        "in all: {} matched, {} not drawn, {} spared, {} would be hit, {} hit{}",
        number(total, "matched"),
        number(total, "not_drawn"),
        spared(total).0,
        number(total, "shadowed"),
        number(total, "injected"),
        match why["exempt"] == true {
            true => "; some were exempt",
            false => "",
        },
    ));
    lines.extend(why["advice"].as_str().map(str::to_owned));
    let lines = lines.iter().map(|line| OneLine(line).to_string());
    lines.collect::<Vec<_>>().join("\n")
}

fn site(site: &Value, why: &Value) -> String {
    let name = text(site, "site");
    let calls = match site["calls"].as_u64() {
        Some(calls) => {
            let seconds = why["seconds"].as_f64().unwrap_or_default();
            format!("{calls} calls in {}", time::length(seconds))
        }
        None => "not watched".to_owned(),
    };
    let obstacles = site["obstacles"].as_array().into_iter().flatten();
    let obstacles = obstacles.filter_map(Value::as_str);
    let obstacles: String = obstacles
        .map(|obstacle| format!("; {}", obstacle.replace('_', " ")))
        .collect();
    format!("{name}  {calls}{obstacles}")
}

/// Returns which conditions calls have failed first, at all sites: `of 96 compared: match.path 71, match.method 19`.
fn conditions<'s>(sites: impl Iterator<Item = &'s Value>) -> String {
    let (mut compared, mut first) = (0, Map::new());
    for mismatches in sites.map(|site| &site["mismatches"]) {
        compared += number(mismatches, "compared");
        for (field, calls) in mismatches["first"].as_object().into_iter().flatten() {
            let sum = first.get(field).and_then(Value::as_u64).unwrap_or_default();
            let calls = calls.as_u64().unwrap_or_default();
            first.insert(field.clone(), (sum + calls).into());
        }
    }
    match first.is_empty() {
        true => String::new(),
        false => format!("of {compared} compared: {}", most_first(&first)),
    }
}

/// Returns how many calls limits have spared, and which.
fn spared(counts: &Value) -> (u64, String) {
    let Some(limits) = counts["overflow"].as_object() else {
        return (0, String::new());
    };
    let calls = limits.values().filter_map(Value::as_u64);
    (calls.sum(), most_first(limits))
}

/// Returns names with their numbers, the greatest first.
fn most_first(numbers: &Map<String, Value>) -> String {
    let mut all: Vec<_> = numbers
        .iter()
        .map(|(name, number)| (number.as_u64().unwrap_or_default(), name))
        .collect();
    all.sort_by(|(a, _), (b, _)| b.cmp(a));
    let all: Vec<_> = all.iter().map(|(n, name)| format!("{name} {n}")).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_group_of_calls_is_a_line() {
        let counts = json!({
            "matched": 12, "not_drawn": 7, "overflow": { "limit": 1, "max_active": 2 }, "injected": 2, "shadowed": 0,
        });
        let first = json!({ "match.method": 19, "match.path": 71 });
        let mut why = json!({
            "rule": "a",
            "seconds": 2.004,
            "sites": [
                { "site": "http.server", "calls": 230, "mismatches": { "compared": 96, "first": first }, "obstacles": [] },
                { "site": "http.stock", "calls": 10, "mismatches": null, "obstacles": ["limit_used_up"] },
            ],
            "not_matched": 228,
            "counted": counts,
            "total": counts,
            "exempt": false,
            "advice": null,
        });
        let expected = "http.server  230 calls in 2 s\n\
                        http.stock  10 calls in 2 s; limit used up\n  \
                          not matched     228  of 96 compared: match.path 71, match.method 19\n  \
                          not drawn         7\n  \
                          spared            3  max_active 2, limit 1\n  \
                          would hit         0\n  \
                          hit               2\n\
                        in all: 12 matched, 7 not drawn, 3 spared, 0 would be hit, 2 hit";
        assert_eq!(shown(&why), expected);

        why["sites"] =
            json!([{ "site": "db.pool", "calls": null, "mismatches": null, "obstacles": [] }]);
        why["not_matched"] = Value::Null;
        why["counted"] = Value::Null;
        why["exempt"] = true.into();
        why["advice"] = "watch it".into();
        let expected = "db.pool  not watched\n\
                        in all: 12 matched, 7 not drawn, 3 spared, 0 would be hit, 2 hit; some were exempt\n\
                        watch it";
        assert_eq!(shown(&why), expected);
    }
}
