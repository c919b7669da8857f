//! A rule in JSON, and a list of rules.

use super::{
    budget::BudgetDoc,
    document::document,
    fault::FaultDoc,
    form::{Object, Whole},
    guard::{self, GUARDS, GuardDoc},
    matcher::MatchDoc,
    program::{PROGRAM, ProgramDoc},
    read,
    scalar::{SITE, Words, duration, duration_text, meaning, word, words},
    shape::{Documented, Shape},
    trigger::{FirstAttemptsDoc, KEY, ReplayDoc, TriggerDoc},
    window::{WINDOW, WindowDoc},
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
    /// Which calls, where, and what happens to them. A field that is left out has its default.
    RuleDoc as "Rule", "an id, unless the address names it, and program or rate";
    required {
        /// Where the rule aims.
        site: String = SITE;
        /// What happens, in order. One fault at most ends the call (status, grpc, error, value, abort
        /// without `after`, or a one_of of those alone). What acts on the response (latency with `when`
        /// or at_least, headers, body, abort with `after`) may stand before it or after it.
        faults: Vec<Object<FaultDoc>> =
            Shape::list(&FaultDoc::SHAPE, 1, usize::MAX).allowing("a list of at least one fault");
    }
    optional {
        /// The name of the rule, neither `.` nor `..`. Where the address names the rule, it is the same
        /// here or left out; elsewhere it is required.
        id: String = ID;
        /// Why the rule is there, for those who come across it.
        reason: String = Shape::TEXT.allowing("a text of at most 1000 bytes").at_most(MAX_REASON);
        /// Whether the rule is on: true unless it is given.
        enabled: bool = Shape::FLAG;
        /// What the rule does to the calls that it hits: `inject`, which is the default, or `shadow`, which
        /// matches, draws and counts, and injects nothing.
        mode: String = Shape::word(|| words(MODES));
        /// Whether no further rule is asked if this one fires: false unless it is given.
        is_final as "final": bool = Shape::FLAG;
        /// Which calls.
        matching as "match": Object<MatchDoc> = MatchDoc::SHAPE;
        /// The share of the matched calls that are hit: 1 unless it is given.
        rate: f64 = Shape::SHARE;
        /// What makes two calls the same one, which are then hit or spared together.
        key: String = KEY;
        /// Makes the draws a function of seed, rule and the call's key or number.
        seed: Whole<u64> = Shape::whole(0, u64::MAX).allowing("a whole number from 0 to 2^64 - 1");
        /// How many calls are left alone first: 0 unless it is given.
        skip: Whole<u64> = Shape::whole(0, u64::MAX);
        /// Takes every n-th call: 1, each, unless it is given.
        every: Whole<u64> = Shape::COUNT;
        /// The most injections.
        limit: Whole<u64> = Shape::COUNT;
        /// The most injections at once.
        max_active: Whole<u32> = Shape::COUNT_32;
        /// Fails the first tries of each logical request.
        first_attempts: Object<FirstAttemptsDoc> = FirstAttemptsDoc::SHAPE;
        /// Hits these calls and no others.
        replay: Object<ReplayDoc> = ReplayDoc::SHAPE;
        /// Phases in order, over and over, no longer together than the ttl. A program replaces the rate.
        program: ProgramDoc = PROGRAM;
        /// What the rule may spend.
        budget: Object<BudgetDoc> = BudgetDoc::SHAPE;
        /// The hours of the week in which the rule lives.
        window: Object<WindowDoc> = WINDOW;
        /// Bounds on what the service itself shows while the rule lives. A breach stops it.
        guards: Vec<Object<GuardDoc>> = GUARDS;
        /// How long the rule lives once it is armed: ten minutes unless it is given.
        ttl: String = Shape::text(
            "a duration such as \"10m\", more than 0s and at most 365 days, or \"never\"",
            "ttl",
            r"^never$|^\s*([0-9][0-9.\s]*[A-Za-zµ]+\s*)+$",
        );
    }
    ignored {
        /// What the rule has counted, as the admin port shows it.
        _stats as "stats";
        /// The sites that the rule aims at, as the admin port shows them.
        _sites as "sites";
        /// What the rule cannot do at the sites that there are, as the admin port shows it.
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
        /// The generation of the rules, as the admin port shows it.
        _generation as "generation";
    }
}

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
/// Returns an error if the text is no JSON, has an unknown field, or a value that is not allowed. `null`
/// is not allowed for a field that is left out.
pub fn rule_from_json(json: &[u8], id: Option<&str>) -> Result<Rule, RuleError> {
    let rule = read::document_from_json::<RuleDoc>(json)?.into_rule(id)?;
    Ok(rule.written_in(json.len()))
}

/// Reads a rule from a JSON value, such as a merge patch leaves.
///
/// # Errors
/// Returns an error in the cases of [`rule_from_json`].
pub fn rule_from_value(value: serde_json::Value, id: Option<&str>) -> Result<Rule, RuleError> {
    let length = value.to_string().len();
    let rule = read::document::<RuleDoc, _>(value)?.into_rule(id)?;
    Ok(rule.written_in(length))
}

/// Reads a list of rules: `{"rules": […]}`.
///
/// # Errors
/// Returns an error in the cases of [`rule_from_json`]; the field says which rule, as in `rules[2].rate`.
/// Whether ids repeat is for the rule set to say.
pub fn rules_from_json(json: &[u8]) -> Result<Vec<Rule>, RuleError> {
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
            reason: self.reason,
            guards: guard::rails(self.guards.unwrap_or_default())?,
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
    rule.window.as_ref().map(|window| Object(window.into()))
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
            reason: rule.reason.clone(),
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
