//! Explanations: what each rule that aims at a site would do with a call, and why. A question about one call, beside the
//! path of calls: nothing is counted, drawn or injected.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    armed::Armed,
    call::Call,
    decision::steps::can_happen,
    injector::{
        Injector,
        needs::{Fact, has},
    },
    matcher::mismatch::Mismatch,
    policy::Policy,
    rule::{Mode, Rule},
    site::Site,
    trigger::{
        budget::Budget,
        key::Key,
        replay::{Replay, Turn},
    },
};

/// What a rule would do with a call, and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The conditions that do not hold for the call. The rule matches the call if there are none.
    pub mismatches: Vec<Mismatch>,
    /// The key by which the rule decides, with that of the call if it has one; `None` for a rule without a key.
    pub key: Option<(Key, Option<String>)>,
    /// What is drawn for the call, from 0 to 1, if the key decides. Otherwise chance does, or the number of the call.
    pub draw: Option<f64>,
    /// The fraction of calls that the rule hits now: a call is hit if its draw is below.
    pub share: f64,
    /// What keeps the rule from injecting a fault, whatever is drawn.
    pub obstacles: Vec<Obstacle>,
    /// Whether the call would be hit; `None` if chance decides, or what other calls there are.
    pub hits: Option<bool>,
}

/// What keeps a rule from injecting a fault into a call that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// All injection is halted.
    Halted,
    /// The rule is disabled.
    Disabled,
    /// The deadline of the rule has passed.
    Ended,
    /// The leash on which the rule hangs is over, and may be extended again.
    Lapsed,
    /// The rule, or the policy, only counts.
    Shadow,
    /// The call is exempt, or its site is.
    Exempt,
    /// The policy allows no rule at the site.
    OutsideOfPolicy,
    /// None of the rule's faults can happen at the site.
    NoFault,
    /// The rule's hours of the week do not include now.
    OutsideOfWindow,
    /// The call does not have the key by which the rule decides.
    NoKey,
    /// The rule's limit is used up, or the allowance is that feeds it, which may be added to.
    LimitUsedUp,
    /// As many injections of the rule are under way as may be.
    MaxActive,
}

impl Obstacle {
    /// Returns the obstacle's name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Disabled => "disabled",
            Self::Ended => "ended",
            Self::Lapsed => "lapsed",
            Self::Shadow => "shadow",
            Self::Exempt => "exempt",
            Self::OutsideOfPolicy => "outside_of_policy",
            Self::NoFault => "no_fault",
            Self::OutsideOfWindow => "outside_of_window",
            Self::NoKey => "no_key",
            Self::LimitUsedUp => "limit_used_up",
            Self::MaxActive => "max_active",
        }
    }
}

impl Injector {
    /// Explains what each rule that aims at `site` would do with `call`, in the order of the rules. It counts nothing and
    /// draws nothing that a later call would see. Each rule is explained by itself, as if no other fired before it.
    ///
    /// Facts that calls at the site do not have are left out: code sees neither a request nor its headers.
    ///
    /// ```
    /// use chaos_core::{Call, Fault, Injector, Matcher, Rule};
    ///
    /// let injector = Injector::new();
    /// let rule = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
    /// injector.put(rule.matching(Matcher::new().label("table", "orders")));
    /// let labels = [("table", "users".into())];
    /// let explained = injector.explain(injector.site("db.read"), &Call::new().labels(&labels));
    /// assert_eq!(explained[0].hits, Some(false));
    /// assert_eq!(explained[0].mismatches[0].field, "match.labels.table");
    /// assert_eq!(explained[0].mismatches[0].got, ["users"]);
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    #[must_use]
    pub fn explain(&self, site: &'static Site, call: &Call<'_>) -> Vec<Explanation> {
        let book = self.swept_book();
        let aimed = book.rules.armed.iter();
        let aimed = aimed.filter(|rule| rule.rule.site.matches(site.name()));
        let aimed: Vec<_> = aimed.cloned().collect();
        let is_exempt_site = book.exempts(site);
        drop(book);
        // What is seen here of a request, code does not see.
        let seen = match has(site, Fact::Request) {
            true => *call,
            false => call.without_request(),
        };
        let hub = &self.0.hub;
        let bounds = hub.bounds.load();
        let asked = CallInQuestion {
            site,
            is_exempt: is_exempt_site || site.exempts(hub, &seen),
            is_halted: hub.is_halted(),
            call: seen,
            policy: &bounds.policy,
            now: self.now(),
        };
        aimed
            .iter()
            .map(|rule| self.explain_one(rule, &asked))
            .collect()
    }

    /// Returns what keeps a rule from injecting into any call of a site now.
    pub(super) fn obstacles_at(
        &self,
        site: &'static Site,
        rule: &Armed,
        is_exempt: bool,
    ) -> Vec<Obstacle> {
        let hub = &self.0.hub;
        let asked = CallInQuestion {
            site,
            is_exempt,
            is_halted: hub.is_halted(),
            call: Call::new(),
            policy: &hub.bounds.load().policy,
            now: self.now(),
        };
        self.obstacles(rule, &asked)
    }

