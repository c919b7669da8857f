//! The file of picks: TOML, read into values that are allowed.

mod fields;
mod rules;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use http::Uri;
use toml::{Table, Value};

use self::fields::{Field, Fields, allowed, shown};
use crate::{
    error::Refusal,
    picker::{
        pick::{self, Pick},
        probe::{Probe, http_url},
    },
};

/// The most picks in one file.
const MOST_PICKS: usize = 1000;

const FILE: &[Field] = &[("pick", "a list of 1 to 1000 picks, each under `[[pick]]`")];

/// The fields of a pick and what each accepts: the parser, the errors and the docs.
const PICK: &[Field] = &[
    (
        "name",
        "a name of 1 to 64 of A-Z a-z 0-9 . _ -, which no other pick has",
    ),
    (
        "group_by",
        "a list of 1 to 8 names of labels, such as [\"service\", \"zone\"]",
    ),
    (
        "labels",
        "a table of at most 32 labels with their values, such as { service = \"shop\" }",
    ),
    (
        "fault",
        "a fault such as \"abort(exit)\" or \"db.*=5%latency(200ms)\", or `rules` in its place",
    ),
    (
        "rules",
        "a list of 1 to 100 rules, as in a file of rules, in the place of `fault`",
    ),
    (
        "window",
        "a table with days or hours or both, and optionally zone and holidays",
    ),
    ("ttl", "a duration such as \"10m\", 1s to 24h"),
    (
        "mean_time_between",
        "a duration such as \"16h\", 1m to 53 weeks of the window, counted while the window is open",
    ),
    (
        "min_time_between",
        "a duration such as \"8h\", less than mean_time_between, counted while the window is open",
    ),
    ("at_most", "a whole number of picks a day, 1 to 1000"),
    ("probability", "a number above 0 and at most 1"),
    ("leashed", "true or false"),
    (
        "probe",
        "a URL such as \"http://shop:8080/health\", or a table with url and optionally status",
    ),
    (
        "webhooks",
        "a list of at most 16 URLs, such as [\"http://chat:8080/picks\"]",
    ),
    ("seed", "a whole number from 0 to 2^63 - 1"),
];

const PROBE: &[Field] = &[
    ("url", "a URL such as \"http://shop:8080/health\""),
    ("status", "a whole number from 200 to 599"),
];

const MOST_WEBHOOKS: usize = 16;
const MOST_LABELS: usize = 32;
const MOST_GROUP_LABELS: usize = 8;
const LONGEST_NAME: usize = 64;

/// Reads a file of picks from TOML.
///
/// ```
/// let picks = chaos_fleet::picker::picks_from_toml(
///     r#"
///     [[pick]]
///     group_by = ["service", "zone"]
///     fault = "abort(exit)"
///     window = { days = "mon-fri", hours = "09:00-17:00", zone = "Europe/Berlin" }
///     "#,
/// )?;
/// assert_eq!(picks[0].name(), "service-zone");
/// assert!(picks[0].is_leashed());
/// # Ok::<(), chaos_fleet::Refusal>(())
/// ```
///
/// # Errors
/// Returns an error if the text is not TOML, has an unknown field, lacks one that is required, or has a value that is not
/// allowed. It names the field, such as `pick[0].window.zone`, or `pick[shop].window.zone` if the pick has a name, and what
/// is allowed.
pub fn picks_from_toml(text: &str) -> Result<Vec<Pick>, Refusal> {
    let table: Table = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    let mut file = Fields::new("", table, FILE)?;
    let Some(Value::Array(picks)) = file.take("pick") else {
        return Err(file.refuse("pick", "no list of picks"));
    };
    if !(1..=MOST_PICKS).contains(&picks.len()) {
        return Err(file.refuse("pick", format!("{} picks", picks.len())));
    }
    let mut names = BTreeSet::new();
    let read = |(at, value): (usize, Value)| {
        let name = value.get("name").and_then(Value::as_str);
        let place = match name {
            Some(name) => format!("pick[{name}]"),
            None => format!("pick[{at}]"),
        };
        let Value::Table(table) = value else {
            return Err(Refusal::new(place, "not a table", allowed(FILE, "pick")));
        };
        let pick = pick_of(table).map_err(|error| error.under(&place))?;
        if !names.insert(pick.name.clone()) {
            let problem = format!("two picks are named {:?}", pick.name);
            let error = Refusal::new("name", problem, allowed(PICK, "name"));
            return Err(error.under(&place));
        }
        Ok(pick)
    };
    picks.into_iter().enumerate().map(read).collect()
}

/// Says where the text is no TOML.
fn syntax(text: &str, error: &toml::de::Error) -> Refusal {
    let problem = error.message().lines().next().unwrap_or_default();
    let before = error.span().and_then(|span| text.get(..span.start));
    let problem = match before {
        Some(before) => format!("line {}: {problem}", before.matches('\n').count() + 1),
        None => problem.to_owned(),
    };
    Refusal::new("", problem, "TOML with a list of `[[pick]]`")
}

