//! The rules of an overlay as sites see them, and which overlays this thread is in.
//!
//! The stack of overlays is a thread's own, and a future that runs in one puts it there on each poll, as
//! a tracing span is entered: so it follows the future from thread to thread.

use std::{
    cell::RefCell,
    fmt,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use fnv::FnvHashMap;

use crate::{armed::rules::ArmedRules, decision::site_rules::SiteRules};

/// What an injector knows of an overlay: its rules, and which of them aim at which site.
#[derive(Debug, Default)]
pub(crate) struct OverlayRules {
    /// Locked under the injector's own lock, or alone.
    rules: Mutex<ArmedRules>,
    by_site: ArcSwap<FnvHashMap<SiteAddress, Arc<SiteRules>>>,
    /// What the overlay came with.
    token: Option<Box<str>>,
}

/// Sites live for ever where they are.
pub(crate) type SiteAddress = usize;

impl OverlayRules {
    pub(crate) fn new(token: Option<Box<str>>) -> Self {
        Self {
            token,
            ..Self::default()
        }
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, ArmedRules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn aims_at(&self, site: SiteAddress) -> bool {
        self.aims_until(site).is_some()
    }

    /// Until when it aims at a site, if it does.
    pub(crate) fn aims_until(&self, site: SiteAddress) -> Option<Duration> {
        self.by_site
            .load()
            .get(&site)
            .map(|rules| rules.last_deadline())
    }

    /// Makes these the rules that aim at each site.
    pub(crate) fn aim(&self, aims: impl Iterator<Item = (SiteAddress, SiteRules)>) {
        let by_site = aims.map(|(site, rules)| (site, Arc::new(rules)));
        self.by_site.store(Arc::new(by_site.collect()));
    }

    /// The same for one site that is new.
    pub(crate) fn add(&self, site: SiteAddress, rules: SiteRules) {
        let mut by_site = FnvHashMap::clone(&self.by_site.load());
        by_site.insert(site, Arc::new(rules));
        self.by_site.store(Arc::new(by_site));
    }
}

/// An overlay around a call: its rules, and what keeps it alive.
#[derive(Clone)]
pub(crate) struct Around {
    layer: Arc<OverlayRules>,
    _keeper: Arc<dyn Send + Sync>,
}

impl Around {
    pub(crate) fn new(layer: &Arc<OverlayRules>, keeper: Arc<dyn Send + Sync>) -> Self {
        Self {
            layer: Arc::clone(layer),
            _keeper: keeper,
        }
    }
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.layer, f)
    }
}

thread_local! {
    /// The overlays that this thread is in, the innermost last.
    static AROUND: RefCell<Vec<Around>> = const { RefCell::new(Vec::new()) };
}

/// Looks at the overlays around this call. A thread that ends is in none any more.
fn look<T>(look: impl FnOnce(&[Around]) -> T) -> Option<T> {
    AROUND.try_with(|around| look(&around.borrow())).ok()
}

/// The overlays around this call, to be entered elsewhere.
pub(crate) fn all_around() -> Box<[Around]> {
    look(|around| around.into()).unwrap_or_default()
}

/// Whether there are any.
pub(crate) fn is_around() -> bool {
    look(|around| !around.is_empty()).unwrap_or(false)
}

/// The token of the innermost that has one.
pub(crate) fn token_around() -> Option<String> {
    let token = |around: &[Around]| {
        let mut tokens = around
            .iter()
            .rev()
            .filter_map(|around| around.layer.token.as_deref());
        tokens.next().map(str::to_owned)
    };
    look(token).flatten()
}

/// Asks the rules that aim at a site, of each overlay around this call, the innermost first.
pub(crate) fn each_around(
    site: SiteAddress,
    mut ask: impl FnMut(&SiteRules) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let asked = look(|around| {
        for overlay in around.iter().rev() {
            if let Some(rules) = overlay.layer.by_site.load().get(&site) {
                ask(rules)?;
            }
        }
        ControlFlow::Continue(())
    });
    asked.unwrap_or(ControlFlow::Continue(()))
}

/// In these overlays until it is dropped.
pub(crate) struct Entered(Option<usize>);

impl Entered {
    pub(crate) fn new(overlays: &[Around]) -> Self {
        // Most calls are in none, and need not look.
        if overlays.is_empty() {
            return Self(None);
        }
        AROUND.with_borrow_mut(|around| {
            let before = around.len();
            for overlay in overlays {
                // Twice in an overlay is no more than once.
                let is_same = |known: &Around| Arc::ptr_eq(&known.layer, &overlay.layer);
                if !around.iter().any(is_same) {
                    around.push(overlay.clone());
                }
            }
            Self(Some(before))
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(before) = self.0 else {
            return;
        };
        let leave = || {
            AROUND.with_borrow_mut(|around| {
                let is_left = around.len() > before;
                is_left.then(|| around.pop()).flatten()
            })
        };
        // The last clone of an overlay may wake others as it goes, and they may look here.
        while let Some(left) = leave() {
            drop(left);
        }
    }
}
