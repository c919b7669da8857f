//! The wire format: rules from JSON and to JSON, checked once, here.
//!
//! A document is read into plain structs that know only its shape, then turned into domain types
//! that know what is allowed. Either step names the field it failed at and what would have been
//! accepted. Nothing else in this crate knows JSON.

#[cfg(feature = "serde")]
pub(crate) mod io_kind;

mod budget;
mod choice;
mod fault;
mod form;
mod guard;
mod latency;
mod policy;
mod program;
mod schema;
mod short;
mod size;
mod text;
mod trigger;
mod window;

use std::fmt;

use http::{HeaderName, Method};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

pub(crate) use self::policy::bounds_from_json;
use self::{
    budget::BudgetDoc,
    fault::FaultDoc,
    form::{Object, duration, is_default, whole, whole_if_any},
    guard::GuardDoc,
    program::ProgramDoc,
    text::{TEXT_MATCHER, TextDoc, TextsDoc},
    trigger::{FirstAttemptsDoc, ReplayDoc, TriggerDoc},
    window::WindowDoc,
};
pub use self::{
    policy::{policy_from_json, policy_to_value},
    schema::schema,
    short::rules_from_short,
    trigger::decisions_to_value,
};
use crate::{
    error::RuleError,
    fault::Fault,
    matcher::{Matcher, text::Text},
    name::RuleId,
    rule::{Mode, Rule, lifetime::Lifetime},
};

/// Every field, and what it accepts: the text of errors, and of the documentation.
const ALLOWED: &[(&str, &str)] = &[
    ("rules", "a list of rules"),
    ("id", "1 to 128 of A-Z a-z 0-9 . _ : -"),
    (
        "site",
        "a site name, or a pattern such as `db.*` or `db.**`",
    ),
    ("reason", "a text of at most 1000 bytes"),
    ("enabled", "true or false"),
    ("mode", "\"inject\" or \"shadow\""),
    ("final", "true or false"),
    (
        "match",
        "an object with any of method, path, host, grpc, headers, query, labels",
    ),
    ("method", "an HTTP method in capitals, or a text matcher"),
    ("path", "a path such as `/products/{id}`, or a text matcher"),
    ("host", "a host without its port, or a text matcher"),
    (
        "match.grpc",
        "a method such as `shop.v1.Orders/Place`, or a text matcher",
    ),
    ("headers", "an object of header names and text matchers"),
    ("query", "an object of parameter names and text matchers"),
    ("labels", "an object of label names and text matchers"),
    ("rate", "a number from 0 to 1"),
    (
        "key",
        "header:NAME, query:NAME, path:PARAMETER of the rule's own path, label:NAME, peer or trace",
    ),
    (
        "first_attempts",
        "an object with n, and the key of a logical request",
    ),
    ("n", "a whole number, 1 or more"),
    ("replay", "an object with ordinals or keys"),
    ("ordinals", "a list of at most 10000 whole numbers"),
    (
        "keys",
        "a list of at most 10000 texts, in a rule with a key",
    ),
    ("seed", "a whole number from 0 to 2^64 - 1"),
    ("skip", "a whole number, 0 or more"),
    ("every", "a whole number, 1 or more"),
    ("limit", "a whole number, 1 or more"),
    ("max_active", "a whole number, 1 or more"),
    ("budget", "an object with share, delay or both"),
    ("share", "a number from 0 to 1"),
    (
        "delay",
        "a duration such as \"30s\", more than 0s and at most 24h: delay in any minute",
    ),
    (
        "ttl",
        "a duration such as \"10m\", more than 0s and at most 365 days, or \"never\"",
    ),
    ("faults", "a list of at least one fault"),
];

const MAX_EXPRESSIONS: usize = 256;

/// Longer than anyone reads.
const MAX_REASON: usize = 1000;

