//! What a rule or a policy may spend, in JSON.

use crate::{
    error::RuleError,
    trigger::{budget::Budget, rate::Rate},
    wire::{
        document::document,
        form::Object,
        scalar::{DURATION, duration, duration_text, refuse},
        shape::{Documented, Shape},
    },
};

document! {
    /// A budget: the greatest share of the calls to hit, and the most delay to inject. It is exact,
    /// whatever the rates are.
    BudgetDoc as "Budget", "share, delay or both";
    optional {
        /// The greatest fraction of the calls so far to hit.
        share: f64 = Shape::SHARE;
        /// The most delay to inject in any minute, summed over all calls.
        delay: String = DURATION
            .allowing("a duration such as \"30s\", more than 0s and at most 24h: delay in any minute");
    }
    examples r#"[{ "share": 0.1, "delay": "30s" }]"#;
}

impl BudgetDoc {
    pub(in crate::wire) fn of(budget: &Budget) -> Option<Object<Self>> {
        let share = budget.greatest_share().map(Rate::get);
        let delay = budget.delay_in_a_minute().map(duration_text);
        (*budget != Budget::new()).then_some(Object(Self { share, delay }))
    }

    pub(in crate::wire) fn into_budget(self) -> Result<Budget, RuleError> {
        if self.share.is_none() && self.delay.is_none() {
            return Err(refuse("neither share nor delay"));
        }
        let mut budget = Budget::new();
        if let Some(share) = self.share {
            budget = budget.share(Rate::new(share).map_err(Self::at("share"))?);
        }
        if let Some(delay) = self.delay {
            let delay = duration(&delay).and_then(|delay| budget.delay(delay));
            budget = delay.map_err(Self::at("delay"))?;
        }
        Ok(budget)
    }
}
