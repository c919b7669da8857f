//! A policy in JSON: what the environment says, and what the admin port shows.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use super::{
    budget::BudgetDoc,
    form::{Object, duration, written},
    from_json,
    guard::{self, GuardDoc},
    not_zero, refuse, size,
};
use crate::{error::RuleError, policy::Policy, trigger::rate::Rate};

pub(super) const ALLOWED: &[(&str, &str)] = &[
    ("sites", "a list of site names or patterns"),
    ("max_delay", "a duration such as \"2s\""),
    ("default_ttl", "a duration such as \"10m\""),
    ("max_ttl", "a duration such as \"1h\""),
    ("shadow_only", "true or false"),
    ("total", "a whole number, 1 or more"),
    ("active", "a whole number, 1 or more"),
    ("exit", "true or false"),
];

/// What may be said of a policy. What is left out is not bounded by it.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    sites: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_active: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ttl: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Object<BudgetDoc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guards: Vec<Object<GuardDoc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burn: Option<Object<BurnDoc>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BurnDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    time: Option<String>,
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
/// If it is no JSON, has an unknown field, or a value that is not allowed.
pub fn policy_from_json(json: &[u8]) -> Result<Policy, RuleError> {
    let base = Policy::default();
    from_json::<Object<PolicyDoc>>(json)?.0.over(base)
}

/// The same, of a policy that adds to others: what it leaves out, it does not bound.
pub(crate) fn bounds_from_json(json: &[u8]) -> Result<Policy, RuleError> {
    let base = Policy::allowing_all();
    from_json::<Object<PolicyDoc>>(json)?.0.over(base)
}

/// A policy as it would be written.
#[must_use]
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
        if let Some(max) = self.max_active {
            policy = policy.max_active(not_zero("max_active", max)?);
        }
        if let Some(longest) = self.max_delay {
            policy = policy.delay(duration("max_delay", &longest)?);
        }
        if let Some(ttl) = self.default_ttl {
            policy = policy.default_ttl(duration("default_ttl", &ttl)?);
        }
        if let Some(ttl) = self.max_ttl {
            policy = policy.max_ttl(duration("max_ttl", &ttl)?);
        }
        if let Some(total) = self.total {
            policy = policy.total(not_zero("total", total)?);
        }
        if let Some(active) = self.active {
            policy = policy.active(not_zero("active", active)?);
        }
        if let Some(Object(budget)) = self.budget {
            policy = policy.budget(budget.into_budget()?);
        }
        for rail in guard::rails(self.guards)? {
            policy = policy.guard(rail);
        }
        if let Some(exit) = self.exit {
            policy = policy.allow_exit(exit);
        }
        if let Some(Object(burn)) = self.burn {
            if let Some(share) = burn.cpu {
                policy = policy.burn_cpu(
                    Rate::new(share)
                        .map_err(|error| refuse("cpu", error.problem()).under("burn"))?
                        .get(),
                );
            }
            if let Some(memory) = burn.memory {
                policy = policy.burn_memory(
                    size::size("memory", &memory).map_err(|error| error.under("burn"))?,
                );
            }
            if let Some(time) = burn.time {
                policy =
                    policy.burn_time(duration("for", &time).map_err(|error| error.under("burn"))?);
            }
        }
        Ok(policy.shadow_only(self.shadow_only))
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
            max_active: policy.max_active.map(NonZeroU32::get),
            max_delay: policy.delay.map(written),
            default_ttl: policy.default_ttl.map(written),
            max_ttl: policy.max_ttl.map(written),
            shadow_only: policy.shadow_only,
            total: policy.total.map(NonZeroU64::get),
            active: policy.active.map(NonZeroU32::get),
            budget: BudgetDoc::of(&policy.budget),
            guards: (policy.guards.iter())
                .map(|rail| Object(rail.into()))
                .collect(),
            exit: Some(policy.exit),
            burn: Some(Object(BurnDoc {
                cpu: Some(policy.burn_cpu),
                memory: Some(size::written(policy.burn_memory)),
                time: Some(written(policy.burn_time)),
            })),
        }
    }
}