    /// Returns what keeps a rule from injecting, besides its key.
    fn obstacles(&self, rule: &Armed, asked: &CallInQuestion<'_>) -> Vec<Obstacle> {
        let mut obstacles = asked.obstacles(rule);
        if self.is_outside_of_window(&rule.rule) {
            obstacles.push(Obstacle::OutsideOfWindow);
        }
        obstacles
    }

    #[cfg(feature = "window")]
    fn is_outside_of_window(&self, rule: &Rule) -> bool {
        (rule.window.as_ref()).is_some_and(|window| !window.contains(self.wall()))
    }

    /// Returns `false`: without the feature `window`, no rule has one.
    #[cfg(not(feature = "window"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn is_outside_of_window(&self, _: &Rule) -> bool {
        false
    }

    fn explain_one(&self, rule: &Arc<Armed>, asked: &CallInQuestion<'_>) -> Explanation {
        let Rule {
            trigger, matcher, ..
        } = &*rule.rule;
        let mismatches = matcher.mismatches(&asked.call);
        let key = trigger.deciding_key().map(|key| {
            let value = key.of(&asked.call, matcher).map(Cow::into_owned);
            (key.clone(), value)
        });
        let value = key.as_ref().and_then(|(_, value)| value.as_deref());
        let age = rule.arming.age(asked.now);
        let share = trigger.share_at(age);
        let mut obstacles = self.obstacles(rule, asked);
        if key.is_some() && value.is_none() {
            obstacles.push(Obstacle::NoKey);
        }
        let hits = match mismatches.is_empty() && obstacles.is_empty() {
            true => foreseen(rule, value, age, share),
            false => Some(false),
        };
        // What is spent of a budget, and what the policy drops, is not known before.
        let is_bounded = rule.is_always_bounded || asked.may_spare(share);
        let hits = hits.filter(|hits| !hits || !is_bounded);
        Explanation {
            rule: Arc::clone(&rule.rule),
            mismatches,
            draw: value.and_then(|value| rule.arming.draw.of_key(value)),
            key,
            share,
            obstacles,
            hits,
        }
    }
}

/// Returns whether a rule that nothing keeps from it hits a call with this key; `None` if that is not known.
fn foreseen(rule: &Armed, key: Option<&str>, age: Duration, share: f64) -> Option<bool> {
    let trigger = &rule.rule.trigger;
    let replays = trigger.replay.as_deref();
    if replays.is_some_and(Replay::counts_calls) {
        return None;
    }
    // Which calls came before decides.
    let depends = trigger.first_attempts.is_some() || trigger.counts_calls();
    match key {
        Some(_) if !rule.rule.is_keyed() => None,
        Some(key) => {
            let turn = Turn {
                ordinal: None,
                key: Some(key),
            };
            let hits = rule.arming.draw.hits(trigger, turn, age);
            (!hits || !depends).then_some(hits)
        }
        None if share <= 0.0 => Some(false),
        None => (trigger.always_hits() && trigger.replay.is_none() && !depends).then_some(true),
    }
}

/// A call that is asked about, with what holds for all rules.
struct CallInQuestion<'a> {
    site: &'static Site,
    call: Call<'a>,
    policy: &'a Policy,
    is_exempt: bool,
    is_halted: bool,
    now: Duration,
}

impl CallInQuestion<'_> {
    /// Returns whether the policy may spare calls of which a rule hits a fraction of `share`.
    fn may_spare(&self, share: f64) -> bool {
        let Policy {
            rate,
            active,
            total,
            budget,
            ..
        } = self.policy;
        rate.get() < share || active.is_some() || total.is_some() || *budget != Budget::new()
    }

    /// Returns what keeps a rule from injecting, besides its window and its key.
    fn obstacles(&self, rule: &Armed) -> Vec<Obstacle> {
        let Rule {
            trigger, faults, ..
        } = &*rule.rule;
        let kind = self.site.kind();
        let happens = |policy| faults.iter().any(|fault| can_happen(fault, kind, policy));
        let is_used_up = trigger
            .limit
            .is_some_and(|limit| rule.arming.progress.spent() >= limit.get());
        let is_dry = (rule.arming.allowance()).is_some_and(|allowance| allowance.left() == 0);
        let most_active = self.policy.max_active_of(trigger.max_active);
        let is_shadow = rule.rule.mode == Mode::Shadow || self.policy.shadow_only;
        let is_lapsed = rule.arming.leash().is_some_and(|leash| leash.is_over());
        let all = [
            (self.is_halted, Obstacle::Halted),
            (!rule.rule.enabled, Obstacle::Disabled),
            (rule.arming.has_expired(self.now), Obstacle::Ended),
            (is_lapsed, Obstacle::Lapsed),
            (is_shadow, Obstacle::Shadow),
            (self.is_exempt, Obstacle::Exempt),
            (
                !self.policy.reaches(self.site.name()),
                Obstacle::OutsideOfPolicy,
            ),
            (!happens(Some(self.policy)), Obstacle::NoFault),
            (is_used_up || is_dry, Obstacle::LimitUsedUp),
            (
                most_active.is_some_and(|most| rule.counters.active() >= most),
                Obstacle::MaxActive,
            ),
        ];
        let all = all.into_iter().filter(|(is_there, _)| *is_there);
        all.map(|(_, obstacle)| obstacle).collect()
    }
}
