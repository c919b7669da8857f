//! Rules from the short form and the arguments beside it.

use chaos_core::{RuleError, wire};
use serde_json::{Map, Value, json};

use crate::{args::aim::RuleArgs, failure::Failure, rule::guard};

/// Returns the rules in JSON, as the wire format writes them. A rule without an id of the operator's has one
/// that `free` accepts.
pub(crate) fn rules(args: &RuleArgs, free: impl Fn(&str) -> bool) -> Result<Vec<Value>, Failure> {
    let read = wire::rules_from_short(&args.short).map_err(|error| pointed(&args.short, &error))?;
    let alone = read.len() == 1;
    if read.is_empty() {
        let failure = Failure::usage("there is no term that injects");
        return Err(failure.at("SITE=TERMS", "at least one"));
    }
    let matching = matching(args)?;
    let guards: Result<Vec<_>, _> = args.guards.iter().map(|text| guard::read(text)).collect();
    let guards = guards?;
    let mut made: Vec<String> = Vec::new();
    let mut rules = Vec::with_capacity(read.len());
    for (at, rule) in read.iter().enumerate() {
        let mut value = wire::rule_to_value(rule);
        let id = match (&args.id, alone) {
            (Some(id), true) => id.clone(),
            (Some(id), false) => format!("{id}.{}", at + 1),
            (None, _) => {
                let is_free = |id: &str| free(id) && !made.iter().any(|other| other == id);
                free_id(rule.site().as_str(), is_free)
            }
        };
        value["id"] = id.as_str().into();
        made.push(id);
        // The terms of one site exclude each other. A rule alone is a rule like any other.
        if alone && let Some(fields) = value.as_object_mut() {
            fields.remove("final");
        }
        add(&mut value, args, &matching, &guards)?;
        rules.push(checked(value)?);
    }
    Ok(rules)
}

/// Returns the rule as the wire format writes it, or why it is none.
pub(crate) fn checked(rule: Value) -> Result<Value, Failure> {
    let rule = wire::rule_from_value(rule, None).map_err(|error| Failure::of_rule(&error))?;
    Ok(wire::rule_to_value(&rule))
}

fn free_id(site: &str, free: impl Fn(&str) -> bool) -> String {
    let parts = site.split('.').map(|part| match part {
        "*" => "any",
        "**" => "all",
        part => part,
    });
    // The longest id has 128 characters.
    let name: String = parts
        .collect::<Vec<_>>()
        .join(".")
        .chars()
        .take(100)
        .collect();
    let ids = (1_u64..).map(|number| format!("{name}-{number}"));
    let mut ids = ids.filter(|id| free(id));
    ids.next().unwrap_or(name)
}

fn add(
    rule: &mut Value,
    args: &RuleArgs,
    matching: &Map<String, Value>,
    guards: &[Value],
) -> Result<(), Failure> {
    if !matching.is_empty() {
        rule["match"] = matching.clone().into();
    }
    if !guards.is_empty() {
        rule["guards"] = guards.into();
    }
    if args.rate.is_some() && !rule["rate"].is_null() {
        let failure = Failure::usage("the term has a percentage, too");
        return Err(failure.at("--rate", "one of both"));
    }
    if args.limit.is_some() && !rule["limit"].is_null() {
        let failure = Failure::usage("the term has a count, too");
        return Err(failure.at("--limit", "one of both"));
    }
    let fields = [
        ("key", args.key.as_ref().map(|it| json!(it))),
        ("rate", args.rate.map(|it| json!(it))),
        ("seed", args.seed.map(|it| json!(it))),
        ("limit", args.limit.map(|it| json!(it))),
        ("max_active", args.max_active.map(|it| json!(it))),
        ("ttl", args.ttl.as_ref().map(|it| json!(it))),
        ("reason", args.reason.as_ref().map(|it| json!(it))),
        ("mode", args.shadow.then(|| json!("shadow"))),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            rule[name] = value;
        }
    }
    Ok(())
}

