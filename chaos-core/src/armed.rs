//! A rule in force: the rule with its counts, its progress, its gate and its deadline.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use crate::{
    call::Call,
    dice::{self, Dice},
    fault::Fault,
    gate::{Gate, Turnstile},
    matcher::Matcher,
    observer::Hub,
    rule::{Mode, Rule},
    step::Step,
    surface::SiteKind,
    tally::{Progress, Tally},
};

const EXPIRED: u8 = 1;
const MATCHES: u8 = 2;
const IN_TURN: u8 = 4;

/// What a site holds of each rule that aims at it.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) rule: Arc<Rule>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) gate: Arc<Gate>,
    /// On the injector's clock.
    pub(crate) deadline: Option<Duration>,
    progress: Arc<Progress>,
    /// The seed, mixed with the id.
    stream: Option<u64>,
    /// What has to be looked at before a draw decides: of [`EXPIRED`], [`MATCHES`], [`IN_TURN`].
    /// `EXPIRED` is set when the deadline was seen to have passed, never unset, and orders nothing:
    /// relaxed.
    special: AtomicU8,
    /// The trigger's rate.
    hits_of_2_53: u64,
    pub(crate) fault_names: Arc<str>,
    /// Where its paused calls wait.
    pub(crate) pauses: Arc<Turnstile>,
    /// Whether it is burning. Orders nothing: relaxed.
    burns: Arc<AtomicBool>,
}

impl Armed {
    fn new(rule: Arc<Rule>, tally: Arc<Tally>, now: Duration) -> Self {
        Self {
            tally,
            gate: Arc::default(),
            deadline: rule.lifetime.deadline(now),
            progress: Arc::default(),
            hits_of_2_53: rule.trigger.hits_of_2_53(),
            stream: rule.trigger.seed.map(|seed| dice::stream(seed, &rule.id)),
            special: AtomicU8::new(special(&rule)),
            fault_names: rule.fault_names().into(),
            pauses: Arc::default(),
            burns: Arc::default(),
            rule,
        }
    }

    /// Puts `rule` in force after `before`, the rule that had its id, if there was one.
    ///
    /// An unchanged rule goes on; one that was off, or that had expired and is put again, is armed
    /// anew with its counts kept; anything else starts from nothing.
    pub(crate) fn succeed(
        before: Option<&Arc<Self>>,
        rule: Arc<Rule>,
        put: bool,
        now: Duration,
    ) -> Arc<Self> {
        let Some(before) = before.filter(|before| rule.continues(&before.rule)) else {
            return Arc::new(Self::new(rule, Arc::default(), now));
        };
        let rearmed = put && before.has_expired(now);
        if *rule == *before.rule && !rearmed {
            return Arc::clone(before);
        }
        if rule.enabled != before.rule.enabled || rearmed {
            return Arc::new(Self::new(rule, Arc::clone(&before.tally), now));
        }
        let gate = Arc::clone(&before.gate);
        Arc::new(before.go_on(rule, gate))
    }

    /// The same arming behind a new gate: what a halt leaves for `resume`.
    pub(crate) fn behind_new_gate(&self) -> Arc<Self> {
        Arc::new(self.go_on(Arc::clone(&self.rule), Arc::default()))
    }

    fn go_on(&self, rule: Arc<Rule>, gate: Arc<Gate>) -> Self {
        Self {
            rule,
            gate,
            tally: Arc::clone(&self.tally),
            deadline: self.deadline,
            progress: Arc::clone(&self.progress),
            stream: self.stream,
            hits_of_2_53: self.hits_of_2_53,
            special: AtomicU8::new(self.special.load(Ordering::Relaxed)),
            fault_names: Arc::clone(&self.fault_names),
            pauses: Arc::clone(&self.pauses),
            burns: Arc::clone(&self.burns),
        }
    }

    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Whether it can still act: enabled, and not expired.
    pub(crate) fn is_live(&self, now: Duration) -> bool {
        self.rule.enabled && !self.has_expired(now)
    }

    /// Whether the data path has seen it expire.
    pub(crate) fn is_known_expired(&self) -> bool {
        self.special.load(Ordering::Relaxed) & EXPIRED != 0
    }

    /// Asks the rule about one call, if that can be done at a glance.
    ///
    /// This and what leads here is what a call costs that is not hit, so there is no clock in it, no
    /// allocation and no shared write.
    #[inline(always)]
    pub(crate) fn glance(&self) -> Glance {
        if self.special.load(Ordering::Relaxed) == 0 {
            self.settle()
        } else {
            Glance::LookCloser
        }
    }

    /// Counts and draws for a matched call, unless that takes longer on this thread's first call.
    #[inline(always)]
    fn settle(&self) -> Glance {
        if let Some(draw) = dice::draw_at_once()
            && self.tally.count_matched_at_once()
        {
            if draw >> 11 < self.hits_of_2_53 {
                Glance::Hit
            } else {
                Glance::Pass
            }
        } else {
            Glance::LookCloser
        }
    }

