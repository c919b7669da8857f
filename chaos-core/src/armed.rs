//! A rule in force: the rule with its counters, its arming and its gate, and how it decides on a call.

mod aims;
pub(crate) mod arming;
pub(crate) mod counters;
pub(crate) mod draw;
pub(crate) mod plain;
pub(crate) mod precheck;
pub(crate) mod preview;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod ties;

use std::{
    ptr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;

use crate::{
    armed::{
        arming::{ArmedBy, Arming},
        counters::Counters,
        draw::Hit,
        plain::PlainRule,
        precheck::{CLOSELY, EXPIRED, Glance, MATCHES, OF_TOKEN, OFF, Precheck, SIMPLY},
        ties::Ties,
    },
    call::{Call, site_kind::SiteKind},
    fault::{Fault, prepared::PreparedAnswers},
    gate::Gate,
    hub::Hub,
    matcher::compiled::Known,
    policy::{Policy, limit::Limit},
    rule::Rule,
    trigger::{
        budget::Budget,
        replay::{By, Decisions, Turn},
    },
};

/// What a site holds of each rule that aims at it.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) rule: Arc<Rule>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) arming: Arc<Arming>,
    /// What settles most calls. Threads share it, and may keep it longer than the rule.
    pub(crate) precheck: Arc<Precheck>,
    /// Whether a budget or the policy bounds its injections, whatever the policy is.
    pub(crate) is_always_bounded: bool,
    /// Whether one of its faults is a choice.
    pub(crate) chooses: bool,
    /// Whether each injection takes a permit from an allowance.
    pub(crate) is_fed: bool,
    /// Present if it may fire in the plain way.
    plain: Option<PlainRule>,
    /// Made when the rule first fires, because a rule set may hold thousands of rules.
    prepared: OnceLock<Box<Prepared>>,
}

/// What a hit needs of a rule, whatever the call.
#[derive(Debug)]
struct Prepared {
    /// The names of the faults in order, joined by `+`.
    names: Arc<str>,
    mark: HeaderValue,
    answers: PreparedAnswers,
    /// The line of text of the error of a rule with no other fault, and the first site where a response had it.
    line: OnceLock<(&'static str, Bytes)>,
}

impl Armed {
    fn new(
        rule: Arc<Rule>,
        counters: Arc<Counters>,
        policy: &Policy,
        by: &Arc<ArmedBy>,
        ties: Option<Arc<Ties>>,
    ) -> Self {
        let arming = Arming::new(&rule, policy, by, ties);
        let is_fed = arming.is_fed();
        Self {
            precheck: Arc::new(Precheck::new(&rule, &counters)),
            counters,
            gate: Arc::default(),
            arming: Arc::new(arming),
            is_always_bounded: is_always_bounded(&rule),
            chooses: chooses(&rule),
            is_fed,
            plain: PlainRule::of(&rule).filter(|_| !is_fed),
            prepared: OnceLock::new(),
            rule,
        }
    }

