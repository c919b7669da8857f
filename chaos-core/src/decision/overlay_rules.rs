//! The rules of an overlay as sites see them, and the overlays that this thread has entered.
//!
//! The stack of overlays belongs to a thread. A future that runs in an overlay enters it on each poll, as a
//! tracing span is entered, so the overlay follows the future from thread to thread.

use std::{
    cell::RefCell,
    fmt,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use fnv::FnvHashMap;

use crate::{armed::rules::ArmedRules, decision::site_rules::SiteRules};

/// What an injector knows of an overlay: its rules, and which of them aim at which site.
#[derive(Debug)]
pub(crate) struct OverlayRules {
    /// Locked while the injector's own lock is held, or alone.
    rules: Mutex<ArmedRules>,
    by_site: ArcSwap<FnvHashMap<SiteAddress, Arc<AimedSite>>>,
    /// The token that the overlay was made from.
    token: Option<Arc<str>>,
    /// Whether the overlay is halted. Written under the injector's lock, so it orders nothing: relaxed.
    is_halted: AtomicBool,
}

/// A site at which an overlay aims.
#[derive(Debug)]
struct AimedSite {
    rules: SiteRules,
    /// Whether a call in the overlay has passed the site since the overlay was last edited. It orders nothing:
    /// relaxed.
    is_passed: AtomicBool,
}

impl AimedSite {
    fn new(rules: SiteRules) -> Arc<Self> {
        let is_passed = AtomicBool::new(false);
        Arc::new(Self { rules, is_passed })
    }

    /// Notes that a call passes. Only the first call writes.
    fn note_pass(&self) {
        if !self.is_passed.load(Ordering::Relaxed) {
            self.is_passed.store(true, Ordering::Relaxed);
        }
    }
}

/// The address of a site, which is `'static` and so never moves.
pub(crate) type SiteAddress = usize;

impl OverlayRules {
    pub(crate) fn new(token: Option<Arc<str>>) -> Self {
        Self {
            rules: Mutex::new(ArmedRules::without_rules(token.is_some())),
            by_site: ArcSwap::default(),
            token,
            is_halted: AtomicBool::new(false),
        }
    }

    /// Returns whether the overlay is halted.
    pub(crate) fn is_halted(&self) -> bool {
        self.is_halted.load(Ordering::Relaxed)
    }

    /// Sets whether the overlay is halted, and returns whether it was not so before.
    pub(crate) fn set_halted(&self, is_halted: bool) -> bool {
        self.is_halted.swap(is_halted, Ordering::Relaxed) != is_halted
    }

    /// Returns the token that the overlay was made from.
    pub(crate) fn token(&self) -> Option<Arc<str>> {
        self.token.clone()
    }

    /// Locks the rules.
    pub(crate) fn rules(&self) -> MutexGuard<'_, ArmedRules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a rule of the overlay aims at a site.
    pub(crate) fn aims_at(&self, site: SiteAddress) -> bool {
        self.aims_until(site).is_some()
    }

    /// Returns until when the overlay aims at a site; `None` if it does not.
    pub(crate) fn aims_until(&self, site: SiteAddress) -> Option<Duration> {
        self.by_site
            .load()
            .get(&site)
            .map(|site| site.rules.last_deadline())
    }

    /// Returns whether a call in the overlay is known to have passed a site since the overlay was last edited.
    pub(crate) fn has_passed(&self, site: SiteAddress) -> bool {
        let by_site = self.by_site.load();
        let site = by_site.get(&site);
        site.is_some_and(|site| site.is_passed.load(Ordering::Relaxed))
    }

    /// Replaces the rules that aim at each site.
    pub(crate) fn aim(&self, aims: impl Iterator<Item = (SiteAddress, SiteRules)>) {
        let by_site = aims.map(|(site, rules)| (site, AimedSite::new(rules)));
        self.by_site.store(Arc::new(by_site.collect()));
    }

    /// Adds the rules that aim at one new site.
    pub(crate) fn add(&self, site: SiteAddress, rules: SiteRules) {
        let mut by_site = FnvHashMap::clone(&self.by_site.load());
        by_site.insert(site, AimedSite::new(rules));
        self.by_site.store(Arc::new(by_site));
    }
}

/// An overlay that a call is in: its rules, and the handle that keeps the overlay alive.
#[derive(Clone)]
pub(crate) struct EnteredOverlay {
    rules: Arc<OverlayRules>,
    _keeper: Arc<dyn Send + Sync>,
}

impl EnteredOverlay {
    pub(crate) fn new(rules: &Arc<OverlayRules>, keeper: Arc<dyn Send + Sync>) -> Self {
        Self {
            rules: Arc::clone(rules),
            _keeper: keeper,
        }
    }
}

impl fmt::Debug for EnteredOverlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.rules, f)
    }
}

thread_local! {
    /// The overlays that this thread has entered, the innermost last.
    static ENTERED: RefCell<Vec<EnteredOverlay>> = const { RefCell::new(Vec::new()) };
}

/// Calls `look` with the overlays that this thread has entered. Returns `None` while the thread ends.
fn with_entered<T>(look: impl FnOnce(&[EnteredOverlay]) -> T) -> Option<T> {
    ENTERED.try_with(|entered| look(&entered.borrow())).ok()
}

/// Returns the overlays around this call, to be entered elsewhere.
pub(crate) fn all_entered() -> Box<[EnteredOverlay]> {
    with_entered(|entered| entered.into()).unwrap_or_default()
}

/// Returns whether this call is in any overlay.
pub(crate) fn any_entered() -> bool {
    with_entered(|entered| !entered.is_empty()).unwrap_or(false)
}

/// Returns the token of the innermost overlay that has one.
pub(crate) fn current_token() -> Option<String> {
    let token = |entered: &[EnteredOverlay]| {
        let mut tokens = entered
            .iter()
            .rev()
            .filter_map(|entered| entered.rules.token.as_deref());
        tokens.next().map(str::to_owned)
    };
    with_entered(token).flatten()
}

/// Calls `ask` with the rules that aim at a site, of each overlay around this call, the innermost first.
pub(crate) fn each_entered(
    site: SiteAddress,
    mut ask: impl FnMut(&SiteRules) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let asked = with_entered(|entered| {
        for overlay in entered.iter().rev() {
            if let Some(site) = overlay.rules.by_site.load().get(&site) {
                site.note_pass();
                ask(&site.rules)?;
            }
        }
        ControlFlow::Continue(())
    });
    asked.unwrap_or(ControlFlow::Continue(()))
}

/// Leaves the overlays that it has entered when it is dropped.
pub(crate) struct EnterGuard(Option<usize>);

impl EnterGuard {
    pub(crate) fn new(overlays: &[EnteredOverlay]) -> Self {
        // Most calls are in no overlay, and skip the thread-local.
        if overlays.is_empty() {
            return Self(None);
        }
        ENTERED.with_borrow_mut(|entered| {
            let before = entered.len();
            for overlay in overlays {
                // An overlay that is entered twice is asked once.
                let is_same = |known: &EnteredOverlay| Arc::ptr_eq(&known.rules, &overlay.rules);
                if !entered.iter().any(is_same) {
                    entered.push(overlay.clone());
                }
            }
            Self(Some(before))
        })
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let Some(before) = self.0 else {
            return;
        };
        let leave = || {
            ENTERED.with_borrow_mut(|entered| {
                let is_left = entered.len() > before;
                is_left.then(|| entered.pop()).flatten()
            })
        };
        // Dropping the last clone of an overlay may wake waiters, which may look at this stack.
        while let Some(left) = leave() {
            drop(left);
        }
    }
}
