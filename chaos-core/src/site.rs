//! `Site`: a named place where faults may happen. Idle, passing it is one load and one branch.

pub(crate) mod catalogue;
mod measure;
mod news;
mod outside;
mod peer;

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;

use crate::{
    armed::{Armed, Glance, Verdict, draw::Hit},
    call::{Call, site_kind::SiteKind},
    decision::{
        Decision,
        overlay_rules::{self, SiteAddress},
        site_rules::{Evaluation, SiteMonitors, SiteRules},
    },
    hub::{Hub, reentrancy},
    matcher::exempt::Exemptions,
    name::is_site_name,
    site::{outside::PassedOutside, peer::PeerState},
};

/// A named place where faults may happen. Elsewhere it is called a fail point or failure flag.
///
/// A site is `'static`, so holding one costs nothing to clone, and it carries the rules that aim at it,
/// so arming one site costs the others nothing.
#[doc(alias = "failpoint")]
#[derive(Debug)]
pub struct Site {
    /// `IDLE`, `ARMED` or `NEW`. It is read with a relaxed load, because it only says whether to look
    /// at the rules; arc-swap publishes those. A reader that sees the flag late passes as an idle
    /// call would; one that sees it early finds the old rules.
    state: AtomicU8,
    rules: ArcSwapOption<SiteRules>,
    /// Which calls are exempt; empty where the default of the kind holds.
    exempt: ArcSwapOption<Exemptions>,
    /// Whether there are others than the default. It is set after them and never cleared: relaxed.
    has_own_exemptions: AtomicBool,
    /// Held while `state` and `rules` change, so that they change together.
    writer: Mutex<()>,
    #[cfg(feature = "tokio")]
    pub(crate) warned: AtomicBool,
    /// Whether answers that a fault changes carry no mark. It orders nothing: relaxed.
    unmarked: AtomicBool,
    /// Whether guard rails measure calls here. Like `state`, it only says whether to look: relaxed.
    is_measured: AtomicBool,
    passed_outside: PassedOutside,
    peer: PeerState,
    name: &'static str,
    kind: SiteKind,
    file: &'static str,
    line: u32,
    labels: &'static [&'static str],
}

const IDLE: u8 = 0;
const ARMED: u8 = 1;
/// No call has passed yet: the first pass takes the cold path once. It registers a site in code, and at
/// a layer it asks the call for its peer.
const NEW: u8 = 2;