    /// Puts `rule` in force after `before`, the rule that had its id, if there was one.
    ///
    /// An unchanged rule goes on. One that was disabled, or that had expired and is put again, is armed
    /// anew with its counts kept. Any other change starts from nothing.
    ///
    /// A rule that is put hangs on what `by` says. One that is edited stays on what it hung on, unless `by` says
    /// something else. Of a list, those hang on what `by` says that are new or changed.
    pub(crate) fn succeed(
        before: Option<&Arc<Self>>,
        rule: Arc<Rule>,
        way: WayIn,
        policy: &Policy,
        by: &Arc<ArmedBy>,
    ) -> Arc<Self> {
        let was_tied = before.and_then(|before| before.arming.ties());
        let is_same = before.is_some_and(|before| *rule == *before.rule);
        let ties = match way {
            WayIn::Put => by.ties.clone(),
            WayIn::Edit => by.ties.clone().or_else(|| was_tied.clone()),
            WayIn::Replace if is_same => was_tied.clone(),
            WayIn::Replace => by.ties.clone(),
        };
        let Some(before) = before.filter(|before| rule.continues(&before.rule)) else {
            return Arc::new(Self::new(rule, Arc::default(), policy, by, ties));
        };
        let rearmed = way == WayIn::Put && before.arming.has_expired(by.since);
        if is_same && !rearmed && ties == was_tied {
            return Arc::clone(before);
        }
        if rule.enabled != before.rule.enabled || rearmed {
            // Who disables a rule does not arm it.
            let by = match rule.enabled {
                true => by,
                false => &before.arming.armed_by,
            };
            let counters = Arc::clone(&before.counters);
            return Arc::new(Self::new(rule, counters, policy, by, ties));
        }
        // A call that waits already keeps the leash with which it began.
        before.arming.hang_on(ties);
        let gate = Arc::clone(&before.gate);
        Arc::new(before.go_on(rule, gate))
    }

    /// Returns the rule with the same arming and a new gate: what a halt leaves for `resume`.
    pub(crate) fn behind_new_gate(&self) -> Arc<Self> {
        Arc::new(self.go_on(Arc::clone(&self.rule), Arc::default()))
    }

    /// Returns the rule behind the same gate, and without what was seen of an earlier deadline.
    fn extended(&self) -> Arc<Self> {
        let extended = self.go_on(Arc::clone(&self.rule), Arc::clone(&self.gate));
        // A call may have seen the old deadline pass while it was moved.
        let precheck = Arc::new(Precheck::new(&self.rule, &self.counters));
        Arc::new(Self {
            precheck,
            ..extended
        })
    }

    fn go_on(&self, rule: Arc<Rule>, gate: Arc<Gate>) -> Self {
        let is_fed = self.arming.is_fed();
        Self {
            is_always_bounded: is_always_bounded(&rule),
            chooses: chooses(&rule),
            is_fed,
            plain: PlainRule::of(&rule).filter(|_| !is_fed),
            rule,
            gate,
            counters: Arc::clone(&self.counters),
            arming: Arc::clone(&self.arming),
            precheck: Arc::clone(&self.precheck),
            // It knows the faults by where they are, and the rule may be another.
            prepared: OnceLock::new(),
        }
    }

    fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| {
            let rule = &self.rule;
            Box::new(Prepared {
                names: rule.fault_names().into(),
                mark: rule.id.to_header_value(),
                answers: PreparedAnswers::of(&rule.id, &rule.faults),
                line: OnceLock::new(),
            })
        })
    }

    /// Returns the names of the rule's faults in order, joined by `+`.
    pub(crate) fn fault_names(&self) -> &Arc<str> {
        &self.prepared().names
    }

    /// Returns the id of the rule as the value of a header.
    pub(crate) fn mark(&self) -> &HeaderValue {
        &self.prepared().mark
    }

    /// Returns the answers of the rule's faults.
    pub(crate) fn answers(&self) -> &PreparedAnswers {
        &self.prepared().answers
    }

    /// Returns the line of text of the error of a rule with no other fault, at a site. That of the first site is made
    /// once.
    pub(crate) fn line(&self, site: &'static str, make: impl Fn() -> Bytes) -> Bytes {
        let (first, line) = self.prepared().line.get_or_init(|| (site, make()));
        match ptr::eq(*first, site) {
            true => line.clone(),
            false => make(),
        }
    }

    /// Returns whether the rule can still act: enabled, and not expired. Its leash may be over.
    pub(crate) fn is_live(&self, now: Duration) -> bool {
        self.rule.enabled && !self.arming.has_expired(now)
    }

    /// Returns whether the rule can act now: live, and its leash is not over.
    pub(crate) fn can_act(&self, now: Duration) -> bool {
        self.rule.enabled && !self.arming.is_over(now)
    }

    /// Records that the rule was seen to be over, if that is for good: a leash may be extended again.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_over(&self, now: Duration) {
        if self.arming.has_expired(now) {
            self.precheck.set(EXPIRED);
        }
    }

    /// Marks the rule as one that came with a request's token.
    pub(crate) fn mark_of_token(&self) {
        self.precheck.set(OF_TOKEN);
    }

    /// Returns whether the rule came with a request's token. All such rules together may use half of what
    /// the policy allows in all.
    pub(crate) fn is_of_token(&self) -> bool {
        self.precheck.special() & OF_TOKEN != 0
    }

    /// Returns whether the rule belongs to an overlay.
    pub(crate) fn is_of_overlay(&self) -> bool {
        self.arming.armed_by.of_overlay
    }

    /// Returns whether a call is hit by more than chance: its number or key, or the age of the rule.
    pub(crate) fn decides_closely(&self) -> bool {
        self.precheck.special() & CLOSELY != 0
    }

    /// Returns what it takes to fire at a site of this kind, if that is all that a hit by chance needs.
    #[inline]
    pub(crate) fn plain_at(&self, kind: SiteKind) -> Option<&PlainRule> {
        let is_special = self.precheck.special() & (CLOSELY | OF_TOKEN) != 0;
        let plain = self.plain.as_ref().filter(|_| !is_special);
        plain.filter(|plain| plain.can_happen_at(kind))
    }

    /// Returns whether the rule may spare calls that it hits, and takes no more than its path to know of a request.
    pub(crate) fn may_spare(&self) -> bool {
        (self.plain.as_ref()).is_some_and(|plain| !plain.always_fires)
    }

    /// Logs that a call was hit, if the rule's decisions can be replayed.
    #[inline]
    pub(crate) fn log(&self, by: impl FnOnce() -> By) {
        if let Some(log) = self.arming.log() {
            log.add(by());
        }
    }

    /// Returns which calls were hit, if that is known: from the log, or from the counts of a rule that hits
    /// each call that it matches.
    pub(crate) fn decisions(&self) -> Option<Decisions> {
        if let Some(log) = self.arming.log() {
            return Some(log.decisions());
        }
        let trigger = &self.rule.trigger;
        // Read in this order: a call that has matched and is not counted further makes them differ.
        let hit = self.counters.injected() + self.counters.shadowed();
        let spared = self.counters.overflow().of(Limit::Limit);
        let matched = self.counters.matched();
        let is_used_up = trigger.limit.is_some_and(|limit| limit.get() == hit);
        let is_known =
            trigger.always_hits() && (hit == matched || is_used_up && hit + spared == matched);
        is_known.then(|| Decisions::first(hit))
    }

    /// Decides on one call, whatever the rule needs for that, and is inlined into what asks rules. Something of its matcher may be known to hold.
    #[inline(always)]
    pub(crate) fn consult(&self, call: &Call<'_>, hub: &Hub, known: Known) -> Verdict {
        let special = self.precheck.special();
        if special & (EXPIRED | OFF) != 0 {
            return if special & OFF != 0 {
                Verdict::Pass
            } else {
                Verdict::Expired
            };
        }
        if special & MATCHES != 0 && !self.precheck.matches(call, known) {
            return Verdict::Pass;
        }
        if special & CLOSELY != 0 {
            return match special & SIMPLY {
                0 => self.consult_closely(call, hub),
                _ => self.consult_simply(call),
            };
        }
        match self.precheck.settle() {
            Glance::Pass => Verdict::Spared,
            Glance::Hit => Verdict::Hit(Hit::BY_CHANCE),
            Glance::LookCloser | Glance::NeedsCall | Glance::NeedsMethod => {
                self.decide(Turn::default(), Duration::ZERO)
            }
        }
    }

    /// Decides for a rule that needs nothing but the key of a call or, without a key, its number.
    #[cold]
    #[inline(never)]
    fn consult_simply(&self, call: &Call<'_>) -> Verdict {
        let (trigger, draw) = (&self.rule.trigger, self.arming.draw);
        let Some(key) = trigger.deciding_key() else {
            let ordinal = self.arming.progress.next_ordinal();
            self.counters.count_matched();
            return match draw.hits_ordinal(trigger, ordinal) {
                true => Verdict::Hit(Hit::of(Turn {
                    ordinal: Some(ordinal),
                    key: None,
                })),
                false => Verdict::Spared,
            };
        };
        let key = key.of(call, &self.rule.matcher);
        self.counters.count_matched();
        match key {
            Some(key) if draw.hits_key(trigger.hits_of_2_53(), key.as_bytes()) => {
                Verdict::Hit(Hit::BY_CHANCE)
            }
            Some(_) => Verdict::Spared,
            None => Verdict::Pass,
        }
    }

    /// Decides for a rule that needs more than chance: which call it is, and when.
    #[cold]
    #[inline(never)]
    fn consult_closely(&self, call: &Call<'_>, hub: &Hub) -> Verdict {
        let Rule {
            trigger, matcher, ..
        } = &*self.rule;
        #[cfg(feature = "window")]
        if (self.rule.window.as_ref()).is_some_and(|window| !window.contains(hub.clock.wall())) {
            return Verdict::Pass;
        }
        if (trigger.budget.as_deref()).is_some_and(Budget::counts_calls)
            && let Some(spending) = self.arming.spending()
        {
            spending.count_call();
        }
        // The clock is read only where a program depends on it.
        let now = trigger.program.as_ref().map(|_| hub.clock.now());
        if let Some(now) = now.filter(|now| self.arming.has_expired(*now)) {
            self.note_over(now);
            return Verdict::Expired;
        }
        let ordinal = (trigger.counts_calls()).then(|| self.arming.progress.next_ordinal());
        let key = trigger.deciding_key().map(|key| key.of(call, matcher));
        // A call without the deciding key is left alone, and so is one that `skip` or `every` passes over.
        let is_without_key = matches!(key, Some(None));
        let is_out = is_without_key
            || trigger.replay.is_none() && ordinal.is_some_and(|ordinal| !trigger.takes(ordinal));
        if is_out {
            self.counters.count_matched();
            return match is_without_key {
                true => Verdict::Pass,
                false => Verdict::Spared,
            };
        }
        let key = key.flatten();
        let turn = Turn {
            ordinal,
            key: key.as_deref(),
        };
        let age = now.map(|now| self.arming.age(now));
        self.decide(turn, age.unwrap_or_default())
    }

    #[cold]
    #[inline(never)]
    fn decide(&self, turn: Turn<'_>, age: Duration) -> Verdict {
        self.counters.count_matched();
        if self.arming.draw.hits(&self.rule.trigger, turn, age) {
            Verdict::Hit(Hit::of(turn))
        } else {
            Verdict::Spared
        }
    }

    /// Releases all calls that the rule delays.
    pub(crate) fn open(&self) {
        self.gate.open();
        // After the gate: a call that starts to wait for a release checks the gate afterwards.
        self.arming.pauses.release();
    }
}

fn is_always_bounded(rule: &Rule) -> bool {
    rule.trigger.budget.is_some() || rule.faults.iter().any(Fault::is_always_bounded)
}

fn chooses(rule: &Rule) -> bool {
    let mut faults = rule.faults.iter();
    faults.any(|fault| matches!(fault, Fault::OneOf(_)))
}

/// How a rule comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayIn {
    Put,
    Edit,
    /// In a list of all rules.
    Replace,
}

/// What a rule decides on a call.
pub(crate) enum Verdict {
    /// The rule does not match the call, or the call has no key to decide by.
    Pass,
    /// The rule matches the call, and leaves it alone.
    Spared,
    Expired,
    /// The rule hits the call, and fires unless a limit spares the call.
    Hit(Hit),
}