/// Reads a rule. `id` is what the address says: the body may then leave it out, or must agree.
///
/// ```
/// let rule = chaos_core::wire::rule_from_json(
///     br#"{"site": "db.*", "rate": 0.05, "faults": [{"latency": "200ms..500ms"}]}"#,
///     Some("slow-reads"),
/// )?;
/// assert_eq!(rule.fault_names(), "latency");
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// # Errors
/// If it is no JSON, has an unknown field, or a value that is not allowed.
pub fn rule_from_json(json: &[u8], id: Option<&str>) -> Result<Rule, RuleError> {
    from_json::<Object<RuleDoc>>(json)?.0.into_rule(id)
}

/// Reads a rule from a JSON value, such as a merge patch leaves.
///
/// # Errors
/// As [`rule_from_json`].
pub fn rule_from_value(value: serde_json::Value, id: Option<&str>) -> Result<Rule, RuleError> {
    read::<Object<RuleDoc>, _>(value)?.0.into_rule(id)
}

/// Reads a list of rules: `{"rules": […]}`.
///
/// # Errors
/// As [`rule_from_json`]; the field says which rule, as in `rules[2].rate`. Whether ids repeat is
/// for the rule set to say.
pub fn rules_from_json(json: &[u8]) -> Result<Vec<Rule>, RuleError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RulesDoc {
        rules: Vec<Object<RuleDoc>>,
        /// Of the list that the admin port shows.
        #[serde(default, rename = "generation")]
        _generation: IgnoredAny,
    }
    let docs = from_json::<Object<RulesDoc>>(json)?.0.rules;
    let rule = |(at, Object(doc)): (usize, Object<RuleDoc>)| {
        doc.into_rule(None)
            .map_err(|error| error.under(&format!("rules[{at}]")))
    };
    let expressions = docs.iter().map(|Object(doc)| doc.matching.0.expressions());
    few_enough(expressions.sum()).map_err(|error| error.under("rules"))?;
    docs.into_iter().enumerate().map(rule).collect()
}

/// Each expression may weigh its share; so their number in one document is bounded, too.
fn few_enough(expressions: usize) -> Result<(), RuleError> {
    if expressions <= MAX_EXPRESSIONS {
        return Ok(());
    }
    let problem = format!("{expressions} regular expressions are too many");
    Err(RuleError::new(
        "",
        problem,
        "256 regular expressions in one document",
    ))
}

/// The rule as it would be written; what has its default is left out.
#[must_use]
pub fn rule_to_value(rule: &Rule) -> serde_json::Value {
    serde_json::to_value(RuleDoc::from(rule)).expect("texts, numbers and string keys are JSON")
}

/// A text matcher as it would be written.
#[must_use]
pub fn text_to_value(text: &Text) -> serde_json::Value {
    serde_json::to_value(TextDoc::from(text)).expect("texts and lists of them are JSON")
}

fn from_json<T: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<T, RuleError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = read(&mut reader)?;
    let end = reader.end();
    end.map_err(|error| RuleError::new("", error, "one JSON object and nothing after it"))?;
    Ok(value)
}

/// Reads any format that serde can; serde's own errors become ours.
fn read<'de, T, D>(reader: D) -> Result<T, RuleError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        // Of a document that breaks off before the next field, the path ends in `?`.
        let path = error.path().to_string();
        let path = path.trim_end_matches(['?', '.']).to_owned();
        let text = error.into_inner().to_string();
        // The position in the text says less than the path does.
        let text = text.split(" at line ").next().unwrap_or(&text);
        let (problem, expected) = match text.split_once(", expected ") {
            Some((problem, expected)) => (problem, Some(expected)),
            None => (text, None),
        };
        // A field that is missing or there twice is no part of the path to it.
        for wrong in ["missing", "duplicate"] {
            let name = problem
                .strip_prefix(wrong)
                .and_then(|rest| rest.strip_prefix(" field `"));
            if let Some((field, _)) = name.and_then(|rest| rest.split_once('`')) {
                let whole = allowed_at(&format!("{path}.{field}")).unwrap_or("a value");
                return RuleError::new(field, wrong, whole).under(&path);
            }
        }
        let is_unknown = problem.starts_with("unknown ");
        let known = allowed_at(&path).filter(|_| !is_unknown);
        RuleError::new(path, problem, known.or(expected).unwrap_or("a JSON object"))
    })
}