impl Site {
    /// Makes a site that nobody has passed yet. The macros call this.
    ///
    /// # Panics
    /// Panics if the name is not a site name; in a `static`, that is a compile error.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: SiteKind,
        file: &'static str,
        line: u32,
        labels: &'static [&'static str],
    ) -> Self {
        assert!(
            is_site_name(name),
            "a site name is parts of A-Z a-z 0-9 _ - with dots between them"
        );
        Self {
            state: AtomicU8::new(NEW),
            rules: ArcSwapOption::const_empty(),
            exempt: ArcSwapOption::const_empty(),
            has_own_exemptions: AtomicBool::new(false),
            writer: Mutex::new(()),
            #[cfg(feature = "tokio")]
            warned: AtomicBool::new(false),
            unmarked: AtomicBool::new(false),
            is_measured: AtomicBool::new(false),
            passed_outside: PassedOutside::new(),
            peer: PeerState::new(),
            name,
            kind,
            file,
            line,
            labels,
        }
    }

    /// Returns whether a rule may aim here. This is all that an idle call costs: one relaxed load and
    /// one branch.
    ///
    /// With the feature `compile-out` it is `false` at compile time, and the code behind it is
    /// removed.
    #[inline(always)]
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !crate::COMPILED_OUT && self.state.load(Ordering::Relaxed) != IDLE
    }

    /// Asks the rules about one call. Returns `None` if the call is left alone.
    ///
    /// Cold, because only calls of an armed site come here. Most of those are left alone, so the code
    /// after a hit is out of line again.
    #[cold]
    #[inline(never)]
    pub fn decide(&self, call: &Call<'_>) -> Option<Decision> {
        self.decide_here(call)
    }

    /// Asks the rules about one call, inlined into a caller that is cold itself.
    #[inline(always)]
    pub(crate) fn decide_here(&self, call: &Call<'_>) -> Option<Decision> {
        if crate::COMPILED_OUT {
            return None;
        }
        let guard = self.rules.load();
        let Some(site_rules) = guard.as_ref() else {
            return self.pass_first(call);
        };
        if !site_rules.are_plain() {
            return self.ask_many(site_rules, call);
        }
        for (at, rule) in site_rules.rules.iter().enumerate() {
            match rule.glance() {
                Glance::Pass => {}
                Glance::Hit => return self.fire(site_rules, at, Hit::BY_CHANCE, call),
                Glance::LookCloser => return self.look_closer(site_rules, at, call),
            }
        }
        None
    }

    /// Passes a call where no rule aims, and asks it for the address of its peer if none was asked.
    #[cold]
    #[inline(never)]
    fn pass_first(&self, call: &Call<'_>) -> Option<Decision> {
        self.peer.ask(call);
        // A site in code is new until it is registered.
        if self.kind == SiteKind::Layer {
            let (new, idle, order) = (NEW, IDLE, Ordering::Relaxed);
            let _ = self.state.compare_exchange(new, idle, order, order);
        }
        None
    }

    /// Asks the rules one by one; `from` is the first one that a glance does not settle.
    #[inline(never)]
    fn look_closer(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        call: &Call<'_>,
    ) -> Option<Decision> {
        let mut expired = false;
        let hit = site_rules.each(call, from, |at, rule| {
            match rule.consult(call, &site_rules.hub) {
                Verdict::Pass => {}
                // Retired once, when all were asked: that looks at more than this rule.
                Verdict::Expired => expired = true,
                Verdict::Hit(hit) => return ControlFlow::Break((at, hit)),
            }
            ControlFlow::Continue(())
        });
        match hit {
            ControlFlow::Break((at, hit)) => self.fire(site_rules, at, hit, call),
            ControlFlow::Continue(()) => {
                if expired {
                    self.retire(site_rules);
                }
                None
            }
        }
    }

    /// Fires the rule that hit, and those after it that hit too.
    #[cold]
    #[inline(never)]
    fn fire(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        hit: Hit,
        call: &Call<'_>,
    ) -> Option<Decision> {
        self.peer.ask(call);
        let mut decision = Decision::new((self.name, self.kind), self.marks());
        let mut evaluation = self.evaluate(&site_rules.hub, call, &mut decision);
        let _ = site_rules.fire(&mut evaluation, from, Some(hit));
        if decision.is_empty() {
            self.retire(site_rules);
            return None;
        }
        Some(decision)
    }

    /// Asks a site that has more than a few plain rules: overlays, guard rails, an index, or a counting
    /// policy.
    #[inline(never)]
    fn ask_many(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        own.count_call();
        if own.are_overlaid() {
            self.retire(own);
            if overlay_rules::any_entered() {
                return self.ask_entered(own, call);
            }
            self.passed_outside.note();
        }
        self.look_closer(own, 0, call)
    }

    /// Asks the rules of the overlays that the call is in, which few calls are, and then the site's own.
    #[inline(never)]
    fn ask_entered(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        let mut decision = Decision::new((self.name, self.kind), self.marks());
        let mut evaluation = self.evaluate(&own.hub, call, &mut decision);
        let asked = overlay_rules::each_entered(self.address(), |rules| {
            rules.fire(&mut evaluation, 0, None)
        });
        if evaluation.decision.is_empty() {
            return self.look_closer(own, 0, call);
        }
        if asked.is_continue() {
            let _ = own.fire(&mut evaluation, 0, None);
        }
        Some(decision.of_overlay())
    }

    /// Starts the evaluation of a call on which no rule has fired yet.
    #[inline]
    fn evaluate<'c>(
        &self,
        hub: &Hub,
        call: &'c Call<'c>,
        decision: &'c mut Decision,
    ) -> Evaluation<'c> {
        Evaluation {
            call,
            here: (self.name, self.kind),
            decision,
            // A site may still hold rules when a halt begins, because an edit works on them.
            is_exempt: hub.is_halted() || reentrancy::is_notifying() || self.exempts(hub, call),
            has_ended: false,
        }
    }

    /// Returns the site to idle when every rule has expired. No timer or task takes part in that.
    #[cold]
    fn retire(&self, seen: &Arc<SiteRules>) {
        if seen.are_over() {
            self.make_idle(seen);
        }
    }

    /// Exempts calls from all rules, at every layer of this name and injector.
    ///
    /// This replaces the exemptions that were set before.
    pub fn exempt(&self, exempt: Exemptions) {
        self.exempt.store(Some(Arc::new(exempt)));
        self.has_own_exemptions.store(true, Ordering::Relaxed);
    }

    /// Returns which calls are exempt from all rules.
    ///
    /// Unless [`exempt`](Self::exempt) has set others, these are health checks at the site of a layer,
    /// and none at a site of another kind.
    #[must_use]
    pub fn exemptions(&self) -> Arc<Exemptions> {
        let exempt = self.exempt.load_full();
        exempt.unwrap_or_else(|| Arc::new(Exemptions::usual_at(self.kind)))
    }

    /// Returns whether a call is exempt, here or at every site, without an allocation.
    #[inline]
    fn exempts(&self, hub: &Hub, call: &Call<'_>) -> bool {
        let Some(path) = call.path() else {
            return false;
        };
        let here = match self.has_own_exemptions.load(Ordering::Relaxed) {
            true => self.exemptions().have(path),
            false => Exemptions::usual_at(self.kind).have(path),
        };
        here || hub.exempts_path(path)
    }

    /// Sets whether an answer that a fault changes carries the mark of its rule (the header
    /// `x-chaos-fault`), at every layer of this name and injector. It does by default.
    pub fn mark(&self, mark: bool) {
        self.unmarked.store(!mark, Ordering::Relaxed);
    }

    /// Returns whether an answer that a fault changes carries a mark.
    fn marks(&self) -> bool {
        !self.unmarked.load(Ordering::Relaxed)
    }

    /// Sets until when overlays aim here; `None` if none does.
    pub(crate) fn overlay(&self, hub: &Arc<Hub>, overlaid: Option<Duration>) {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = match &*self.rules.load() {
            Some(rules) => rules.overlaid(overlaid),
            None => SiteRules::of(hub, Vec::new(), overlaid, SiteMonitors::default()),
        };
        self.store(rules);
    }

    /// Installs one rule in the place of another. Returns `false` if that takes a new compilation.
    pub(crate) fn swap(&self, rules: &[Arc<Armed>; 2]) -> bool {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let swapped = (self.rules.load().as_ref()).and_then(|now| now.swapped(rules));
        let is_swapped = swapped.is_some();
        if is_swapped {
            self.store(swapped);
        }
        is_swapped
    }

    /// Returns whether the site holds what [`SiteRules::of`] would make of these.
    pub(crate) fn holds(
        &self,
        rules: &[Arc<Armed>],
        overlaid: Option<Duration>,
        monitors: &SiteMonitors,
    ) -> bool {
        let now = self.rules.load();
        (now.as_ref()).is_some_and(|now| now.are_made_of(rules, overlaid, monitors))
    }

    /// Installs the rules that aim here.
    pub(crate) fn install(&self, rules: Option<SiteRules>) {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.store(rules);
    }

    /// Stores the rules and the flag. The caller holds the writer's lock.
    fn store(&self, rules: Option<SiteRules>) {
        let watchers = rules.as_ref().and_then(SiteRules::watchers);
        let is_measured = watchers.is_some() && self.kind == SiteKind::Layer;
        self.is_measured.store(is_measured, Ordering::Relaxed);
        let state = match &rules {
            Some(_) => ARMED,
            None if self.peer.is_to_ask() => NEW,
            None => IDLE,
        };
        let same = match (&*self.rules.load(), &rules) {
            (None, None) => true,
            (Some(old), Some(new)) => old.are_the_same(new),
            _ => false,
        };
        if !same {
            self.rules.store(rules.map(Arc::new));
        }
        self.state.store(state, Ordering::Relaxed);
    }

    /// Returns what tells this site from every other.
    pub(crate) fn address(&self) -> SiteAddress {
        std::ptr::from_ref(self).addr()
    }

    /// Returns whether no call has passed the site, and no injector has taken it in.
    pub(crate) fn is_new(&self) -> bool {
        self.state.load(Ordering::Relaxed) == NEW
    }

    /// Returns whether the site holds rules. [`is_armed`](Self::is_armed) is also `true` at a site whose
    /// first call is still to pass.
    #[inline]
    #[must_use]
    pub fn is_aimed_at(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ARMED
    }

    /// Returns its name. Several sites may share one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns how calls reach it.
    #[must_use]
    pub fn kind(&self) -> SiteKind {
        self.kind
    }

    /// Returns the source file in which it was made.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Returns the line on which it was made, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Returns the names of the labels that its calls carry.
    #[must_use]
    pub fn labels(&self) -> &'static [&'static str] {
        self.labels
    }
}
