//! A named place where faults may happen, and the idle path: one load and one branch.

pub(crate) mod catalogue;

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
};

/// A named place where faults may happen (elsewhere: fail point, failpoint, failure flag).
///
/// It is `'static`, so that holding one costs nothing to clone, and it carries the rules that aim
/// at it, so that arming one site costs the others nothing.
#[doc(alias = "failpoint")]
#[derive(Debug)]
pub struct Site {
    /// `IDLE`, `ARMED` or `NEW`. Read with a relaxed load: it only says where to look next. What
    /// lies there, the rules, is published by arc-swap. A reader who sees the flag late passes as
    /// an idle call would; one who sees it early finds the old rules.
    state: AtomicU8,
    rules: ArcSwapOption<SiteRules>,
    /// What was said of calls to leave alone, if anything was.
    exempt: ArcSwapOption<Exemptions>,
    /// Held while state and rules change, so that they change together.
    writer: Mutex<()>,
    #[cfg(feature = "tokio")]
    pub(crate) warned: AtomicBool,
    /// Whether changed answers do not say so. It orders nothing.
    unmarked: AtomicBool,
    name: &'static str,
    kind: SiteKind,
    file: &'static str,
    line: u32,
    labels: &'static [&'static str],
}

const IDLE: u8 = 0;
const ARMED: u8 = 1;
/// Not idle yet: the first pass takes the cold path once, and registers.
const NEW: u8 = 2;

