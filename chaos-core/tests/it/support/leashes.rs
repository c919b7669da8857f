//! Rules that hang on a leash.

use std::time::Duration;

use chaos_core::{
    AttributedInjector, Fault, Injector, Leash, Lifetime, Rule, audit::Actor, rule::Change,
    testing::ManualClock,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOLD: Duration = Duration::from_secs(30);

pub(crate) fn fails(id: &str, site: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("x")).lifetime(Lifetime::NEVER_ENDS)
}

pub(crate) fn lasting(rule: Rule, seconds: u32) -> Rule {
    rule.lifetime(Lifetime::new(seconds * SECOND).unwrap())
}

pub(crate) fn with_clock() -> (Injector, ManualClock) {
    let clock = ManualClock::new();
    (Injector::with_clock(clock.clone()), clock)
}

pub(crate) fn on<'i>(injector: &'i Injector, leash: &Leash) -> AttributedInjector<'i> {
    injector.as_actor(Actor::new("fleet")).on_leash(leash)
}

pub(crate) fn put(injector: &Injector, leash: &Leash, rule: Rule) {
    on(injector, leash).apply(Change::Put(rule), None).unwrap();
}
