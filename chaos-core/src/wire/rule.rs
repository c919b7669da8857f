//! A rule in JSON, and a list of rules.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};

use super::{
    document::document,
    fault::FaultDoc,
    form::{Object, Whole},
    guard::{self, GUARDS, GuardDoc},
    matcher::MatchDoc,
    read,
    scalar::{SITE, Words, duration, duration_text, meaning, word, words},
    shape::{Documented, Shape},
    trigger::{
        FirstAttemptsDoc, KEY, ReplayDoc, TriggerDoc,
        budget::BudgetDoc,
        program::{PROGRAM, ProgramDoc},
        window::{WINDOW, WindowDoc},
    },
};
use crate::{
    error::RuleError,
    fault::{Fault, order},
    matcher::Matcher,
    name::RuleId,
    rule::{Mode, Rule, lifetime::Lifetime},
};

/// The most regular expressions in one document: each costs memory of its own.
const MAX_EXPRESSIONS: usize = 256;

/// The longest reason, in bytes.
const MAX_REASON: usize = 1000;

const MODES: Words<Mode> = &[("inject", Mode::Inject), ("shadow", Mode::Shadow)];

/// The id of a rule.
const ID: Shape = Shape::text(
    "1 to 128 of A-Z a-z 0-9 . _ : -",
    "",
    r"^([A-Za-z0-9._:-]*[A-Za-z0-9_:-][A-Za-z0-9._:-]*|\.{3,})$",
)
.at_most(RuleId::MAX_LENGTH);

document! {
    /// A rule: which calls to hit, with which faults, and for how long. A field that is left out has
    /// its default.
    RuleDoc as "Rule", "an id, unless the address names it, and program or rate";
    required {
        /// The sites that the rule aims at, by name or pattern.
        site: String = SITE;
        /// The faults to inject, in order. At most one of them ends the call (status, grpc, error,
        /// value, abort without `after`, or a one_of of those alone). Faults that act on the response
        /// (latency with `when` or at_least, headers, body, abort with `after`) may stand before or
        /// after it.
        faults: Vec<Object<FaultDoc>> =
            Shape::list(&FaultDoc::SHAPE, 1, usize::MAX).allowing("a list of at least one fault");
    }
    optional {
        /// The id of the rule, neither `.` nor `..`. It is required unless the URL names the rule; then
        /// it may be left out, and must not differ.
        id: String = ID;
        /// Free text that the rule list and the audit show.
        reason: String = Shape::TEXT.allowing("a text of at most 1000 bytes").at_most(MAX_REASON);
        /// Whether the rule is enabled. The default is true.
        enabled: bool = Shape::FLAG;
        /// Whether the rule injects (`inject`, the default), or matches, draws and counts without injecting
        /// (`shadow`).
        mode: String = Shape::word(|| words(MODES));
        /// Whether later rules are not evaluated if this one fires. The default is false.
        is_final as "final": bool = Shape::FLAG;
        /// The calls that the rule matches. The default is all calls at its sites.
        matching as "match": Object<MatchDoc> = MatchDoc::SHAPE;
        /// The fraction of the matched calls to hit. The default is 1.
        rate: f64 = Shape::SHARE;
        /// Where the key of a call is found. Calls with equal keys get the same decision.
        key: String = KEY;
        /// Makes each draw a function of the seed, the rule, and the call's key or number.
        seed: Whole<u64> = Shape::whole(0, u64::MAX).allowing("a whole number from 0 to 2^64 - 1");
        /// The number of matched calls to skip first. The default is 0.
        skip: Whole<u64> = Shape::whole(0, u64::MAX);
        /// Considers only every n-th matched call after those. The default is 1.
        every: Whole<u64> = Shape::COUNT;
        /// The greatest number of injections since the rule was armed.
        limit: Whole<u64> = Shape::COUNT;
        /// The greatest number of injections under way at a time.
        max_active: Whole<u32> = Shape::COUNT_32;
        /// Hits the first attempts of each logical request, and no later one.
        first_attempts: Object<FirstAttemptsDoc> = FirstAttemptsDoc::SHAPE;
        /// Hits these calls and no others.
        replay: Object<ReplayDoc> = ReplayDoc::SHAPE;
        /// Phases that repeat in order, and change the rate over time. Together they are not longer than
        /// the `ttl`. A program takes the place of `rate`.
        program: ProgramDoc = PROGRAM;
        /// The budget of the rule.
        budget: Object<BudgetDoc> = BudgetDoc::SHAPE;
        /// The hours of the week in which the rule is active.
        window: Object<WindowDoc> = WINDOW;
        /// Guard rails: bounds on the error ratio and the latency of the service while the rule is
        /// armed.
        guards: Vec<Object<GuardDoc>> = GUARDS;
        /// How long the rule stays armed. The default is ten minutes.
        ttl: String = Shape::text(
            "a duration such as \"10m\", more than 0s and at most 365 days, or \"never\"",
            "ttl",
            r"^never$|^\s*([0-9][0-9.\s]*[A-Za-zµ]+\s*)+$",
        );
    }
    ignored {
        /// The counts of the rule, which the admin port returns.
        _stats as "stats";
        /// The known sites that the rule aims at, which the admin port returns.
        _sites as "sites";
        /// The warnings about the rule, which the admin port returns.
        _warnings as "warnings";
    }
    examples r#"[
        {
            "site": "http.server",
            "reason": "GameDay 12: the payment provider is slow",
            "match": { "method": ["POST"], "path": "/checkout/{id}", "headers": { "x-tenant": "acme" } },
            "rate": 0.05,
            "ttl": "10m",
            "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }]
        },
        {
            "site": "db.*",
            "mode": "shadow",
            "match": { "labels": { "table": { "not": { "prefix": "tmp_" } } } },
            "key": "label:user",
            "seed": 42,
            "first_attempts": { "n": 2, "key": "header:idempotency-key" },
            "program": [{ "for": "2m", "rate": "0.01..0.2", "scale": "0..1" }, { "for": "30s", "rate": 0 }],
            "faults": [{ "error": { "kind": "connection_reset" } }]
        }
    ]"#;
}

