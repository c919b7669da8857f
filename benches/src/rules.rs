//! Rules that are evaluated and never fire, and rules that hit each call.

use chaos_core::{Fault, Injector, Lifetime, Matcher, Rate, Rule, SiteGlob, Trigger};

/// Returns a rule that draws once per matching call, and hits about one call in 2^53.
pub(crate) fn never_firing(id: &str, site: &str) -> Rule {
    let rate = Rate::new(1e-18).expect("a share");
    Rule::new(
        id.parse().expect("an id"),
        site.parse::<SiteGlob>().expect("a site"),
        Fault::status(503).expect("a status"),
    )
    .trigger(Trigger::new().rate(rate))
    .lifetime(Lifetime::NEVER_ENDS)
}

/// Returns a rule like [`never_firing`], for the calls that `matcher` matches.
pub(crate) fn matching(id: &str, site: &str, matcher: Matcher) -> Rule {
    never_firing(id, site).matching(matcher)
}

/// Returns a rule that injects `fault` into each call.
pub(crate) fn hitting(site: &str, fault: Fault) -> Rule {
    Rule::new(
        "hits".parse().expect("an id"),
        site.parse::<SiteGlob>().expect("a site"),
        fault,
    )
    .lifetime(Lifetime::NEVER_ENDS)
}

/// Arms a thousand rules on ten other sites.
pub(crate) fn a_thousand_elsewhere(injector: &Injector) {
    let site = |n| format!("elsewhere.{}", n % 10);
    for n in 0..10 {
        let _ = injector.site(&site(n));
    }
    let rules = (0..1000).map(|n| never_firing(&format!("rule-{n}"), &site(n)));
    let replaced = injector.replace(rules.collect());
    replaced.expect("the ids differ");
}

/// Rules on the global injector, for sites in code. Dropping this clears them.
#[derive(Debug)]
pub(crate) struct Armed(());

impl Armed {
    pub(crate) fn with(rules: Vec<Rule>) -> Self {
        let replaced = chaos_core::global().replace(rules);
        replaced.expect("the ids differ");
        Self(())
    }

    pub(crate) fn elsewhere() -> Self {
        a_thousand_elsewhere(chaos_core::global());
        Self(())
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        chaos_core::global().clear();
    }
}
