//! A policy in JSON, as the environment sets it and the admin port returns it.

use super::{
    document::document,
    form::{Object, SizeDoc, Whole},
    guard::{self, GUARDS, GuardDoc},
    read,
    scalar::{DURATION, SITE, SIZE, duration, duration_text, not_zero, size, size_text},
    shape::{Documented, Shape},
    trigger::budget::BudgetDoc,
};
use crate::{error::RuleError, policy::Policy, trigger::rate::Rate};

document! {
    /// A policy: bounds on what rules may do. A bound that is left out has its default, or does not
    /// apply.
    PolicyDoc as "Policy";
    optional {
        /// The sites that rules may aim at.
        sites: Vec<String> = Shape::list(&SITE, 0, usize::MAX).allowing("a list of site names or patterns");
        /// The names of the faults that rules may have.
        faults: Vec<String> = Shape::list(&Shape::TEXT, 0, usize::MAX).allowing("a list of names of faults");
        /// The greatest rate of a rule.
        rate: f64 = Shape::SHARE;
        /// The greatest number of injections that one rule may have under way at a time.
        max_active: Whole<u32> = Shape::COUNT_32;
        /// The longest delay of one fault, and of all delays of one call together.
        max_delay: String = DURATION.allowing("a duration such as \"2s\"");
        /// The lifetime of a rule that names none.
        default_ttl: String = DURATION.allowing("a duration such as \"10m\"");
        /// The longest lifetime of a rule.
        max_ttl: String = DURATION.allowing("a duration such as \"1h\"");
        /// Whether rules may only have the mode `shadow`.
        shadow_only: bool = Shape::FLAG;
        /// The greatest number of injections of all rules together. Rules of tokens may have half of
        /// it.
        total: Whole<u64> = Shape::COUNT;
        /// The greatest number of injections of all rules that may be under way at a time. Rules of
        /// tokens may have half of it.
        active: Whole<u32> = Shape::COUNT_32;
        /// The budget of all rules together. Rules of tokens may have half of it.
        budget: Object<BudgetDoc> = BudgetDoc::SHAPE;
        /// Guard rails, which measure while any rule is armed.
        guards: Vec<Object<GuardDoc>> = GUARDS;
        /// Whether an abort may end the process.
        exit: bool = Shape::FLAG;
        /// Bounds on the CPU time and the memory that burns use.
        burn: Object<BurnBoundsDoc> = BurnBoundsDoc::SHAPE;
        /// The greatest number of rules.
        max_rules: Whole<u64> = Shape::whole(0, u64::MAX);
        /// The greatest size of all rules together, in bytes of the JSON in which they are written.
        max_rule_bytes: SizeDoc = SIZE;
        /// The greatest number of guard rails of all rules together.
        max_guards: Whole<u64> = Shape::whole(0, u64::MAX);
        /// The greatest size of all compiled regular expressions together, in bytes.
        max_expressions: SizeDoc = SIZE;
        /// Whether rules of tokens may have faults that touch more than their request: `block`, `burn`,
        /// and the aborts `reset`, `goaway` and `exit`.
        token_process_faults: bool = Shape::FLAG;
    }
    examples r#"[{ "sites": ["db.**"], "rate": 0.1, "max_ttl": "1h", "budget": { "share": 0.05 } }]"#;
}

document! {
    /// Bounds on the CPU time and the memory that burns use.
    BurnBoundsDoc as "BurnBounds";
    optional {
        /// The greatest fraction of each processor's time that one rule may use.
        cpu: f64 = Shape::SHARE;
        /// The most memory that all rules together may use.
        memory: SizeDoc = SIZE;
        /// The longest time of one burn.
        time as "for": String = DURATION;
    }
}

/// Reads a policy: an object with the names of [`Policy`]'s setters, times and sizes as in rules.
///
/// ```
/// let policy = chaos_core::wire::policy_from_json(
///     br#"{"sites": ["db.**"], "rate": 0.1, "max_ttl": "1h", "budget": {"share": 0.05}}"#,
/// )?;
/// assert!(policy.reaches("db.read") && !policy.reaches("http.server"));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// # Errors
/// Returns an error if the text is not JSON, has an unknown field, or has a value that is not allowed.
pub fn policy_from_json(json: &[u8]) -> Result<Policy, RuleError> {
    let base = Policy::default();
    read::document_from_json::<PolicyDoc>(json)?.over(base)
}

/// Reads a policy that adds to others: it does not bound what it leaves out.
pub(crate) fn bounds_from_json(json: &[u8]) -> Result<Policy, RuleError> {
    let base = Policy::allowing_all();
    read::document_from_json::<PolicyDoc>(json)?.over(base)
}

/// Writes a policy as it would be read.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "texts, numbers and string keys are always JSON"
)]
pub fn policy_to_value(policy: &Policy) -> serde_json::Value {
    serde_json::to_value(PolicyDoc::from(policy)).expect("texts and numbers are JSON")
}