/// What is allowed at a path: at the longest part of it, from its end, that a table knows.
fn allowed_at(path: &str) -> Option<&'static str> {
    // Below these, the names are the user's own.
    let named = ["match.headers.", "match.query.", "match.labels."];
    if named.iter().any(|prefix| path.contains(prefix)) {
        return Some(TEXT_MATCHER);
    }
    let parts = path.split('.');
    let parts: Vec<_> = parts.filter_map(|part| part.split('[').next()).collect();
    let known = |name: &str| {
        let tables = [
            ALLOWED,
            fault::ALLOWED,
            program::ALLOWED,
            window::ALLOWED,
            policy::ALLOWED,
            guard::ALLOWED,
        ];
        let mut fields = tables.into_iter().flatten();
        fields.find(|(field, _)| *field == name)
    };
    (1..=parts.len()).rev().find_map(|end| {
        let found = (0..end).find_map(|start| known(&parts[start..end].join(".")));
        found.map(|(_, allowed)| *allowed)
    })
}

fn allowed(field: &str) -> &'static str {
    allowed_at(field).unwrap_or("a value")
}

fn refuse(field: &'static str, problem: impl fmt::Display) -> RuleError {
    RuleError::new(field, problem, allowed(field))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleDoc {
    #[serde(default)]
    id: Option<String>,
    site: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    mode: ModeDoc,
    #[serde(default, rename = "final", skip_serializing_if = "is_default")]
    is_final: bool,
    #[serde(default, rename = "match", skip_serializing_if = "is_default")]
    matching: Object<MatchDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    seed: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "is_default",
        deserialize_with = "whole"
    )]
    skip: u64,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    every: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    limit: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_if_any"
    )]
    max_active: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_attempts: Option<Object<FirstAttemptsDoc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<Object<ReplayDoc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<ProgramDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<Object<BudgetDoc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Object<WindowDoc>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    guards: Vec<Object<GuardDoc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    faults: Vec<Object<FaultDoc>>,
    /// What the admin port adds where it shows a rule, so that what was read can be written back.
    #[serde(default, rename = "stats", skip_serializing)]
    _stats: IgnoredAny,
    #[serde(default, rename = "sites", skip_serializing)]
    _sites: IgnoredAny,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeDoc {
    #[default]
    Inject,
    Shadow,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MatchDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<TextDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<TextDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<TextDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<TextDoc>,
    #[serde(skip_serializing_if = "is_default")]
    headers: TextsDoc,
    #[serde(skip_serializing_if = "is_default")]
    query: TextsDoc,
    #[serde(skip_serializing_if = "is_default")]
    labels: TextsDoc,
}

fn yes() -> bool {
    true
}

impl RuleDoc {
    fn into_rule(mut self, address: Option<&str>) -> Result<Rule, RuleError> {
        let id = match (self.id.take(), address) {
            (None, None) => return Err(refuse("id", "missing")),
            (Some(id), Some(address)) if id != address => {
                let problem = format!("{id:?} in the body, {address:?} in the address");
                return Err(RuleError::new(
                    "id",
                    problem,
                    "the same in both, or left out",
                ));
            }
            (Some(id), _) => id,
            (None, Some(address)) => address.to_owned(),
        };
        self.named(id.parse().map_err(|e: RuleError| e.in_rule(&*id))?)
            .map_err(|error| error.in_rule(&*id))
    }