document! {
    /// A list of rules, in order.
    RulesDoc as "RuleList";
    required {
        /// The rules, each with an id of its own.
        rules: Vec<Object<RuleDoc>> = Shape::list(&RuleDoc::SHAPE, 0, usize::MAX).allowing("a list of rules");
    }
    ignored {
        /// The generation of the rules, which the admin port returns.
        _generation as "generation";
    }
}

/// Reads a rule from JSON. If `id` is given, as the path of a request does, the JSON may leave the id
/// out, and must not have another one.
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
/// Returns an error if the text is not JSON, has an unknown field, or has a value that is not allowed.
/// `null` is not allowed for a field that is left out.
pub fn rule_from_json(json: &[u8], id: Option<&str>) -> Result<Rule, RuleError> {
    let rule = read::document_from_json::<RuleDoc>(json)?.into_rule(id)?;
    Ok(rule.written_in(json.len()))
}

/// Reads a rule from a JSON value, such as the result of a merge patch.
///
/// # Errors
/// Returns an error in the cases of [`rule_from_json`].
pub fn rule_from_value(value: serde_json::Value, id: Option<&str>) -> Result<Rule, RuleError> {
    let length = value.to_string().len();
    let rule = read::document::<RuleDoc, _>(value)?.into_rule(id)?;
    Ok(rule.written_in(length))
}

/// A list of rules that are made as they are read: so a list of ten thousand is never there as a whole in its written
/// form. It is read from the same documents as [`RulesDoc`], and its errors do not say where.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadRules {
    #[serde(deserialize_with = "read_rules")]
    rules: Vec<Rule>,
    #[serde(default, rename = "generation")]
    _generation: IgnoredAny,
}

fn read_rules<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Rule>, D::Error> {
    struct Rules;

    impl<'de> Visitor<'de> for Rules {
        type Value = Vec<Rule>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of rules")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Rule>, A::Error> {
            let (mut rules, mut expressions) = (Vec::new(), 0);
            while let Some(Object(doc)) = list.next_element::<Object<RuleDoc>>()? {
                expressions += doc.expressions();
                let rule = few_enough(expressions).and_then(|()| doc.into_rule(None));
                rules.push(rule.map_err(A::Error::custom)?);
            }
            Ok(rules)
        }
    }

    list.deserialize_seq(Rules)
}

/// Reads a list of rules: `{"rules": […]}`.
///
/// # Errors
/// Returns an error in the cases of [`rule_from_json`]; the field says which rule, as in `rules[2].rate`.
/// It does not check that the ids are distinct: an edit of the rule set does.
pub fn rules_from_json(json: &[u8]) -> Result<Vec<Rule>, RuleError> {
    if let Ok(Object(ReadRules { rules, .. })) = serde_json::from_slice(json) {
        let each = json.len() / rules.len().max(1);
        let rules = rules.into_iter();
        return Ok(rules.map(|rule| rule.written_in(each)).collect());
    }
    // Something is wrong. Read so, an error names the rule and the field.
    let docs = read::document_from_json::<RulesDoc>(json)?.rules;
    let expressions = docs.iter().map(|Object(doc)| doc.expressions());
    few_enough(expressions.sum()).map_err(|error| error.under("rules"))?;
    let each = json.len() / docs.len().max(1);
    let rule = |(at, Object(doc)): (usize, Object<RuleDoc>)| {
        let rule = doc.into_rule(None);
        let rule = rule.map_err(|error| error.under(&format!("rules[{at}]")))?;
        Ok(rule.written_in(each))
    };
    docs.into_iter().enumerate().map(rule).collect()
}