impl Site {
    /// A site that nobody has passed yet. The macros make these.
    ///
    /// # Panics
    /// If the name is no site name; in a `static`, that is a compile error.
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
            writer: Mutex::new(()),
            #[cfg(feature = "tokio")]
            warned: AtomicBool::new(false),
            unmarked: AtomicBool::new(false),
            name,
            kind,
            file,
            line,
            labels,
        }
    }

    /// Whether a rule may aim here. This is all an idle call costs: one relaxed load, one branch.
    ///
    /// With the feature `compile-out` it is `false` at compile time, and all behind it is gone.
    #[inline(always)]
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !crate::COMPILED_OUT && self.state.load(Ordering::Relaxed) != IDLE
    }

    /// Asks the rules about one call. `None`: leave it alone.
    ///
    /// Cold: only calls of an armed site come here. Most of those are left alone, so what comes
    /// after a hit is out of the way again.
    #[cold]
    #[inline(never)]
    pub fn decide(&self, call: &Call<'_>) -> Option<Decision> {
        self.decide_here(call)
    }

    /// The same, for a caller that is cold itself.
    #[inline(always)]
    pub(crate) fn decide_here(&self, call: &Call<'_>) -> Option<Decision> {
        if crate::COMPILED_OUT {
            return None;
        }
        let guard = self.rules.load();
        let site_rules = guard.as_ref()?;
        if !site_rules.are_plain() {
            return self.ask_many(site_rules, call);
        }
        for (at, rule) in site_rules.rules.iter().enumerate() {
            match rule.glance() {
                Glance::Pass => {}
                Glance::Hit => return self.fire(site_rules, at, Hit::by_chance(), call),
                Glance::LookCloser => return self.look_closer(site_rules, at, call),
            }
        }
        None
    }

    /// The same, `from` the first rule that a glance does not settle.
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
                // Once, when all were asked: it looks at more than this rule.
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

    /// Fires the rule that hit, and those behind it that hit too, until one ends the call.
    #[cold]
    #[inline(never)]
    fn fire(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        hit: Box<Hit>,
        call: &Call<'_>,
    ) -> Option<Decision> {
        let mut case = self.case(call);
        let _ = site_rules.fire(&mut case, from, Some(hit));
        if case.fired.is_empty() {
            self.retire(site_rules);
            return None;
        }
        Some(Decision::new(
            case.here,
            Arc::clone(&site_rules.hub),
            case.fired,
            self.marks(),
        ))
    }

    /// Asks the rules of the overlays that the call is in, and then the site's own.
    #[inline(never)]
    fn ask_many(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        own.count_call();
        let Some(watches) = own.watches().filter(|_| self.kind == SiteKind::Layer) else {
            return self.ask_layers(own, call);
        };
        self.retire(own);
        let decision = self.ask_layers(own, call);
        // What is never hit does not say how those fare that may be.
        if decision.is_none() && self.exemptions().have(call) {
            return None;
        }
        let here = (self.name, self.kind);
        let decision = decision.unwrap_or_else(|| Decision::nothing(here, &own.hub));
        Some(decision.watched_by(watches))
    }

    /// The same, watched or not.
    fn ask_layers(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        if !own.are_overlaid() {
            return self.look_closer(own, 0, call);
        }
        self.retire(own);
        if !overlay_rules::is_around() {
            return self.look_closer(own, 0, call);
        }
        let mut case = self.case(call);
        let ended =
            overlay_rules::each_around(self.address(), |rules| rules.fire(&mut case, 0, None));
        if case.fired.is_empty() {
            return self.look_closer(own, 0, call);
        }
        if ended.is_continue() {
            let _ = own.fire(&mut case, 0, None);
        }
        let here = case.here;
        let (hub, marks) = (Arc::clone(&own.hub), self.marks());
        Some(Decision::new(here, hub, case.fired, marks))
    }

    /// A call on which no rule has fired yet.
    fn case<'c>(&self, call: &'c Call<'c>) -> Evaluation<'c> {
        Evaluation {
            call,
            here: (self.name, self.kind),
            is_exempt: reentrancy::is_notifying() || self.exemptions().have(call),
            fired: Vec::new(),
        }
    }

    /// Back to idle when every rule has expired: nobody else has to be alive for it.
    #[cold]
    fn retire(&self, seen: &Arc<SiteRules>) {
        if !seen.are_over() {
            return;
        }
        // A writer at work installs something newer anyway.
        let Ok(_writing) = self.writer.try_lock() else {
            return;
        };
        if (self.rules.load().as_ref()).is_some_and(|now| Arc::ptr_eq(now, seen)) {
            self.rules.store(None);
            self.state.store(IDLE, Ordering::Relaxed);
        }
    }

    /// Leaves these calls alone, whatever the rules say, at every layer of this name and injector.
    pub fn exempt(&self, exempt: Exemptions) {
        self.exempt.store(Some(Arc::new(exempt)));
    }

    /// The calls that are left alone, whatever the rules say: health checks at the site of a layer, and
    /// none elsewhere, unless [`exempt`](Self::exempt) said otherwise.
    #[must_use]
    pub fn exemptions(&self) -> Arc<Exemptions> {
        self.exempt.load_full().unwrap_or_else(|| {
            Arc::new(match self.kind {
                SiteKind::Layer => Exemptions::new(),
                _ => Exemptions::none(),
            })
        })
    }

    /// Whether an answer that was changed here says so, at every layer of this name and injector. It does
    /// unless this says otherwise.
    pub fn mark(&self, mark: bool) {
        self.unmarked.store(!mark, Ordering::Relaxed);
    }

    /// Whether an answer that was changed here says so.
    fn marks(&self) -> bool {
        !self.unmarked.load(Ordering::Relaxed)
    }

    /// Says until when overlays aim here, if any do.
    pub(crate) fn overlay(&self, hub: &Arc<Hub>, overlaid: Option<Duration>) {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = match &*self.rules.load() {
            Some(rules) => rules.overlaid(overlaid),
            None => SiteRules::of(hub, Vec::new(), overlaid, SiteMonitors::default()),
        };
        self.store(rules);
    }

    /// Puts one rule in the place of another; `false` if that takes more.
    pub(crate) fn swap(&self, rules: &[Arc<Armed>; 2]) -> bool {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let swapped = (self.rules.load().as_ref()).and_then(|now| now.swapped(rules));
        let is_swapped = swapped.is_some();
        if is_swapped {
            self.store(swapped);
        }
        is_swapped
    }

    /// Makes `rules` the ones that aim here.
    pub(crate) fn install(&self, rules: Option<SiteRules>) {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.store(rules);
    }

    /// The same, for who holds the lock.
    fn store(&self, rules: Option<SiteRules>) {
        let state = if rules.is_some() { ARMED } else { IDLE };
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

    /// What tells it from every other site.
    pub(crate) fn address(&self) -> SiteAddress {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn is_new(&self) -> bool {
        self.state.load(Ordering::Relaxed) == NEW
    }

    /// Armed, and not merely new.
    #[inline]
    pub(crate) fn is_aimed_at(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ARMED
    }

    /// Its name. Several sites may share one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How calls reach it.
    #[must_use]
    pub fn kind(&self) -> SiteKind {
        self.kind
    }

    /// The source file it stands in.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The line it stands on.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The names of the labels it gives.
    #[must_use]
    pub fn labels(&self) -> &'static [&'static str] {
        self.labels
    }
}