    fn named(self, id: RuleId) -> Result<Rule, RuleError> {
        few_enough(self.matching.0.expressions()).map_err(|error| error.under("match"))?;
        if self
            .reason
            .as_ref()
            .is_some_and(|reason| reason.len() > MAX_REASON)
        {
            return Err(refuse("reason", "too long"));
        }
        let mut faults = Vec::with_capacity(self.faults.len());
        for (at, Object(doc)) in self.faults.into_iter().enumerate() {
            let here = |error: RuleError| error.under(&format!("faults[{at}]"));
            let fault = doc.into_fault().map_err(here)?;
            if faults.last().is_some_and(Fault::ends_call) {
                let problem = "comes after a fault that ends the call";
                let allowed = "a fault that ends the call in the last place only";
                return Err(here(RuleError::new("", problem, allowed)));
            }
            faults.push(fault);
        }
        let mut faults = faults.into_iter();
        let first = faults.next().ok_or_else(|| refuse("faults", "empty"))?;

        let matching = self.matching.0.into_matcher();
        let matcher = matching.map_err(|error| error.under("match"))?;
        let trigger = TriggerDoc {
            rate: self.rate,
            key: self.key,
            seed: self.seed,
            skip: self.skip,
            every: self.every,
            limit: self.limit,
            max_active: self.max_active,
            first_attempts: self.first_attempts,
            replay: self.replay,
            program: self.program,
            budget: self.budget,
        };
        let trigger = trigger.into_trigger()?;
        let lifetime = lifetime(self.ttl.as_deref())?;
        let mode = match self.mode {
            ModeDoc::Inject => Mode::Inject,
            ModeDoc::Shadow => Mode::Shadow,
        };
        let rule = Rule {
            reason: self.reason,
            guards: guard::rails(self.guards)?,
            ..Rule::new(id, self.site.parse()?, first)
                .matching(matcher)
                .trigger(trigger)
                .lifetime(lifetime)
                .mode(mode)
                .final_if_fired(self.is_final)
                .enabled(self.enabled)
        };
        #[cfg(feature = "window")]
        let rule = match self.window {
            Some(Object(doc)) => rule.window(doc.into_window()?),
            None => rule,
        };
        #[cfg(not(feature = "window"))]
        if let Some(Object(doc)) = self.window {
            doc.into_window()?;
        }
        rule.check()?;
        Ok(faults.fold(rule, Rule::then))
    }
}

fn not_zero<N, Z: TryFrom<N>>(field: &'static str, number: N) -> Result<Z, RuleError> {
    Z::try_from(number).map_err(|_| refuse(field, "0 is not allowed"))
}

fn lifetime(ttl: Option<&str>) -> Result<Lifetime, RuleError> {
    match ttl {
        None => Ok(Lifetime::default()),
        Some("never") => Ok(Lifetime::NEVER_ENDS),
        Some(ttl) => {
            Lifetime::new(duration("ttl", ttl)?).map_err(|error| refuse("ttl", error.problem()))
        }
    }
}

impl MatchDoc {
    fn expressions(&self) -> usize {
        let one = [&self.method, &self.path, &self.host, &self.grpc];
        let one = one.into_iter().flatten();
        let named = [&self.headers, &self.query, &self.labels];
        let named = named.into_iter().flat_map(|texts| texts.0.values());
        one.chain(named).map(TextDoc::expressions).sum()
    }

    fn into_matcher(self) -> Result<Matcher, RuleError> {
        let mut matcher = Matcher::new();
        if let Some(method) = self.method {
            matcher = matcher.method(method.into_text(&method_name).map_err(at("method"))?);
        }
        if let Some(path) = self.path {
            matcher = matcher.path(path.into_text(&Text::route).map_err(at("path"))?);
        }
        if let Some(host) = self.host {
            matcher = matcher.host(
                host.in_lower_case()
                    .into_text(&host_name)
                    .map_err(at("host"))?,
            );
        }
        if let Some(grpc) = self.grpc {
            matcher = matcher.grpc(grpc.into_text(&grpc_method).map_err(at("grpc"))?);
        }
        let plain = |text: &str| Ok(Text::is(text));
        for (name, text) in self.headers.0 {
            let problem = |_| refuse("headers", format_args!("{name:?} is no header name"));
            let header = HeaderName::try_from(&name).map_err(problem)?;
            if matcher.headers.iter().any(|(known, _)| *known == header) {
                return Err(refuse("headers", format_args!("{name:?} stands twice")));
            }
            let text = text.into_text(&plain);
            matcher = matcher.header(header, text.map_err(at(&format!("headers.{name}")))?);
        }
        for (name, text) in self.query.0 {
            let text = text.into_text(&plain);
            matcher = matcher.query(&name, text.map_err(at(&format!("query.{name}")))?);
        }
        for (name, text) in self.labels.0 {
            let text = text.into_text(&plain);
            matcher = matcher.label(&name, text.map_err(at(&format!("labels.{name}")))?);
        }
        Ok(matcher)
    }
}

