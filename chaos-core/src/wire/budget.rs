//! What a rule or a policy may spend, in JSON.

use serde::{Deserialize, Serialize};

use super::{
    form::{Object, duration, written},
    refuse,
};
use crate::{
    error::RuleError,
    trigger::{budget::Budget, rate::Rate},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetDoc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
}

impl BudgetDoc {
    pub(super) fn of(budget: &Budget) -> Option<Object<Self>> {
        let share = budget.greatest_share().map(Rate::get);
        let delay = budget.delay_in_a_minute().map(written);
        (*budget != Budget::new()).then_some(Object(Self { share, delay }))
    }

    pub(super) fn into_budget(self) -> Result<Budget, RuleError> {
        if self.share.is_none() && self.delay.is_none() {
            return Err(refuse("budget", "neither is there"));
        }
        let here = |error: RuleError| error.under("budget");
        let mut budget = Budget::new();
        if let Some(share) = self.share {
            let share = Rate::new(share);
            budget = budget.share(share.map_err(|error| here(refuse("share", error.problem())))?);
        }
        if let Some(delay) = self.delay {
            let delay = duration("delay", &delay).map_err(here)?;
            let with = budget.delay(delay);
            budget = with.map_err(|error| here(refuse("delay", error.problem())))?;
        }
        Ok(budget)
    }
}
