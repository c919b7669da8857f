//! Why a rule has not hit as many calls as a test expects.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use crate::{
    armed::{Armed, status::Counts},
    injector::{Injector, warnings::Warning},
    overlay::Overlay,
    rule::{Mode, Rule},
    testing::halt_since::Halt,
};

/// A rule has hit another number of calls than a test expected.
///
/// `Display` and `Debug` write one line with the counts and what is known of the reason: that the rule is gone,
/// that injection is halted or was halted meanwhile, that no site has the rule's name, that no call has passed the
/// site in the overlay, that no call matched, or that a limit, an exemption or the policy spared the calls. The
/// warnings of the rule follow (see [`Injector::warnings`]).
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, Injector, Rule};
///
/// let injector = Injector::new();
/// injector.site("http.client");
/// let slip = Rule::new("down".parse()?, "http.clent".parse()?, Fault::error("down"));
/// let down = injector.arm(slip);
/// assert_eq!(
///     down.wait_for_blocking(1, Duration::ZERO).unwrap_err().to_string(),
///     "the rule down at http.clent has hit 0 calls, expected: 1; there is no such site, only: \
///      http.client"
/// );
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone)]
pub struct NotInjected(String);

/// Why the rule of a guard is not in force.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gone {
    Removed,
    Replaced,
}

impl Gone {
    fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "it has been removed",
            Self::Replaced => "it was replaced by another rule with its id, or edited",
        }
    }
}

/// The rule of a guard, and where it is armed.
#[derive(Debug)]
pub(super) struct Aim<'a> {
    pub(super) rule: &'a Rule,
    pub(super) injector: &'a Injector,
    pub(super) overlay: Option<&'a Overlay>,
    /// The halt in force, or the last one since the rule was armed.
    pub(super) halt: Option<Halt>,
}

impl NotInjected {
    /// Creates the error for the rule of `aim`, which is armed or gone. Without an expected number, any hit would
    /// do.
    pub(super) fn new(
        aim: &Aim<'_>,
        armed: Result<Arc<Armed>, Gone>,
        expected: Option<u64>,
    ) -> Self {
        let counters = armed.as_ref().map(|armed| &armed.counters);
        let hit = counters.map_or(0, |counters| counters.injected());
        let (id, site) = (&aim.rule.id, &aim.rule.site);
        let calls = if hit == 1 { "call" } else { "calls" };
        let mut text = format!("the rule {id} at {site} has hit {hit} {calls}");
        if let Some(expected) = expected {
            let _ = write!(text, ", expected: {expected}");
        }
        let reasons = match &armed {
            Err(gone) => vec![gone.as_str().to_owned()],
            Ok(_) if hit >= expected.unwrap_or(1) => Vec::new(),
            Ok(armed) => aim.reasons(armed),
        };
        for reason in reasons {
            let _ = write!(text, "; {reason}");
        }
        Self(text)
    }
}

impl Aim<'_> {
    /// Returns why the rule has not hit more calls.
    fn reasons(&self, armed: &Armed) -> Vec<String> {
        if let Some(state) = self.state(armed) {
            return vec![state];
        }
        let mut reasons = vec![self.calls(armed)];
        let warnings = self.injector.warnings([self.rule]);
        reasons.extend(warnings.iter().map(|warning| {
            let Warning {
                field,
                detail,
                suggestion,
                ..
            } = warning;
            format!("{field}: {detail}, instead: {suggestion}")
        }));
        let policy = self.injector.policy();
        let faults = self.rule.faults.iter().enumerate();
        reasons.extend(faults.filter_map(|(at, fault)| {
            let refused = policy.permits(fault).err()?;
            Some(refused.under(&format!("faults[{at}]")).to_string())
        }));
        if let Some(Halt { by, reason, .. }) = &self.halt {
            reasons.push(format!("meanwhile, injection was halted by {by}: {reason}"));
        }
        reasons
    }

    /// Returns what keeps the rule from hitting any call now.
    fn state(&self, armed: &Armed) -> Option<String> {
        let counts = Counts::of(armed, self.injector.now());
        if self.overlay.is_some_and(Overlay::is_halted) {
            return Some("its overlay is halted".to_owned());
        }
        if let Some(Halt { by, reason, .. }) = self.halt.as_ref().filter(|halt| !halt.is_over) {
            return Some(format!("injection is halted by {by}: {reason}"));
        }
        if !armed.rule.enabled {
            return Some("it is disabled".to_owned());
        }
        let is_shadow = armed.rule.mode == Mode::Shadow;
        if is_shadow || self.injector.policy().shadow_only {
            let whose = if is_shadow {
                "its mode"
            } else {
                "the policy's mode"
            };
            let counted = counts.shadowed;
            return Some(format!(
                "{whose} is shadow, calls that it counted: {counted}"
            ));
        }
        if counts.leash.is_some_and(|left| left.is_zero()) {
            return Some("its leash is over".to_owned());
        }
        if counts.expires_in.is_some_and(|left| left.is_zero()) {
            return Some("its ttl is over".to_owned());
        }
        self.no_site()
    }

    /// Returns which calls the rule has matched, and what is known of others.
    fn calls(&self, armed: &Armed) -> String {
        let counts = Counts::of(armed, self.injector.now());
        if counts.matched == 0 {
            return self.no_call();
        }
        let overflow = counts.overflow;
        let spared = overflow.iter().filter(|(_, calls)| *calls > 0);
        let spared: Vec<_> = spared
            .map(|(limit, calls)| format!(", {calls} spared by {}", limit.as_str()))
            .collect();
        let mut text = format!(
            "calls that it matched: {}{}",
            counts.matched,
            spared.concat()
        );
        if armed.counters.have_spared_exempt() {
            text.push_str(", of which some are exempt from all rules");
        }
        text
    }

    /// Returns what is known of the calls of which none matched.
    fn no_call(&self) -> String {
        let Some(overlay) = self.overlay else {
            return "no call that it matches has passed the site".to_owned();
        };
        let mut sites = self.injector.sites();
        sites.retain(|site| self.rule.site.matches(site.name()));
        if sites.iter().any(|site| overlay.has_passed(site)) {
            return "calls have passed the site in its overlay, and it matches none of them"
                .to_owned();
        }
        let mut text = "no call that it matches has passed the site in its overlay".to_owned();
        if sites.iter().any(|site| site.has_passed_outside()) {
            text.push_str(
                ", but calls have outside of any overlay: is a task spawned without `Overlay::carry`?",
            );
        }
        text
    }

    /// Returns which sites there are, the most similar names first, if the rule aims at none of them.
    fn no_site(&self) -> Option<String> {
        /// How many names are listed.
        const MOST: usize = 10;
        let aim = &self.rule.site;
        let sites = self.injector.sites();
        let mut names: Vec<_> = sites.iter().map(|site| site.name()).collect();
        names.dedup();
        if names.iter().any(|name| aim.matches(name)) {
            return None;
        }
        let unlike = |name: &&str| -strsim::jaro_winkler(name, aim.as_str());
        names.sort_by(|a, b| unlike(a).total_cmp(&unlike(b)));
        let more = names.len().saturating_sub(MOST);
        names.truncate(MOST);
        Some(match (&*names, more) {
            ([], _) => "no site has been passed or made yet".to_owned(),
            (names, 0) => format!("there is no such site, only: {}", names.join(", ")),
            (names, more) => format!(
                "there is no such site, only: {}, and {more} more",
                names.join(", ")
            ),
        })
    }
}

impl fmt::Display for NotInjected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes what `Display` writes, which is what `unwrap` in a test shows.
impl fmt::Debug for NotInjected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotInjected {}
