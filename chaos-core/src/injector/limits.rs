//! What rules may do at all: the policy, the check of a rule before it is armed, and custom faults.

use std::sync::Arc;

use crate::{
    error::RuleError,
    fault::Fault,
    hub::closures::CustomCall,
    injector::{Injector, environment},
    policy::{Policy, bounds::Bounds},
    rule::Rule,
};

impl Injector {
    /// Sets the policy: what rules may do from now on, those in force included.
    ///
    /// The policy that the environment sets (`CHAOS_POLICY`) stays in force besides. A rule from
    /// outside that the policy does not allow is refused by [`check`](Self::check); a fault that
    /// reaches a site in another way does not happen. A delay that has begun keeps the deadline that
    /// it began with.
    pub fn set_policy(&self, policy: Policy) {
        let policy = policy.and(environment::policy());
        let mut book = self.book();
        for rules in book.overlays.iter().map(|overlay| overlay.rules()) {
            rules.hold_to(&policy);
        }
        book.rules.hold_to(&policy);
        self.0.hub.bounds.store(Arc::new(Bounds::new(policy)));
        self.0.install_all(&mut book, self.now());
        drop(book);
        self.notify();
    }

    /// Returns the policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.hub.bounds.load().policy.clone()
    }

    /// Checks that rules can do what they say: their fields fit together, the policy allows them, and
    /// the custom faults that they name are defined.
    ///
    /// # Errors
    /// For the first rule that cannot; the error names the rule and the field.
    pub fn check<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) -> Result<(), RuleError> {
        let bounds = self.0.hub.bounds.load();
        for rule in rules {
            let here = |error: RuleError| error.in_rule(rule.id.as_str());
            rule.check().map_err(here)?;
            bounds.policy.permits_rule(rule).map_err(here)?;
            for (at, fault) in rule.faults.iter().enumerate() {
                let checked = self.0.hub.closures.check(fault);
                let checked = checked.map_err(|error| error.under(&format!("faults[{at}]")));
                checked.map_err(here)?;
            }
        }
        Ok(())
    }

    /// Defines the fault that rules call `{"custom": {"name": …}}`.
    ///
    /// `closure` is called for each call that is hit, on the thread of the call, and returns the fault
    /// to inject, or `None` to leave the call alone. It must not block.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule, fault::CustomFault, inject};
    ///
    /// let injector = Injector::new();
    /// injector.define("every other customer", |call| {
    ///     call.arguments.contains("true").then(|| Fault::error("no stock"))
    /// });
    /// let fault = Fault::Custom(CustomFault::new("every other customer", r#"{"really": true}"#));
    /// injector.put(Rule::new("no-stock".parse()?, "db.stock".parse()?, fault));
    /// assert!(inject!(injector: &injector, "db.stock").is_err());
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    pub fn define(
        &self,
        name: &str,
        closure: impl Fn(&CustomCall<'_>) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.0.hub.closures.define(name, Arc::new(closure));
    }
}