/// Writes a rule as it would be read; what has its default is left out.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "texts, numbers and string keys are always JSON"
)]
pub fn rule_to_value(rule: &Rule) -> serde_json::Value {
    serde_json::to_value(RuleDoc::from(rule)).expect("texts, numbers and string keys are JSON")
}

fn few_enough(expressions: usize) -> Result<(), RuleError> {
    if expressions <= MAX_EXPRESSIONS {
        return Ok(());
    }
    let problem = format!("{expressions} regular expressions are too many");
    let allowed = format!("{MAX_EXPRESSIONS} regular expressions in one document");
    Err(RuleError::new("", problem, allowed))
}

impl RuleDoc {
    fn expressions(&self) -> usize {
        self.matching
            .as_ref()
            .map_or(0, |Object(doc)| doc.expressions())
    }

    fn into_rule(mut self, address: Option<&str>) -> Result<Rule, RuleError> {
        let id = match (self.id.take(), address) {
            (None, None) => return Err(Self::refuse("id", "the field is missing")),
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
        few_enough(self.expressions()).map_err(|error| error.under("match"))?;
        if self
            .reason
            .as_ref()
            .is_some_and(|reason| reason.len() > MAX_REASON)
        {
            return Err(Self::refuse("reason", "the text is too long"));
        }
        let mut faults = faults(self.faults)?.into_iter();
        let first = faults
            .next()
            .ok_or_else(|| Self::refuse("faults", "the list is empty"))?;
        let matcher = self.matching.unwrap_or_default().0.into_matcher();
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
        let mode = self
            .mode
            .map_or(Ok(Mode::Inject), |mode| meaning(MODES, &mode));
        let rule = Rule::new(id, self.site.parse()?, first)
            .matching(matcher.map_err(|error| error.under("match"))?)
            .trigger(trigger.into_trigger(Self::within)?)
            .lifetime(lifetime(self.ttl.as_deref()).map_err(Self::at("ttl"))?)
            .mode(mode.map_err(Self::within("mode"))?)
            .final_if_fired(self.is_final == Some(true))
            .enabled(self.enabled != Some(false));
        let rule = Rule {
            reason: self.reason.map(Into::into),
            guards: guard::rails(self.guards.unwrap_or_default())?.into(),
            ..rule
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
        let rule = faults.fold(rule, Rule::then);
        order::check(&rule.faults)?;
        rule.check()?;
        Ok(rule)
    }
}

fn faults(docs: Vec<Object<FaultDoc>>) -> Result<Vec<Fault>, RuleError> {
    let mut faults: Vec<Fault> = Vec::with_capacity(docs.len());
    for (at, Object(doc)) in docs.into_iter().enumerate() {
        let here = |error: RuleError| error.under(&format!("faults[{at}]"));
        let fault = doc.into_fault().map_err(here)?;
        faults.push(fault);
    }
    Ok(faults)
}

fn lifetime(ttl: Option<&str>) -> Result<Lifetime, RuleError> {
    match ttl {
        None => Ok(Lifetime::default()),
        Some("never") => Ok(Lifetime::NEVER_ENDS),
        Some(ttl) => Lifetime::new(duration(ttl)?),
    }
}

#[cfg(feature = "window")]
fn window_of(rule: &Rule) -> Option<Object<WindowDoc>> {
    rule.window.as_deref().map(|window| Object(window.into()))
}

#[cfg(not(feature = "window"))]
fn window_of(_: &Rule) -> Option<Object<WindowDoc>> {
    None
}

impl From<&Rule> for RuleDoc {
    fn from(rule: &Rule) -> Self {
        let trigger = TriggerDoc::from(&rule.trigger);
        let matching =
            (*rule.matcher != Matcher::default()).then(|| Object(MatchDoc::from(&*rule.matcher)));
        let ttl = rule
            .lifetime
            .ttl()
            .map_or_else(|| "never".to_owned(), duration_text);
        let mode = word(MODES, &rule.mode).map(String::from);
        let faults = rule.faults.iter().map(|fault| Object(fault.into()));
        Self {
            id: Some(rule.id.to_string()),
            site: rule.site.to_string(),
            reason: rule.reason().map(str::to_owned),
            // The toggle is always shown.
            enabled: Some(rule.enabled),
            mode: mode.filter(|_| rule.mode != Mode::Inject),
            is_final: rule.is_final.then_some(true),
            matching,
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
            guards: guard::docs(&rule.guards),
            ttl: (rule.lifetime != Lifetime::default()).then_some(ttl),
            faults: faults.collect(),
            ..Self::default()
        }
    }
}
