//! What settles most calls of a rule without the rule: its flags, its rate and its counts.
//!
//! Threads keep this, so it keeps neither the rule nor what rules share alive.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
};

use crate::{
    armed::{counters::Counters, draw::Draw},
    call::{Call, cut_header},
    dice,
    matcher::compiled::{self, CompiledMatcher, Known, MethodBit},
    rule::Rule,
    trigger::key::Key,
};

/// The deadline was seen to have passed. The flag is never cleared.
pub(super) const EXPIRED: u8 = 1;
/// The rule is disabled.
pub(super) const OFF: u8 = 2;
/// The rule has a matcher.
pub(super) const MATCHES: u8 = 4;
/// The decision takes more than a draw.
pub(super) const CLOSELY: u8 = 8;
/// Where the decision takes more than a draw: it takes the key of a call or its number, and no more.
pub(super) const SIMPLY: u8 = 32;
/// The rule came with a request's token.
pub(super) const OF_TOKEN: u8 = 16;

/// What settles most calls of a rule.
#[derive(Debug)]
pub(crate) struct Precheck {
    /// What a glance compares a draw with: `hits`, or a number above all draws once there is anything special
    /// about the rule besides a matcher. It orders nothing: relaxed.
    bound: AtomicU64,
    /// What has to be checked before a draw decides. It orders nothing: relaxed.
    special: AtomicU8,
    /// The trigger's rate, as the number of draws of 2^53 that hit.
    hits: u64,
    matcher: CompiledMatcher,
    /// What decides by the key of a call, if the key decides and nothing else.
    keyed: Option<Box<Keyed>>,
    counters: Arc<Counters>,
}

/// What decides by the key of a call.
#[derive(Debug)]
struct Keyed {
    key: Key,
    draw: Draw,
}

impl Precheck {
    pub(super) fn new(rule: &Rule, counters: &Arc<Counters>) -> Self {
        let matcher = CompiledMatcher::new(&rule.matcher);
        let (special, hits) = (special(rule, &matcher), rule.trigger.hits_of_2_53());
        let is_special = special & !MATCHES != 0;
        Self {
            bound: AtomicU64::new(if is_special { u64::MAX } else { hits }),
            special: AtomicU8::new(special),
            hits,
            keyed: (special & SIMPLY != 0).then(|| Keyed::of(rule)).flatten(),
            matcher,
            counters: Arc::clone(counters),
        }
    }

    #[inline(always)]
    pub(super) fn special(&self) -> u8 {
        self.special.load(Relaxed)
    }

    pub(super) fn set(&self, flag: u8) {
        self.special.fetch_or(flag, Relaxed);
        self.bound.store(u64::MAX, Relaxed);
    }

    /// Returns whether a call may be left alone without the rule: it does not match, or a draw decides.
    pub(crate) fn can_settle(&self) -> bool {
        let special = self.special();
        special & (EXPIRED | OFF) == 0
            && (special & (MATCHES | CLOSELY) != CLOSELY || self.keyed.is_some())
    }

    /// Returns whether the rule hits every call, because it has no matcher and its rate is 1.
    pub(crate) fn hits_all(&self) -> bool {
        self.hits_if_it_matches() && self.special() & MATCHES == 0
    }

    /// Returns whether the rule hits every call that it matches, and there is nothing else special about it.
    #[inline(always)]
    pub(crate) fn hits_if_it_matches(&self) -> bool {
        self.bound.load(Relaxed) == dice::DRAWS
    }

    /// Returns whether facts of a call decide.
    pub(crate) fn reads_calls(&self) -> bool {
        self.special() & MATCHES != 0 || self.keyed.is_some()
    }

    /// Returns whether the method or the path of a request decides.
    pub(crate) fn reads_method_or_path(&self) -> bool {
        self.matcher.reads_method_or_path()
    }

    /// Returns whether the rule's matcher takes a call.
    #[inline(always)]
    pub(crate) fn matches(&self, call: &Call<'_>, known: Known) -> bool {
        self.matcher.is_settled(known) || self.matches_otherwise(call, known)
    }

    #[inline(never)]
    fn matches_otherwise(&self, call: &Call<'_>, known: Known) -> bool {
        self.matcher.matches(call, known)
    }

