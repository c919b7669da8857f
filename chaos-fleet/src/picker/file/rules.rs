//! What a pick injects: a fault in the short form, or rules in the form of every other file.

use std::{collections::BTreeSet, time::Duration};

use chaos_core::{Rule, RuleError, wire};
use serde_json::{Map, Number, Value as Json, json};
use toml::Value;

use super::fields::Fields;
use crate::error::Refusal;

const MOST_RULES: usize = 100;

/// What a rule of a pick does not say itself, and the field of the pick that says it.
const FOR_THE_PICK: [(&str, &str); 2] = [("ttl", "ttl"), ("mode", "leashed")];

/// Reads the rules of a pick, from `fault` or from `rules`.
pub(super) fn rules(
    fields: &mut Fields,
    name: &str,
    ttl: Duration,
    is_leashed: bool,
) -> Result<Vec<Rule>, Refusal> {
    let (fault, rules) = (fields.text("fault")?, fields.take("rules"));
    let settle = |rules| settled(rules, name, ttl, is_leashed);
    match (fault, rules) {
        (Some(_), Some(_)) => Err(fields.refuse("rules", "`fault` is there, too")),
        (None, None) => Err(fields.missing("fault")),
        (Some(fault), None) => {
            let rules = short(&fault).and_then(settle);
            rules.map_err(|error| error.moved_to("fault"))
        }
        (None, Some(Value::Array(rules))) => {
            if !(1..=MOST_RULES).contains(&rules.len()) {
                return Err(fields.refuse("rules", format!("{} rules", rules.len())));
            }
            let rules = rules.into_iter().enumerate();
            let rules = rules.map(|(at, rule)| written(rule, &format!("rules[{at}]")));
            settle(rules.collect::<Result<_, _>>()?)
        }
        (None, Some(_)) => Err(fields.refuse("rules", "not a list")),
    }
}

/// Reads the short form. Without a site, it is meant for every site.
fn short(fault: &str) -> Result<Vec<Map<String, Json>>, Refusal> {
    let site = fault.find(['=', '(', '"', '{']);
    let has_site = site.is_some_and(|at| fault[at..].starts_with('='));
    let rules = match has_site {
        true => wire::rules_from_short(fault),
        false => wire::rules_from_short(&format!("**={fault}")),
    };
    let rules = rules.map_err(|error| of_rule(&error))?;
    if rules.is_empty() {
        return Err(Refusal::new("", "it arms no rule", "at least one fault"));
    }
    let object = |rule: &Rule| match wire::rule_to_value(rule) {
        // The names of the short form are meant for an environment.
        Json::Object(mut rule) => {
            rule.remove("id");
            rule.remove("ttl");
            rule
        }
        _ => Map::new(),
    };
    Ok(rules.iter().map(object).collect())
}

/// Reads a rule of the file, which has yet to get what is said for the whole pick.
fn written(rule: Value, path: &str) -> Result<Map<String, Json>, Refusal> {
    let Json::Object(rule) = json(rule, path)? else {
        return Err(Refusal::new(path, "not a table", "a rule"));
    };
    for (field, of_pick) in FOR_THE_PICK {
        if rule.contains_key(field) {
            let path = format!("{path}.{field}");
            let problem = "the pick says it for all of its rules";
            return Err(Refusal::new(
                path,
                problem,
                format!("`{of_pick}` of the pick"),
            ));
        }
    }
    Ok(rule)
}

/// Gives rules the ttl and the mode of the pick, and an id if they have none.
fn settled(
    rules: Vec<Map<String, Json>>,
    name: &str,
    ttl: Duration,
    is_leashed: bool,
) -> Result<Vec<Rule>, Refusal> {
    let settle = |(at, mut rule): (usize, Map<String, Json>)| {
        let id = || format!("{name}.{}", at + 1).into();
        rule.entry("id").or_insert_with(id);
        let ttl = humantime::format_duration(ttl).to_string();
        rule.insert("ttl".to_owned(), ttl.into());
        if is_leashed {
            rule.insert("mode".to_owned(), "shadow".into());
        }
        Json::Object(rule)
    };
    let rules: Vec<_> = rules.into_iter().enumerate().map(settle).collect();
    let document = json!({ "rules": rules }).to_string();
    let rules = wire::rules_from_json(document.as_bytes()).map_err(|error| of_rule(&error))?;
    let mut ids = BTreeSet::new();
    for (at, rule) in rules.iter().enumerate() {
        if !ids.insert(rule.id().as_str()) {
            let problem = format!("`{}` occurs twice", rule.id());
            let path = format!("rules[{at}].id");
            return Err(Refusal::new(path, problem, "an id that no other rule has"));
        }
    }
    Ok(rules)
}

/// Leaves out the id of the rule, which may be one that was made here.
fn of_rule(error: &RuleError) -> Refusal {
    Refusal::new(error.field(), error.problem(), error.allowed())
}

/// Converts a value to JSON, and refuses what JSON does not have.
fn json(value: Value, path: &str) -> Result<Json, Refusal> {
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Boolean(flag) => flag.into(),
        Value::Float(number) => match Number::from_f64(number) {
            Some(number) => number.into(),
            None => return Err(Refusal::new(path, "not finite", "a finite number")),
        },
        Value::Datetime(_) => {
            return Err(Refusal::new(path, "a date or a time", "a text, in quotes"));
        }
        Value::Array(values) => {
            let values = values.into_iter().enumerate();
            let values = values.map(|(at, value)| json(value, &format!("{path}[{at}]")));
            Json::Array(values.collect::<Result<_, _>>()?)
        }
        Value::Table(table) => {
            let field = |(name, value): (String, Value)| {
                let value = json(value, &format!("{path}.{name}"))?;
                Ok((name, value))
            };
            let fields = table.into_iter().map(field);
            Json::Object(fields.collect::<Result<_, Refusal>>()?)
        }
    })
}
