//! A rule that fired on a call: the steps that are left, and what it gives back if they never begin.

pub(crate) mod held_rule;
pub(crate) mod plain;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use crate::{
    armed::{Armed, draw::Hit},
    call::{Call, hit_call::HitCall, site_kind::SiteKind},
    decision::{
        active_call::{Active, MaybeShared},
        firing::plain::PlainParts,
        reservation::Permits,
        site_rules::Here,
        steps::{self, Bounded, FaultNames, Steps},
    },
    dice::Dice,
    fault::step::Step,
    gate::Gate,
    hub::Hub,
    plan::Plan,
    policy::Policy,
    rule::Mode,
    trigger::replay::{By, Turn},
};

/// A rule that fired on a call, with the steps that are left.
///
/// The rule is injected, and counted, when its first step begins. That never happens if the caller left,
/// if the rule was stopped while an earlier rule delayed the call, or if the call has nothing that a step
/// could act on.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) active: MaybeShared,
    pub(crate) steps: Steps,
    /// The dice of a custom fault, whose closure may return one that draws.
    pub(crate) dice: Option<Box<Dice>>,
    /// Opens when the pause that comes next is released.
    pause: Option<Arc<Gate>>,
}

/// By what a call was hit, and what that means for what is done to it.
struct HitBy<'c> {
    ordinal: Option<u64>,
    key: Option<Cow<'c, str>>,
    dice: Dice,
    /// The fraction of calls that the rule hits now.
    share: f64,
    /// By what times and sizes are multiplied now.
    scale: f64,
}

impl<'c> HitBy<'c> {
    #[inline]
    fn of(rule: &Armed, hit: Hit, call: &Call<'c>, hub: &Hub) -> Self {
        let trigger = &rule.rule.trigger;
        if rule.decides_closely() {
            return Self::closely(rule, hit, call, hub);
        }
        Self {
            ordinal: None,
            key: None,
            dice: Dice::Thread,
            share: trigger.rate.get(),
            scale: 1.0,
        }
    }

    /// Works out what the rule has decided by. Cold, so that rules that go by chance do not pay for it.
    #[cold]
    #[inline(never)]
    fn closely(rule: &Armed, hit: Hit, call: &Call<'c>, hub: &Hub) -> Self {
        let trigger = &rule.rule.trigger;
        let key = trigger.deciding_key();
        let key = key.and_then(|key| key.of(call, &rule.rule.matcher));
        let ordinal = hit.ordinal();
        let turn = Turn {
            ordinal,
            key: key.as_deref(),
        };
        let dice = rule.arming.draw.dice_behind(turn);
        // Few rules need the time.
        let age = trigger.program.as_ref();
        let age = age.map_or(Duration::ZERO, |_| rule.arming.age(hub.clock.now()));
        Self {
            ordinal,
            key,
            dice,
            share: trigger.share_at(age),
            scale: trigger.scale_at(age),
        }
    }

    /// Returns whether the policy keeps the hit.
    #[cold]
    #[inline(never)]
    fn is_kept(&mut self, policy: &Policy) -> bool {
        policy.rate.keeps(self.share, &mut self.dice)
    }

    /// Returns whether the call was hit by more than chance.
    fn is_close(&self) -> bool {
        self.ordinal.is_some() || self.key.is_some()
    }

    #[cold]
    #[inline(never)]
    fn by(&self) -> By {
        let turn = Turn {
            ordinal: self.ordinal,
            key: self.key.as_deref(),
        };
        turn.into()
    }
}

/// What the rules that fired before do to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    /// Whether one of them ends the call, so that only what acts on its response can happen.
    pub(crate) has_ended: bool,
    /// How long they delay the call, if the policy bounds that.
    pub(crate) delayed: Duration,
    /// Whether one of them came with a token. It may hold the call as long as it likes, so what others have
    /// active on the call counts as the token's.
    pub(crate) of_token: bool,
}

impl Firing {
    /// Returns how long the steps delay the call, as planned.
    pub(crate) fn planned_delay(&self) -> Duration {
        self.steps.total(Step::planned_delay)
    }

