//! A rule: where, which calls, how many of them, what happens to them, and for how long.

pub(crate) mod lifetime;
pub(crate) mod rule_set;

#[cfg(feature = "window")]
use crate::trigger::window::Window;
use crate::{
    error::RuleError,
    fault::Fault,
    guard_rail::GuardRail,
    matcher::{Matcher, glob::SiteGlob},
    name::RuleId,
    rule::lifetime::Lifetime,
    trigger::Trigger,
};

/// Whether a rule acts or only counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Matches, draws, counts and injects.
    #[default]
    Inject,
    /// Matches, draws and counts, and injects nothing. As nothing is ever under way, `max_active` does
    /// not bound it.
    Shadow,
}

/// A named rule. It holds at least one fault, so it cannot be without effect by accident.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, Latency, Rate, Rule, Trigger};
///
/// let slow = Latency::uniform(Duration::from_millis(200), Duration::from_millis(500))?;
/// let rule = Rule::new("slow-reads".parse()?, "db.*".parse()?, Fault::latency(slow))
///     .then(Fault::error("the replica is gone"))
///     .trigger(Trigger::new().rate(Rate::new(0.05)?).seed(42))
///     .because("GameDay 12");
/// # drop(rule);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) site: SiteGlob,
    pub(crate) matcher: Matcher,
    pub(crate) trigger: Trigger,
    pub(crate) faults: Vec<Fault>,
    pub(crate) lifetime: Lifetime,
    #[cfg(feature = "window")]
    pub(crate) window: Option<Window>,
    pub(crate) mode: Mode,
    pub(crate) is_final: bool,
    pub(crate) enabled: bool,
    pub(crate) reason: Option<String>,
    pub(crate) guards: Vec<GuardRail>,
}

impl Rule {
    /// Hits every call of the sites with one fault, for ten minutes.
    #[must_use]
    pub fn new(id: RuleId, site: SiteGlob, fault: Fault) -> Self {
        Self {
            id,
            site,
            matcher: Matcher::new(),
            trigger: Trigger::new(),
            faults: vec![fault],
            lifetime: Lifetime::default(),
            #[cfg(feature = "window")]
            window: None,
            mode: Mode::Inject,
            is_final: false,
            enabled: true,
            reason: None,
            guards: Vec::new(),
        }
    }

    /// Adds a fault. They are carried out in order, until one ends the call.
    #[must_use]
    pub fn then(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Which calls.
    #[must_use]
    pub fn matching(mut self, matcher: Matcher) -> Self {
        self.matcher = matcher;
        self
    }

    /// Which of the matched calls.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// For how long.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// In which hours of the week it is alive, on the wall clock of the injector. Outside of them it
    /// matches nothing and counts nothing; its lifetime goes on.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Inject, or only count.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// If it fires, no further rule is asked.
    #[must_use]
    pub fn final_if_fired(mut self, is_final: bool) -> Self {
        self.is_final = is_final;
        self
    }

    /// A rule that is not enabled is kept and does nothing.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// What the service must not show while the rule is armed.
    #[must_use]
    pub fn guard(mut self, rail: GuardRail) -> Self {
        self.guards.push(rail);
        self
    }

    /// Why it is there, for those who come across it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Takes the reason back.
    #[must_use]
    pub fn without_reason(mut self) -> Self {
        self.reason = None;
        self
    }

    /// The name of the rule.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.id
    }

    /// The sites it aims at.
    #[must_use]
    pub fn site(&self) -> &SiteGlob {
        &self.site
    }

    /// Which calls it is about.
    #[must_use]
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Its faults, in order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether it may act at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Why it is there, if anyone said.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Its faults in order, by name: `latency+status`.
    #[must_use]
    pub fn fault_names(&self) -> String {
        let names: Vec<_> = self.faults.iter().map(Fault::name).collect();
        names.join("+")
    }

    /// Whether its parts go together.
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        for (at, rail) in self.guards.iter().enumerate() {
            let here = |error: RuleError| error.at(&format!("guards[{at}]"));
            rail.check().map_err(here)?;
        }
        let Trigger {
            key,
            first_attempts,
            program,
            ..
        } = &self.trigger;
        let keys = [
            ("key", key.as_ref()),
            (
                "first_attempts.key",
                first_attempts.as_ref().map(|first| &first.key),
            ),
        ];
        for (field, key) in keys {
            if let Some(key) = key.filter(|key| !key.fits(&self.matcher)) {
                let problem = format!("\"{key}\" names no parameter of the path that is matched");
                let allowed = "a parameter of the rule's own path, or another key";
                return Err(RuleError::new(field, problem, allowed));
            }
        }
        if let (Some(program), Some(ttl)) = (program, self.lifetime.ttl())
            && program.outlasts(ttl)
        {
            let problem = format!("does not fit into the ttl of {ttl:?}");
            let allowed = "phases that fit into the ttl";
            return Err(RuleError::new("program", problem, allowed));
        }
        Ok(())
    }

    /// Whether `self` does what `other` did, so that its counts go on; only whether it is enabled,
    /// and why, may differ.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        let Self {
            id,
            site,
            matcher,
            trigger,
            faults,
            lifetime,
            #[cfg(feature = "window")]
            window,
            mode,
            is_final,
            guards,
            enabled: _,
            reason: _,
        } = self;
        #[cfg(feature = "window")]
        if *window != other.window {
            return false;
        }
        *id == other.id
            && *site == other.site
            && *matcher == other.matcher
            && *trigger == other.trigger
            && *faults == other.faults
            && *lifetime == other.lifetime
            && *mode == other.mode
            && *is_final == other.is_final
            && *guards == other.guards
    }
}
