//! A rule: which sites, which calls, how many of them, which faults, and for how long.

pub(crate) mod extend_error;
pub(crate) mod lifetime;
pub(crate) mod parted_list;
mod positions;
mod rule_list;
pub(crate) mod rule_set;
pub(crate) mod weight;

pub use self::{
    extend_error::ExtendError,
    lifetime::Lifetime,
    rule_set::{Change, ChangeError, RuleSet},
};

use std::sync::Arc;

#[cfg(feature = "window")]
use crate::trigger::window::Window;
use crate::{
    error::RuleError,
    fault::Fault,
    guard_rail::GuardRail,
    matcher::{Matcher, glob::SiteGlob},
    name::RuleId,
    rule::weight::WrittenLength,
    trigger::Trigger,
};

/// Whether a rule injects or only counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Matches, draws, counts and injects.
    #[default]
    Inject,
    /// Matches, draws and counts, but injects nothing. `max_active` does not apply, since no
    /// injection is ever under way.
    Shadow,
}

/// A named rule: the sites it aims at, the calls it hits, and the faults it injects there.
///
/// A new rule hits every call of its sites, for ten minutes. It holds at least one fault, so it
/// cannot be without effect by accident.
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
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) site: SiteGlob,
    pub(crate) matcher: Arc<Matcher>,
    pub(crate) trigger: Trigger,
    pub(crate) faults: Box<[Fault]>,
    pub(crate) lifetime: Lifetime,
    #[cfg(feature = "window")]
    pub(crate) window: Option<Box<Window>>,
    pub(crate) mode: Mode,
    pub(crate) is_final: bool,
    pub(crate) enabled: bool,
    pub(crate) reason: Option<Box<str>>,
    pub(crate) guards: Box<[GuardRail]>,
    pub(crate) written: WrittenLength,
    /// Whether the id is the place of a `rule!`, which all rules that are made there share.
    pub(crate) has_default_id: bool,
}

impl Rule {
    /// Creates a rule that injects `fault` into every call at the sites, with the default lifetime
    /// of ten minutes.
    #[must_use]
    pub fn new(id: RuleId, site: SiteGlob, fault: Fault) -> Self {
        Self {
            id,
            site,
            matcher: Arc::default(),
            trigger: Trigger::new(),
            faults: Box::new([fault]),
            lifetime: Lifetime::default(),
            #[cfg(feature = "window")]
            window: None,
            mode: Mode::Inject,
            is_final: false,
            enabled: true,
            reason: None,
            guards: Box::default(),
            written: WrittenLength::default(),
            has_default_id: false,
        }
    }

    /// Adds a fault. The faults are executed in order, until one ends the call.
    #[must_use]
    pub fn then(mut self, fault: Fault) -> Self {
        self.faults = with_last(self.faults, fault);
        self
    }

    /// Sets which calls the rule applies to. The default is all calls of its sites.
    #[must_use]
    pub fn matching(mut self, matcher: Matcher) -> Self {
        self.matcher = Arc::new(matcher);
        self
    }

    /// Sets which of the matched calls the rule hits. The default is all of them.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets how long the rule lives after it is armed. The default is ten minutes, or what the
    /// [policy](crate::Policy::default_ttl) sets.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the hours of the week in which the rule is active, by the time of day of the injector's
    /// clock. Outside of them it matches and counts nothing, while its lifetime goes on.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(Box::new(window));
        self
    }

    /// Sets whether the rule injects or only counts. The default is [`Mode::Inject`].
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets whether no later rule is asked about a call that this rule hits. The default is
    /// `false`.
    #[must_use]
    pub fn final_if_fired(mut self, is_final: bool) -> Self {
        self.is_final = is_final;
        self
    }

    /// Sets whether the rule is enabled, which is the default. A disabled rule is listed and does
    /// nothing.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Adds a guard rail, which is active while the rule is armed.
    #[must_use]
    pub fn guard(mut self, rail: GuardRail) -> Self {
        self.guards = with_last(self.guards, rail);
        self
    }

    /// Sets why the rule exists, in free text. Lists of rules and the audit show it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into().into());
        self
    }

    /// Removes the reason.
    #[must_use]
    pub fn without_reason(mut self) -> Self {
        self.reason = None;
        self
    }

    /// Returns the id of the rule.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.id
    }

    /// Returns the sites that the rule aims at.
    #[must_use]
    pub fn site(&self) -> &SiteGlob {
        &self.site
    }

    /// Returns the conditions on the calls that it applies to.
    #[must_use]
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Returns the faults in order. There is at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns whether the rule is enabled.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Returns why the rule exists, if a reason was set.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the names of the faults in order, joined by `+`: `latency+status`.
    #[must_use]
    pub fn fault_names(&self) -> String {
        let names: Vec<_> = self.faults.iter().map(Fault::name).collect();
        names.join("+")
    }

    /// Checks what depends on several fields: that guard rails have a bound, that a key names a
    /// parameter of the path, and that a program fits into the lifetime.
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
            ("key", key.as_deref()),
            (
                "first_attempts.key",
                first_attempts.as_ref().map(|first| &first.key),
            ),
        ];
        for (field, key) in keys {
            if let Some(key) = key.filter(|key| !key.fits(&self.matcher)) {
                let problem = format!("\"{key}\" is not a parameter of the path that is matched");
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

    /// Checks that there is no guard rail. What a guard rail measures are everyone's calls, so a rule
    /// that one task or one request brings along has none; those of the policy hold for it.
    pub(crate) fn has_no_guard_rail(&self) -> Result<(), RuleError> {
        if self.guards.is_empty() {
            return Ok(());
        }
        let problem = "a rule of an overlay or a token has no guard rails";
        let allowed = "no guard rails here; those of the policy hold for overlays and tokens too";
        Err(RuleError::new("guards", problem, allowed))
    }

    /// Returns whether `self` does what `other` did, so that its counters go on. Only whether it is
    /// enabled, and its reason, may differ.
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
            written: _,
            has_default_id: _,
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

/// Returns the list with one more item, and without room for others: there may be thousands of rules.
fn with_last<T>(list: Box<[T]>, item: T) -> Box<[T]> {
    let mut list = list.into_vec();
    list.reserve_exact(1);
    list.push(item);
    list.into()
}

/// How a rule was written makes no difference: one from a `rule!` equals the one from its JSON.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.continues(other) && self.enabled == other.enabled && self.reason == other.reason
    }
}