fn matching(args: &RuleArgs) -> Result<Map<String, Value>, Failure> {
    let mut matching = Map::new();
    match args.method.as_slice() {
        [] => {}
        [one] => drop(matching.insert("method".to_owned(), json!(one))),
        many => drop(matching.insert("method".to_owned(), json!(many))),
    }
    let texts = [
        ("path", &args.path),
        ("host", &args.host),
        ("grpc", &args.grpc),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            matching.insert(name.to_owned(), json!(text));
        }
    }
    let lists = [&args.headers[..], &args.query, &args.label];
    matching.extend(pairs(lists)?);
    Ok(matching)
}

/// Reads the headers, parameters and labels of a call: `name: value` and `name=value`.
pub(crate) fn pairs(lists: [&[String]; 3]) -> Result<Map<String, Value>, Failure> {
    let kinds = [
        ("headers", ':', "-H"),
        ("query", '=', "--query"),
        ("labels", '=', "--label"),
    ];
    let mut all = Map::new();
    for ((name, separator, flag), pairs) in kinds.into_iter().zip(lists) {
        let mut fields = Map::new();
        for pair in pairs {
            let (key, value) = split(pair, separator, flag)?;
            if fields.insert(key.clone(), json!(value)).is_some() {
                let failure = Failure::usage(format!("{key} occurs twice"));
                return Err(failure.at(flag, "each name once"));
            }
        }
        if !fields.is_empty() {
            all.insert(name.to_owned(), fields.into());
        }
    }
    Ok(all)
}

/// Splits `name: value` or `name=value`.
fn split(pair: &str, separator: char, flag: &str) -> Result<(String, String), Failure> {
    match pair.split_once(separator) {
        Some((name, value)) if separator == ':' => {
            Ok((name.trim().to_lowercase(), value.trim().to_owned()))
        }
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            let failure = Failure::usage(format!("{pair:?} has no `{separator}`"));
            Err(failure.at(flag, format!("NAME{separator}VALUE")))
        }
    }
}

/// Returns the failure for a short form, with a mark under the part that is wrong.
fn pointed(short: &str, error: &RuleError) -> Failure {
    Failure {
        mark: mark(short, error.field()),
        // The id is one that the operator has not written.
        rule: None,
        ..Failure::of_rule(error)
    }
}

/// Returns two lines: the short form, and carets under the part that an error names.
fn mark(short: &str, part: &str) -> Option<Box<str>> {
    let part = part.trim_end_matches('…');
    if part.is_empty() || short.chars().any(char::is_control) {
        return None;
    }
    let at = short.find(part)?;
    let before = short[..at].chars().count();
    let carets = "^".repeat(part.chars().count());
    Some(format!("  {short}\n  {}{carets}", " ".repeat(before)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(short: &str) -> RuleArgs {
        RuleArgs {
            short: short.to_owned(),
            ..RuleArgs::default()
        }
    }

    #[test]
    fn an_id_is_made_of_the_site() {
        let ids = |short: &str, taken: &[&str]| -> Vec<String> {
            let rules = rules(&args(short), |id| !taken.contains(&id)).unwrap();
            let ids = rules.iter().map(|rule| rule["id"].as_str().unwrap());
            ids.map(str::to_owned).collect()
        };
        assert_eq!(ids("db.read=error(x)", &[]), ["db.read-1"]);
        assert_eq!(ids("db.read=error(x)", &["db.read-1"]), ["db.read-2"]);
        assert_eq!(ids("db.*=error(x)", &[]), ["db.any-1"]);
        assert_eq!(ids("**=latency(1s)", &[]), ["all-1"]);
        let two = "db.read=1*error(x)->latency(1s)";
        assert_eq!(ids(two, &["db.read-1"]), ["db.read-2", "db.read-3"]);
    }

    #[test]
    fn carets_stand_under_the_slip() {
        let error = rules(&args("http.server=5%latency(200ms)+statsu(503)"), |_| true).unwrap_err();
        let expected = "  http.server=5%latency(200ms)+statsu(503)\n                               ^^^^^^^^^^^";
        let mark = error.mark.unwrap();
        let (line, carets) = mark.split_once('\n').unwrap();
        let at = line.find("statsu").unwrap();
        assert_eq!(
            carets.trim_end(),
            format!("{}{}", " ".repeat(at), "^".repeat(11))
        );
        assert_eq!(mark.len(), expected.len());
    }
}
