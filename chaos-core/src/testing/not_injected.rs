//! Why a rule has not hit as many calls as a test expects.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use crate::{
    armed::{
        Armed,
        status::{Counts, State},
    },
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

impl NotInjected {
    /// Creates the error for `rule`, which is armed or gone. Without an expected number, any hit would do.
    pub(super) fn new(
        rule: &Rule,
        armed: Result<Arc<Armed>, Gone>,
        expected: Option<u64>,
        (injector, overlay): (&Injector, Option<&Overlay>),
    ) -> Self {
        let counts = armed.map(|armed| Counts::of(&armed, injector.now()));
        let hit = counts.as_ref().map_or(0, |counts| counts.injected);
        let (id, site) = (&rule.id, &rule.site);
        let calls = if hit == 1 { "call" } else { "calls" };
        let mut text = format!("the rule {id} at {site} has hit {hit} {calls}");
        if let Some(expected) = expected {
            let _ = write!(text, ", expected: {expected}");
        }
        let reason = match &counts {
            Err(gone) => Some(gone.as_str().to_owned()),
            Ok(_) if hit >= expected.unwrap_or(1) => None,
            Ok(_) if overlay.is_some_and(Overlay::is_halted) => {
                Some("its overlay is halted".to_owned())
            }
            Ok(counts) => Some(reason(rule, counts, injector)),
        };
        if let Some(reason) = reason {
            let _ = write!(text, "; {reason}");
        }
        Self(text)
    }
}

/// Returns why `rule` has not hit more calls.
fn reason(rule: &Rule, counts: &Counts, injector: &Injector) -> String {
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