    /// Decides on one HTTP request, if that takes no more than its method, its path and a draw.
    #[inline(always)]
    pub(crate) fn glance_by(&self, method: MethodBit, path: &str) -> Glance {
        match self.matcher.takes_by(method, path) {
            Some(false) => Glance::Pass,
            Some(true) if self.keyed.is_none() => self.glance(),
            Some(true) | None if method == compiled::OTHER_METHOD => Glance::NeedsMethod,
            Some(true) | None => Glance::NeedsCall,
        }
    }

    /// Decides on one call, if that takes no more than a draw.
    #[inline(always)]
    pub(crate) fn glance_at(&self, call: &Call<'_>, known: Known) -> Glance {
        match (self.matcher.matches(call, known), &self.keyed) {
            (false, _) => Glance::Pass,
            (true, None) => self.glance(),
            (true, Some(keyed)) => self.glance_by_key(keyed, call),
        }
    }

    /// Decides on one call that matches by its key.
    #[inline(always)]
    fn glance_by_key(&self, keyed: &Keyed, call: &Call<'_>) -> Glance {
        if self.special() & (EXPIRED | OFF) != 0 {
            return Glance::LookCloser;
        }
        let is_hit = match &keyed.key {
            // Most keys are short values of headers, of which no text has to be made.
            Key::Header(name) => {
                let key = call.first_header(name).and_then(cut_header);
                key.is_some_and(|key| keyed.draw.hits_key(self.hits, key))
            }
            key => {
                let key = key.of(call, self.matcher.definition());
                key.is_some_and(|key| keyed.draw.hits_key(self.hits, key.as_bytes()))
            }
        };
        match (self.counters.count_matched_at_once(), is_hit) {
            (false, _) => Glance::LookCloser,
            (true, true) => Glance::Hit,
            (true, false) => Glance::Pass,
        }
    }

    /// Decides on one call that matches, if that takes no more than a draw.
    ///
    /// This function and its callers are what a call costs that is not hit. They read no clock,
    /// allocate nothing and write nothing that other threads write.
    #[inline(always)]
    pub(crate) fn glance(&self) -> Glance {
        self.compare(self.bound.load(Relaxed))
    }

    /// Counts a matched call and draws, unless this thread has first to initialize its counters or dice.
    #[inline(always)]
    pub(super) fn settle(&self) -> Glance {
        self.compare(self.hits)
    }

    #[inline(always)]
    fn compare(&self, bound: u64) -> Glance {
        // A thread that has not drawn before draws zero, which is below any bound but zero.
        let is_below = dice::draw_at_once() >> 11 < bound;
        if is_below && (bound == u64::MAX || !dice::is_thread_seeded()) {
            return Glance::LookCloser;
        }
        match (self.counters.count_matched_at_once(), is_below) {
            (false, _) => Glance::LookCloser,
            (true, true) => Glance::Hit,
            (true, false) => Glance::Pass,
        }
    }

    /// Takes back one matched call that this thread has counted.
    pub(crate) fn take_back(&self) {
        self.counters.take_back_matched();
    }
}

impl Keyed {
    fn of(rule: &Rule) -> Option<Box<Self>> {
        let key = rule.trigger.deciding_key()?.clone();
        let draw = Draw::of(rule);
        Some(Box::new(Self { key, draw }))
    }
}

#[cfg(feature = "window")]
fn has_window(rule: &Rule) -> bool {
    rule.window.is_some()
}

#[cfg(not(feature = "window"))]
fn has_window(_: &Rule) -> bool {
    false
}

fn special(rule: &Rule, matcher: &CompiledMatcher) -> u8 {
    let trigger = &rule.trigger;
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    flag(!rule.enabled, OFF)
        | flag(!matcher.takes_all(), MATCHES)
        | flag(trigger.asks_closely() || has_window(rule), CLOSELY)
        | flag(trigger.is_simple() && !has_window(rule), SIMPLY)
}

/// The result of a glance.
pub(crate) enum Glance {
    Pass,
    Hit,
    LookCloser,
    /// More facts of the call are needed than its method and its path.
    NeedsCall,
    /// The method is needed, and maybe other facts.
    NeedsMethod,
}
