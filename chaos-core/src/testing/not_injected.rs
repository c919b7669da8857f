//! Why a rule has not hit as many calls as a test expects.

use std::fmt::{self, Write};

use crate::{
    armed::status::{Counts, State},
    injector::Injector,
    overlay::Overlay,
    rule::{Mode, Rule},
};

/// A rule has hit another number of calls than a test expected.
///
/// `Display` and `Debug` write one line with the counts and the likely reason: that the rule is gone,
/// injection is halted, no site has the rule's name, no call matched, or the trigger spared the calls.
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

impl NotInjected {
    /// Creates the error for `rule`, which has the given counts unless it is gone. Without an expected
    /// number, any hit would do.
    pub(super) fn new(
        rule: &Rule,
        counts: Option<&Counts>,
        expected: Option<u64>,
        (injector, overlay): (&Injector, Option<&Overlay>),
    ) -> Self {
        let hit = counts.map_or(0, |counts| counts.injected);
        let (id, site) = (&rule.id, &rule.site);
        let calls = if hit == 1 { "call" } else { "calls" };
        let mut text = format!("the rule {id} at {site} has hit {hit} {calls}");
        if let Some(expected) = expected {
            let _ = write!(text, ", expected: {expected}");
        }
        if hit < expected.unwrap_or(1) {
            text.push_str("; ");
            let is_halted = overlay.is_some_and(Overlay::is_halted);
            text.push_str(&match is_halted {
                true => "its overlay is halted".to_owned(),
                false => reason(rule, counts, injector),
            });
        }
        Self(text)
    }
}

/// Returns why `rule` has not hit more calls.
fn reason(rule: &Rule, counts: Option<&Counts>, injector: &Injector) -> String {
    let Some(counts) = counts else {
        return "it has been removed".to_owned();
    };
    if let State::Halted { reason, by, .. } = injector.status().state {
        return format!("injection is halted by {by}: {reason}", by = by.name());
    }
    if !rule.enabled {
        return "it is disabled".to_owned();
    }
    if rule.mode == Mode::Shadow {
        return format!(
            "its mode is shadow, calls that it counted: {}",
            counts.shadowed
        );
    }
    if counts.expires_in.is_some_and(|left| left.is_zero()) {
        return "its ttl is over".to_owned();
    }
    if let Some(reason) = no_site(rule, injector) {
        return reason;
    }
    let Counts {
        matched, overflow, ..
    } = counts;
    if *matched == 0 {
        return "no call that it matches has passed the site".to_owned();
    }
    let spared = overflow.iter().filter(|(_, calls)| *calls > 0);
    let spared: Vec<_> = spared
        .map(|(limit, calls)| format!(", {calls} spared by {}", limit.as_str()))
        .collect();
    format!("calls that it matched: {matched}{}", spared.concat())
}

/// Returns which sites there are, if the rule aims at none of them.
fn no_site(rule: &Rule, injector: &Injector) -> Option<String> {
    /// How many names are listed.
    const MOST: usize = 10;
    let mut names: Vec<_> = injector.sites().iter().map(|site| site.name()).collect();
    names.dedup();
    if names.iter().any(|name| rule.site.matches(name)) {
        return None;
    }
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
