//! `explain`: what a rule would do with a call, and why.

use serde_json::{Map, Value, json};

use crate::{
    args::look::ExplainArgs,
    client::{Client, answer::text, request::Request, rule_list::RuleList},
    commands::look::show::find,
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::Output,
    rule::from_args::pairs,
};

pub(in crate::commands) async fn run(
    fleet: &Fleet,
    out: &Output,
    args: &ExplainArgs,
) -> Result<Report, Failure> {
    let call = call(args)?;
    let explained = fleet
        .ask(async |client: &Client| explain(client, args, call.clone()).await)
        .await;
    let several = fleet.clients.len() > 1;
    Ok(
        fleet.report(out, explained, |name, explained| match several {
            true => format!("{name}  {}", sentence(explained)),
            false => sentence(explained),
        }),
    )
}

/// Returns the call of the arguments.
fn call(args: &ExplainArgs) -> Result<Map<String, Value>, Failure> {
    let mut call = pairs([&args.headers, &args.query, &args.label])?;
    for (name, value) in [
        ("method", &args.method),
        ("path", &args.path),
        ("host", &args.host),
    ] {
        if let Some(value) = value {
            call.insert(name.to_owned(), json!(value));
        }
    }
    Ok(call)
}

async fn explain(
    client: &Client,
    args: &ExplainArgs,
    mut call: Map<String, Value>,
) -> Result<Value, Failure> {
    let list = RuleList::read(client).await?;
    let rule = find(&list, &args.id)?;
    if let Some(value) = &args.key {
        add_key(&mut call, text(rule, "key"), value)?;
    }
    let known = || rule["sites"].as_array()?.first()?.as_str();
    let site = args.site.as_deref().or_else(known);
    let site = site.unwrap_or(text(rule, "site"));
    let question = json!({ "site": site, "call": call });
    let answer = client
        .send(Request::post(&["v1", "explain"], question))
        .await?
        .with("rules")?;
    let rules = answer.body["rules"].as_array().into_iter().flatten();
    let mut rules = rules.filter(|explained| explained["rule"] == args.id.as_str());
    rules.next().cloned().ok_or_else(|| {
        let detail = format!("the rule does not aim at {site}");
        Failure::new(Exit::Refused, detail).at("--site", text(rule, "site"))
    })
}

/// Adds the key by which a rule decides to a call.
fn add_key(call: &mut Map<String, Value>, key: &str, value: &str) -> Result<(), Failure> {
    let (place, name) = match key.split_once(':') {
        Some(("header", name)) => ("headers", name),
        Some(("query", name)) => ("query", name),
        Some(("label", name)) => ("labels", name),
        _ => {
            let failure = Failure::usage("the rule decides by no header, parameter or label");
            return Err(failure.at("--key", "none for this rule"));
        }
    };
    let fields = call.entry(place).or_insert_with(|| json!({}));
    fields[name] = value.into();
    Ok(())
}

/// Says it in one line: `matches, and is left alone: key header:x-user-id=carol draws 0.71, hit below 0.30`.
fn sentence(explained: &Value) -> String {
    let matches = explained["matches"] == true;
    let verdict = match explained["hits"].as_bool() {
        Some(true) => "is hit",
        Some(false) => "is left alone",
        None => "is hit by chance, or by what other calls there are",
    };
    let mut reasons = Vec::new();
    for mismatch in explained["mismatches"].as_array().into_iter().flatten() {
        let got = mismatch["got"].as_array().into_iter().flatten();
        let got: Vec<_> = got.map(Value::to_string).collect();
        let got = match got.is_empty() {
            true => "nothing".to_owned(),
            false => got.join(", "),
        };
        let (field, wanted) = (text(mismatch, "field"), &mismatch["wanted"]);
        reasons.push(format!("{field} wants {wanted}, got {got}"));
    }
    for obstacle in explained["obstacles"].as_array().into_iter().flatten() {
        let obstacle = obstacle.as_str().unwrap_or_default();
        reasons.push(obstacle.replace('_', " "));
    }
    if let Some(draw) = explained["draw"].as_f64() {
        let (key, value) = (
            text(&explained["key"], "key"),
            text(&explained["key"], "value"),
        );
        let rate = explained["rate"].as_f64().unwrap_or(1.0);
        reasons.push(format!(
            "key {key}={value} draws {draw:.2}, hit below {rate:.2}"
        ));
    }
    let head = match matches {
        true => format!("matches, and {verdict}"),
        false => "does not match".to_owned(),
    };
    let line = match reasons.is_empty() {
        true => head,
        false => format!("{head}: {}", reasons.join("; ")),
    };
    chaos_core::OneLine(&line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_one_line() {
        for (explained, expected) in [
            (
                json!({ "matches": true, "mismatches": [], "obstacles": [], "hits": false, "draw": 0.714, "rate": 0.3,
                        "key": { "key": "header:x-user-id", "value": "carol" } }),
                "matches, and is left alone: key header:x-user-id=carol draws 0.71, hit below 0.30",
            ),
            (
                json!({ "matches": false, "obstacles": ["halted"], "hits": false, "draw": null, "rate": 1,
                        "mismatches": [{ "field": "match.method", "wanted": "POST", "got": ["GET"] }] }),
                "does not match: match.method wants \"POST\", got \"GET\"; halted",
            ),
            (
                json!({ "matches": true, "mismatches": [], "obstacles": [], "hits": true, "draw": null, "rate": 1 }),
                "matches, and is hit",
            ),
        ] {
            assert_eq!(sentence(&explained), expected);
        }
    }

    #[test]
    fn a_key_is_where_the_rule_looks_for_it() {
        let mut call = Map::new();
        add_key(&mut call, "header:x-user-id", "carol").unwrap();
        add_key(&mut call, "label:table", "orders").unwrap();
        let expected =
            json!({ "headers": { "x-user-id": "carol" }, "labels": { "table": "orders" } });
        assert_eq!(Value::from(call), expected);
        assert!(add_key(&mut Map::new(), "", "x").is_err());
    }
}
