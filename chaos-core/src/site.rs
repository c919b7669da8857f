//! `Site`: a named place where faults may happen. Idle, passing it is one load and one branch.

pub(crate) mod catalogue;
mod decide;
mod fire;
mod measure;
mod news;
mod observed;
mod outside;
mod peer;
pub(crate) mod snapshot;
pub(crate) mod state;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;

use crate::{
    armed::Armed,
    call::{Call, site_kind::SiteKind},
    decision::{overlay_rules::SiteAddress, site_rules::SiteRules, watchers::SiteMonitors},
    hub::Hub,
    matcher::exempt::Exemptions,
    name::is_site_name,
    site::{
        outside::PassedOutside,
        peer::PeerState,
        snapshot::SlotId,
        state::{ARMED, EACH_HIT, EACH_SPARED, IDLE, NEW, SiteState},
    },
};

/// A named place where faults may happen. Elsewhere it is called a fail point or failure flag.
///
/// A site is `'static`, so holding one costs nothing to clone, and it carries the rules that aim at it,
/// so arming one site costs the others nothing.
#[doc(alias = "failpoint")]
#[derive(Debug)]
pub struct Site {
    /// `IDLE`, `NEW`, `ARMED`, `EACH_HIT`, `EACH_SPARED`, or the number of the rules, from [`state::FIRST`] on. It is read with a
    /// relaxed load, because it only says whether to look at the rules, and which of them a thread has kept;
    /// arc-swap publishes the rules. A reader that sees the flag late decides as a call before the edit would;
    /// one that sees it early finds the old rules.
    state: AtomicUsize,
    rules: ArcSwapOption<SiteRules>,
    /// Which calls are exempt; empty where the default of the kind holds.
    exempt: ArcSwapOption<Exemptions>,
    /// Whether there are others than the default. It is set after them and never cleared: relaxed.
    has_own_exemptions: AtomicBool,
    /// Held while `state` and `rules` change, so that they change together.
    writer: Mutex<Writer>,
    #[cfg(feature = "tokio")]
    pub(crate) warned: AtomicBool,
    /// Whether answers that a fault changes carry no mark. It orders nothing: relaxed.
    unmarked: AtomicBool,
    /// Whether calls are measured here. Like `state`, it only says whether to look: relaxed.
    is_measured: AtomicBool,
    passed_outside: PassedOutside,
    peer: PeerState,
    name: &'static str,
    kind: SiteKind,
    file: &'static str,
    line: u32,
    labels: &'static [&'static str],
}

/// What changes together with the rules of a site.
#[derive(Debug)]
struct Writer {
    /// Where threads keep snapshots of the rules; `None` until the site has had rules.
    slot: Option<SlotId>,
}

impl Writer {
    /// Returns the state of a site that has these rules: a number of their own if threads keep snapshots of
    /// them.
    fn number(&mut self, rules: &SiteRules) -> usize {
        if let Some(rule) = rules.that_hits_each_call() {
            // If others follow, they are asked about the calls that it spares.
            let may_settle = rule.may_spare() && rules.rules.len() == 1;
            return if may_settle { EACH_SPARED } else { EACH_HIT };
        }
        if !rules.are_settled_by_glances() {
            return ARMED;
        }
        let slot = *self.slot.get_or_insert_with(SlotId::next);
        slot.number(rules.reads()).unwrap_or(ARMED)
    }
}

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
            state: AtomicUsize::new(NEW),
            rules: ArcSwapOption::const_empty(),
            exempt: ArcSwapOption::const_empty(),
            has_own_exemptions: AtomicBool::new(false),
            writer: Mutex::new(Writer { slot: None }),
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

    /// Returns whether a rule may aim here, or calls are measured here. This is all that an idle call costs: one relaxed
    /// load and one branch.
    ///
    /// With the feature `compile-out` it is `false` at compile time, and the code behind it is
    /// removed.
    #[inline(always)]
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !crate::COMPILED_OUT && self.state.load(Ordering::Relaxed) != IDLE
    }

    /// Returns the state of the site.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn state(&self) -> SiteState {
        SiteState(self.state.load(Ordering::Relaxed))
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
    #[inline(always)]
    pub(crate) fn exempts(&self, hub: &Hub, call: &Call<'_>) -> bool {
        let Some(path) = call.path() else {
            return false;
        };
        self.exempts_path(hub, path)
    }

    /// Returns whether the calls with a path are exempt, here or at every site.
    #[inline(always)]
    fn exempts_path(&self, hub: &Hub, path: &str) -> bool {
        // This tells most calls from all that are.
        (self.has_own_exemptions.load(Ordering::Relaxed)
            || hub.may_exempt_paths()
            || Exemptions::usual_may_have(self.kind, path))
            && self.looks_up_path(hub, path)
    }

    #[cold]
    #[inline(never)]
    fn looks_up_path(&self, hub: &Hub, path: &str) -> bool {
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
        let mut writing = self.write();
        let rules = match &*self.rules.load() {
            Some(rules) => rules.overlaid(overlaid),
            None => SiteRules::of(hub, Vec::new(), overlaid, SiteMonitors::default()),
        };
        self.store(&mut writing, rules);
    }

    /// Installs one rule in the place of another. Returns `false` if that takes a new compilation.
    pub(crate) fn swap(&self, rules: &[Arc<Armed>; 2]) -> bool {
        let mut writing = self.write();
        let swapped = (self.rules.load().as_ref()).and_then(|now| now.swapped(rules));
        let is_swapped = swapped.is_some();
        if is_swapped {
            self.store(&mut writing, swapped);
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
        let mut writing = self.write();
        self.store(&mut writing, rules);
    }

    fn write(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the rules and the flag.
    fn store(&self, writing: &mut Writer, rules: Option<SiteRules>) {
        let watchers = rules.as_ref().and_then(SiteRules::watchers);
        let is_measured = watchers.is_some() && self.kind == SiteKind::Layer;
        self.is_measured.store(is_measured, Ordering::Relaxed);
        let state = match (&*self.rules.load(), rules) {
            (Some(old), Some(new)) if old.are_the_same(&new) => old.number,
            (_, Some(mut rules)) => {
                rules.number = writing.number(&rules);
                let number = rules.number;
                self.rules.store(Some(Arc::new(rules)));
                number
            }
            (old, None) => {
                if old.is_some() {
                    self.rules.store(None);
                }
                if self.peer.is_to_ask() { NEW } else { IDLE }
            }
        };
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
    /// first call is still to pass, and while someone [watches](crate::Injector::watch) the site.
    #[must_use]
    pub fn is_aimed_at(&self) -> bool {
        let holds_rules = |rules: &Arc<SiteRules>| !rules.are_watched_alone();
        self.is_asked() && self.rules.load().as_ref().is_some_and(holds_rules)
    }

    /// Returns whether calls ask anything here: rules, or what counts them.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= ARMED
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