    /// Fires `rule` on a call that it hit, unless a limit or the policy spares the call. The checks that cost
    /// most come last. `before` are the rules that fired before.
    #[inline(always)]
    pub(crate) fn of(
        rule: &Arc<Armed>,
        hit: Hit,
        call: &Call<'_>,
        (site, kind): Here,
        hub: &Arc<Hub>,
        before: Before,
    ) -> Option<Self> {
        if rule.arming.is_over_by(&hub.clock) {
            rule.note_over(hub.clock.now());
            return None;
        }
        let bounds = hub.bounds_of_hits(rule.is_always_bounded);
        let policy = bounds.as_ref().map(|bounds| &bounds.policy);
        let faults = &rule.rule.faults;
        if !(faults.iter()).any(|fault| steps::can_happen(fault, kind, policy)) {
            return None;
        }
        let mut hit_by = HitBy::of(rule, hit, call, hub);
        if let Some(policy) = policy
            && !hit_by.is_kept(policy)
        {
            return None;
        }
        let mut permits = Permits::of_trigger(rule, hub, call)?;
        if rule.rule.mode == Mode::Shadow || policy.is_some_and(|policy| policy.shadow_only) {
            rule.counters.count_shadowed();
            // They are used up, as if the rule had injected.
            permits.keep();
            rule.log(|| hit_by.by());
            return None;
        }
        permits.enter(policy, before.of_token || rule.is_of_token())?;
        let bounded_by = Bounded {
            call,
            here: (site, kind),
            policy,
            scale: hit_by.scale,
        };
        let (steps, names) = steps::make(rule, &bounded_by, &mut hit_by.dice, before)?;
        if let Some(bounds) = &bounds {
            permits.charge(bounds, steps.total(Step::planned_delay))?;
        }
        Some(Self {
            active: MaybeShared::Own(Active {
                rule: Arc::clone(rule),
                hub: Arc::clone(hub),
                has_begun: AtomicBool::new(false),
                site,
                names,
                delay: steps.total(Step::delay),
                by: hit_by.is_close().then(|| Box::new(hit_by.by())),
                call: Mutex::new(hub.wants_calls().then(|| HitCall::of(call))),
                // Last, because code of the application may panic before: it says whether it wants calls, and which
                // route one has.
                taken: permits.keep(),
            }),
            dice: steps.has_custom().then(|| Box::new(hit_by.dice)),
            steps,
            pause: None,
        })
    }

    /// Returns a rule that fired in the plain way as one whose steps may be any.
    pub(crate) fn of_plain(plain: PlainParts, site: &'static str) -> Self {
        let mut steps = Steps::default();
        plain.step.into_iter().for_each(|step| steps.push(step));
        Self {
            active: MaybeShared::Own(Active {
                rule: plain.rule,
                hub: plain.hub,
                taken: plain.taken,
                has_begun: AtomicBool::new(plain.has_begun),
                site,
                names: FaultNames::OfRule,
                delay: plain.delay,
                by: None,
                call: Mutex::new(plain.call),
            }),
            dice: None,
            steps,
            pause: None,
        }
    }

    /// Starts to listen for a release if a pause comes next. A test that sees the call counted may release
    /// it at once.
    pub(crate) fn expect_release(&mut self) {
        let pauses = |step: &Step| matches!(step, Step::Plan(Plan::Wait(wait)) if wait.is_pause());
        if self.pause.is_none() && self.steps.next().is_some_and(pauses) {
            self.pause = Some(self.active.rule.arming.pauses.gate());
        }
    }

    /// Returns the gate at which a pause waits.
    pub(crate) fn pause(&mut self) -> Arc<Gate> {
        let expected = self.pause.take();
        expected.unwrap_or_else(|| self.active.rule.arming.pauses.gate())
    }

    /// Returns whether a step ends the call at a site of this kind.
    pub(crate) fn ends_call_at(&self, kind: SiteKind) -> bool {
        self.steps.iter().any(|step| step.ends_call_at(kind))
    }
}