    /// Asks the rule about one call, whatever the rule is like.
    pub(crate) fn consult(&self, call: &Call<'_>) -> Verdict {
        let special = self.special.load(Ordering::Relaxed);
        if special & EXPIRED != 0 {
            return Verdict::Expired;
        }
        if special & MATCHES != 0 && !self.rule.matcher.matches(call) {
            return Verdict::Pass;
        }
        if special & IN_TURN != 0 {
            return self.consult_in_turn();
        }
        match self.settle() {
            Glance::Pass => Verdict::Pass,
            Glance::Hit => Verdict::Hit(Dice::Thread),
            Glance::LookCloser => self.count_and_draw(Dice::Thread),
        }
    }

    /// The rest, for a rule whose calls are numbered.
    fn consult_in_turn(&self) -> Verdict {
        let ordinal = self.progress.next_ordinal();
        if !self.rule.trigger.takes(ordinal) {
            self.tally.count_matched();
            return Verdict::Pass;
        }
        self.count_and_draw(match self.stream {
            Some(stream) => Dice::seeded(stream, ordinal),
            None => Dice::Thread,
        })
    }

    #[cold]
    #[inline(never)]
    fn count_and_draw(&self, mut dice: Dice) -> Verdict {
        self.tally.count_matched();
        if self.rule.trigger.hits(|| dice.draw()) {
            Verdict::Hit(dice)
        } else {
            Verdict::Pass
        }
    }

    /// Fires on a call that was hit, if it still may: what costs most is asked last.
    pub(crate) fn fire(
        self: &Arc<Self>,
        mut dice: Dice,
        (site, kind): (&'static str, SiteKind),
        hub: &Hub,
    ) -> Option<Firing> {
        let trigger = &self.rule.trigger;
        if self.has_expired(hub.clock.now()) {
            self.special.fetch_or(EXPIRED, Ordering::Relaxed);
            return None;
        }
        let can_happen = |fault: &&Fault| {
            fault.surfaces().have(kind) && hub.policy.load().permits(fault).is_ok()
        };
        if !self.rule.faults.iter().any(|fault| can_happen(&fault)) {
            return None;
        }
        if trigger
            .limit
            .is_some_and(|limit| !self.progress.spend(limit.get()))
        {
            return None;
        }
        if self.rule.mode == Mode::Shadow {
            self.tally.count_shadowed();
            return None;
        }
        if !self
            .tally
            .enter(trigger.max_active.map(|max| max.get().into()))
        {
            self.refund();
            return None;
        }
        let faults = self.rule.faults.iter().filter(can_happen);
        let steps = faults.map(|fault| fault.step(&self.rule.id, site, &mut dice));
        Some(Firing {
            steps: steps.collect(),
            rule: Arc::clone(self),
            active: Arc::new(Active(Arc::clone(self))),
            begun: false,
            dice,
        })
    }

    /// Lets everyone go whom it keeps waiting.
    pub(crate) fn open(&self) {
        self.gate.open();
        // After the gate: whoever comes to wait for a release looks at the gate afterwards.
        self.pauses.release();
    }

    /// Marks it as burning; `false` if it does already.
    pub(crate) fn begin_burn(&self) -> bool {
        !self.burns.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn end_burn(&self) {
        self.burns.store(false, Ordering::Relaxed);
    }

    fn refund(&self) {
        if self.rule.trigger.limit.is_some() {
            self.progress.refund();
        }
    }
}

fn special(rule: &Rule) -> u8 {
    let matches = if rule.matcher == Matcher::new() {
        0
    } else {
        MATCHES
    };
    let in_turn = if rule.trigger.counts_calls() {
        IN_TURN
    } else {
        0
    };
    matches | in_turn
}

/// What can be said of a call at a glance: of one that is left alone, as a rule everything.
pub(crate) enum Glance {
    Pass,
    Hit,
    LookCloser,
}

/// What a rule says of a call.
pub(crate) enum Verdict {
    Pass,
    Expired,
    /// It is to [`fire`](Armed::fire), with these dice.
    Hit(Dice),
}

/// Counts as active until it is dropped.
#[derive(Debug)]
pub(crate) struct Active(pub(crate) Arc<Armed>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.tally.leave();
    }
}

/// A rule that fired on a call, with what is left to do.
///
/// It is injected, and counted, when its first step begins. If that never comes (the caller left,
/// or the rule was stopped while an earlier rule delayed the call), dropping it gives back what it
/// took of the rule's limit.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: Arc<Armed>,
    pub(crate) active: Arc<Active>,
    pub(crate) steps: VecDeque<Step>,
    pub(crate) dice: Dice,
    begun: bool,
}

impl Firing {
    /// Counts the injection, the first time only; says whether it was the first.
    pub(crate) fn begin(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.begun, true);
        if first {
            self.rule.tally.count_injected();
        }
        first
    }

    pub(crate) fn ends_call(&self) -> bool {
        self.steps.iter().any(Step::ends_call)
    }

    /// All its delays together.
    pub(crate) fn delay(&self) -> Duration {
        self.steps.iter().map(Step::delay).sum()
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        if !self.begun {
            self.rule.refund();
        }
    }
}