/// Puts an error at a field, whatever form of it was wrong.
fn at(field: &str) -> impl Fn(RuleError) -> RuleError + '_ {
    move |error| RuleError::new(field, error.problem(), error.allowed())
}

fn method_name(name: &str) -> Result<Text, RuleError> {
    let is_method = Method::from_bytes(name.as_bytes()).is_ok();
    if is_method && !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Ok(Text::is(name));
    }
    Err(refuse("method", format_args!("{name:?} is no HTTP method")))
}

fn grpc_method(name: &str) -> Result<Text, RuleError> {
    match name.split_once('/') {
        Some((service, method))
            if !service.is_empty() && !method.is_empty() && !method.contains('/') =>
        {
            Ok(Text::is(name))
        }
        _ => Err(refuse(
            "match.grpc",
            format_args!("{name:?} is no gRPC method"),
        )),
    }
}

fn host_name(name: &str) -> Result<Text, RuleError> {
    let port = !name.starts_with('[') && name.contains(':') || name.contains("]:");
    let is_sent = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    if port || name.is_empty() || !is_sent {
        return Err(refuse("host", format_args!("{name:?} is no host")));
    }
    Ok(Text::is(name))
}

#[cfg(feature = "window")]
fn window_of(rule: &Rule) -> Option<Object<WindowDoc>> {
    rule.window.as_ref().map(|window| Object(window.into()))
}

#[cfg(not(feature = "window"))]
fn window_of(_: &Rule) -> Option<Object<WindowDoc>> {
    None
}

impl From<&Rule> for RuleDoc {
    fn from(rule: &Rule) -> Self {
        let trigger = TriggerDoc::from(&rule.trigger);
        let ttl = match rule.lifetime.ttl() {
            None => "never".to_owned(),
            Some(ttl) => humantime::format_duration(ttl).to_string(),
        };
        Self {
            id: Some(rule.id.to_string()),
            site: rule.site.to_string(),
            reason: rule.reason.clone(),
            enabled: rule.enabled,
            mode: match rule.mode {
                Mode::Inject => ModeDoc::Inject,
                Mode::Shadow => ModeDoc::Shadow,
            },
            is_final: rule.is_final,
            matching: Object(MatchDoc::from(&rule.matcher)),
            rate: trigger.rate,
            key: trigger.key,
            seed: trigger.seed,
            skip: trigger.skip,
            every: trigger.every,
            limit: trigger.limit,
            max_active: trigger.max_active,
            first_attempts: trigger.first_attempts,
            replay: trigger.replay,
            program: trigger.program,
            budget: trigger.budget,
            window: window_of(rule),
            guards: (rule.guards.iter())
                .map(|rail| Object(rail.into()))
                .collect(),
            ttl: (rule.lifetime != Lifetime::default()).then_some(ttl),
            faults: rule
                .faults
                .iter()
                .map(|fault| Object(fault.into()))
                .collect(),
            _stats: IgnoredAny,
            _sites: IgnoredAny,
        }
    }
}

impl From<&Matcher> for MatchDoc {
    fn from(matcher: &Matcher) -> Self {
        let pair = |name: &str, text: &Text| (name.to_owned(), TextDoc::from(text));
        let texts = |texts: &[(Box<str>, Text)]| {
            let pairs = texts.iter().map(|(name, text)| pair(name, text));
            TextsDoc(pairs.collect())
        };
        let headers = matcher.headers.iter();
        Self {
            method: matcher.method.as_ref().map(TextDoc::from),
            path: matcher.path.as_ref().map(TextDoc::from),
            host: matcher.host.as_ref().map(TextDoc::from),
            grpc: matcher.grpc.as_ref().map(TextDoc::from),
            headers: TextsDoc(
                headers
                    .map(|(name, text)| pair(name.as_str(), text))
                    .collect(),
            ),
            query: texts(&matcher.query),
            labels: texts(&matcher.labels),
        }
    }
}