fn pick_of(table: Table) -> Result<Pick, Refusal> {
    let mut fields = Fields::new("", table, PICK)?;
    let group_by = group_by(&mut fields)?;
    let name = name(&mut fields, &group_by)?;
    let labels = labels(&mut fields)?;
    let ttl = schedule::ttl(&mut fields)?;
    let is_leashed = fields.flag("leashed")?.unwrap_or(true);
    let rules = rules::rules(&mut fields, &name, ttl, is_leashed)?;
    let calendar = schedule::calendar(&mut fields)?;
    let (mean, min) = schedule::mean_and_min(&mut fields, &calendar)?;
    let at_most = fields.whole("at_most", 1, 1000)?;
    let probability = fields.number("probability")?.unwrap_or(1.0);
    if !(probability > 0.0 && probability <= 1.0) {
        return Err(fields.refuse("probability", format!("{probability} is no probability")));
    }
    let probe = probe(&mut fields)?;
    let webhooks = webhooks(&mut fields)?;
    Ok(Pick {
        faults: pick::kinds(&rules),
        name,
        group_by,
        labels,
        rules,
        calendar,
        ttl,
        mean,
        min,
        at_most: at_most.and_then(|most| most.try_into().ok()),
        probability,
        is_leashed,
        probe,
        webhooks,
        seed: fields.whole("seed", 0, i64::MAX as u64)?,
    })
}

fn group_by(fields: &mut Fields) -> Result<Vec<String>, Refusal> {
    let Some(value) = fields.take("group_by") else {
        return Err(fields.missing("group_by"));
    };
    let Value::Array(values) = value else {
        return Err(fields.refuse("group_by", "not a list"));
    };
    if !(1..=MOST_GROUP_LABELS).contains(&values.len()) {
        return Err(fields.refuse("group_by", format!("{} labels", values.len())));
    }
    let mut names = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::String(name) if names.contains(&name) => {
                return Err(fields.refuse("group_by", format!("{name:?} occurs twice")));
            }
            Value::String(name) if !name.is_empty() => names.push(name),
            value => {
                return Err(fields.refuse(
                    "group_by",
                    format!("{} is no name of a label", shown(&value)),
                ));
            }
        }
    }
    Ok(names)
}

/// Reads the name, or makes one of the labels that the pick groups by.
fn name(fields: &mut Fields, group_by: &[String]) -> Result<String, Refusal> {
    let name = fields.text("name")?;
    let name = name.unwrap_or_else(|| group_by.join("-"));
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_fine) {
        true => Ok(name),
        false => Err(fields.refuse("name", format!("{name:?} is no name"))),
    }
}

fn labels(fields: &mut Fields) -> Result<BTreeMap<String, String>, Refusal> {
    let table = match fields.take("labels") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Table(table)) => table,
        Some(_) => return Err(fields.refuse("labels", "not a table")),
    };
    if table.len() > MOST_LABELS {
        return Err(fields.refuse("labels", format!("{} labels", table.len())));
    }
    let label = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, value)),
        _ => Err(fields.refuse("labels", format!("{name:?} has no text for a value"))),
    };
    table.into_iter().map(label).collect()
}

fn probe(fields: &mut Fields) -> Result<Option<Probe>, Refusal> {
    let (url, status) = match fields.take("probe") {
        None => return Ok(None),
        Some(Value::String(url)) => (url, None),
        Some(Value::Table(table)) => {
            let mut probe = Fields::new("probe", table, PROBE)?;
            let Some(url) = probe.text("url")? else {
                return Err(probe.missing("url"));
            };
            (url, probe.whole("status", 200, 599)?)
        }
        Some(_) => return Err(fields.refuse("probe", "neither a text nor a table")),
    };
    let status = status.and_then(|status| status.try_into().ok());
    let probe = Probe::new(&url, status.unwrap_or(Probe::DEFAULT_STATUS));
    match probe {
        Some(probe) => Ok(Some(probe)),
        None => Err(fields.refuse("probe", format!("{url:?} is no URL of an HTTP server"))),
    }
}

fn webhooks(fields: &mut Fields) -> Result<Vec<Uri>, Refusal> {
    let urls = match fields.take("webhooks") {
        None => return Ok(Vec::new()),
        Some(Value::Array(urls)) => urls,
        Some(_) => return Err(fields.refuse("webhooks", "not a list")),
    };
    if urls.len() > MOST_WEBHOOKS {
        return Err(fields.refuse("webhooks", format!("{} URLs", urls.len())));
    }
    let url = |value: &Value| {
        let url = value.as_str().and_then(http_url);
        let problem = || format!("{} is no URL of an HTTP server", shown(value));
        url.ok_or_else(|| fields.refuse("webhooks", problem()))
    };
    urls.iter().map(url).collect()
}