impl PolicyDoc {
    fn over(self, mut policy: Policy) -> Result<Policy, RuleError> {
        if let Some(sites) = self.sites {
            let sites = sites.iter().map(|site| site.parse());
            policy = policy.sites(sites.collect::<Result<Vec<_>, RuleError>>()?);
        }
        if let Some(faults) = &self.faults {
            policy = policy.faults(faults.iter().map(String::as_str));
        }
        if let Some(rate) = self.rate {
            policy = policy.rate(Rate::new(rate)?);
        }
        if let Some(Whole(max)) = self.max_active {
            policy = policy.max_active(not_zero(max).map_err(Self::within("max_active"))?);
        }
        if let Some(longest) = self.max_delay {
            policy = policy.delay(duration(&longest).map_err(Self::within("max_delay"))?);
        }
        if let Some(ttl) = self.default_ttl {
            policy = policy.default_ttl(duration(&ttl).map_err(Self::within("default_ttl"))?);
        }
        if let Some(ttl) = self.max_ttl {
            policy = policy.max_ttl(duration(&ttl).map_err(Self::within("max_ttl"))?);
        }
        if let Some(Whole(total)) = self.total {
            policy = policy.total(not_zero(total).map_err(Self::within("total"))?);
        }
        if let Some(Whole(active)) = self.active {
            policy = policy.active(not_zero(active).map_err(Self::within("active"))?);
        }
        if let Some(Object(budget)) = self.budget {
            policy = policy.budget(budget.into_budget().map_err(Self::within("budget"))?);
        }
        for rail in guard::rails(self.guards.unwrap_or_default())? {
            policy = policy.guard(rail);
        }
        if let Some(exit) = self.exit {
            policy = policy.allow_exit(exit);
        }
        if let Some(Object(burn)) = self.burn {
            policy = burn.over(policy).map_err(Self::within("burn"))?;
        }
        if let Some(Whole(rules)) = self.max_rules {
            policy = policy.max_rules(rules);
        }
        if let Some(bytes) = self.max_rule_bytes {
            policy = policy.max_rule_bytes(size(&bytes).map_err(Self::within("max_rule_bytes"))?);
        }
        if let Some(Whole(guards)) = self.max_guards {
            policy = policy.max_guards(guards);
        }
        if let Some(bytes) = self.max_expressions {
            policy = policy.max_expressions(size(&bytes).map_err(Self::within("max_expressions"))?);
        }
        if let Some(allowed) = self.token_process_faults {
            policy = policy.allow_process_faults_of_tokens(allowed);
        }
        Ok(policy.shadow_only(self.shadow_only == Some(true)))
    }
}

impl BurnBoundsDoc {
    fn over(self, mut policy: Policy) -> Result<Policy, RuleError> {
        if let Some(share) = self.cpu {
            policy = policy.burn_cpu(Rate::new(share).map_err(Self::at("cpu"))?);
        }
        if let Some(memory) = self.memory {
            policy = policy.burn_memory(size(&memory).map_err(Self::within("memory"))?);
        }
        if let Some(time) = self.time {
            policy = policy.burn_time(duration(&time).map_err(Self::within("for"))?);
        }
        Ok(policy)
    }
}

impl From<&Policy> for PolicyDoc {
    fn from(policy: &Policy) -> Self {
        let sites = policy.sites.iter().map(|sites| {
            let sites = sites.iter().map(|site| site.as_str().to_owned());
            sites.collect::<Vec<_>>()
        });
        Self {
            // Of several lists, the first: what all of them leave cannot be said in one.
            sites: sites.min_by_key(Vec::len),
            faults: (policy.faults.as_ref())
                .map(|faults| faults.iter().map(ToString::to_string).collect()),
            rate: (policy.rate != Rate::ALWAYS).then(|| policy.rate.get()),
            max_active: policy.max_active.map(|max| Whole(max.get())),
            max_delay: policy.delay.map(duration_text),
            default_ttl: policy.default_ttl.map(duration_text),
            max_ttl: policy.max_ttl.map(duration_text),
            shadow_only: policy.shadow_only.then_some(true),
            total: policy.total.map(|total| Whole(total.get())),
            active: policy.active.map(|active| Whole(active.get())),
            budget: BudgetDoc::of(&policy.budget),
            guards: guard::docs(&policy.guards),
            exit: Some(policy.exit),
            burn: Some(Object(BurnBoundsDoc {
                cpu: Some(policy.burn_cpu),
                memory: Some(size_text(policy.burn_memory).into()),
                time: Some(duration_text(policy.burn_time)),
            })),
            max_rules: Some(Whole(policy.set.rules)),
            max_rule_bytes: Some(size_text(policy.set.bytes).into()),
            max_guards: Some(Whole(policy.set.guards)),
            max_expressions: Some(size_text(policy.set.expressions).into()),
            token_process_faults: Some(policy.token_process_faults),
        }
    }
}
