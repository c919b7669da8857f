//! What rules may do at all: the policy, the check of a rule before it is armed, and custom faults.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    call::site_kind::SiteKind,
    error::RuleError,
    fault::Fault,
    hub::closures::CustomCall,
    injector::{Injector, environment},
    policy::Policy,
    rule::Rule,
    site::Site,
};

impl Injector {
    /// Sets the policy, which bounds what rules may do from now on, including the rules in force.
    ///
    /// The policy that the environment sets (`CHAOS_POLICY`) also stays in force. A rule from outside
    /// that the policy does not allow is refused by [`check`](Self::check); a fault that reaches a site
    /// in another way does not happen. A delay that has begun keeps the deadline that it began with.
    pub fn set_policy(&self, policy: Policy) {
        let policy = policy.and(environment::policy());
        let mut book = self.book();
        for rules in book.overlays.iter().map(|overlay| overlay.rules()) {
            rules.hold_to(&policy);
        }
        book.rules.hold_to(&policy);
        self.0.hub.set_policy(policy);
        self.0.install_all(&mut book, self.now());
        drop(book);
        self.notify();
    }

    /// Returns the policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.hub.bounds.load().policy.clone()
    }

    /// Checks that rules can do what they say: their fields fit together, the policy allows them, the
    /// custom faults that they name are defined, and none of their guard rails measures only sites
    /// that are no layers.
    ///
    /// # Errors
    /// Returns an error for the first rule that cannot. The error names the rule and the field.
    pub fn check<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) -> Result<(), RuleError> {
        let bounds = self.0.hub.bounds.load();
        for rule in rules {
            let here = |error: RuleError| error.in_rule(rule.id.as_str());
            rule.check().map_err(here)?;
            bounds.policy.permits_rule(rule).map_err(here)?;
            self.measures(rule).map_err(here)?;
            for (at, fault) in rule.faults.iter().enumerate() {
                let checked = self.0.hub.closures.check(fault);
                let checked = checked.map_err(|error| error.under(&format!("faults[{at}]")));
                checked.map_err(here)?;
            }
        }
        Ok(())
    }

    /// Checks that the guard rails of a rule can measure something, as far as that is known. A site
    /// that nobody has made may be a layer that is made later, and so may one that a pattern with a
    /// wildcard matches, unless other layers are there already.
    fn measures(&self, rule: &Rule) -> Result<(), RuleError> {
        if rule.guards.is_empty() {
            return Ok(());
        }
        let sites: Vec<_> = self.book().sites.iter().collect();
        let is_layer = |site: &&Site| site.kind() == SiteKind::Layer;
        let layers: BTreeSet<_> = (sites.iter().copied())
            .filter(is_layer)
            .map(Site::name)
            .collect();
        for (at, rail) in rule.guards.iter().enumerate() {
            let glob = rail.site.as_ref().unwrap_or(&rule.site);
            let mut found = sites.iter().filter(|site| glob.matches(site.name()));
            let may_come = glob.as_str().contains('*') && layers.is_empty();
            let is_code_alone = found.clone().next().is_some() && found.all(|it| !is_layer(it));
            if may_come || !is_code_alone {
                continue;
            }
            let field = format!("guards[{at}].site");
            let problem = format!("no layer is at \"{glob}\", and only layers are measured");
            let known: Vec<_> = layers.iter().take(8).copied().collect();
            let allowed = match &known[..] {
                [] => "a layer around a service or a client, such as http.server".to_owned(),
                known => format!("a layer: {}", known.join(", ")),
            };
            return Err(RuleError::new(field, problem, allowed));
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
