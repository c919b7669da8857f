//! Which rules each site holds: worked out under the lock, installed by a pointer swap.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    armed::Armed,
    decision::{
        overlay_rules::OverlayRules,
        site_rules::{SiteMonitors, SiteRules},
    },
    guard_rail::monitor::Monitor,
    injector::{Book, Inner},
    site::Site,
};

impl Inner {
    /// Makes edited rules known, before any site holds them: as they were written, and those behind gates
    /// made after the gate `newest` to a halt.
    pub(super) fn publish(&self, book: &Book, newest: u64) {
        self.rules.store(Arc::clone(&book.rules.set));
        self.live.add(&book.rules.armed, newest);
    }

    /// Installs at each site the rules that aim at it, those of overlays included.
    pub(super) fn install_all(&self, book: &mut Book, now: Duration) {
        for overlay in &book.overlays {
            self.find_overlay_rules(book, overlay, now);
        }
        self.install_own(book, now);
    }

    /// Installs at each site the injector's own rules; those of overlays are as before.
    pub(super) fn install_own(&self, book: &mut Book, now: Duration) {
        for site in &book.sites {
            site.install(self.rules_at(book, site, now));
        }
        book.first_deadline = book.soonest_deadline(now);
        self.note_armed(book, now);
    }

    /// Installs one rule in the place of another, at the sites that either aims at.
    pub(super) fn install_swapped(
        &self,
        book: &mut Book,
        swapped: &[Arc<Armed>; 2],
        now: Duration,
    ) {
        let [before, after] = swapped;
        for site in &book.sites {
            let aims_here = |rule: &Armed| rule.rule.site.matches(site.name());
            let is_meant = aims_here(before) || aims_here(after);
            let is_swapped = || aims_here(before) && aims_here(after) && site.swap(swapped);
            if is_meant && (self.leaves_alone(book, site) || !is_swapped()) {
                site.install(self.rules_at(book, site, now));
            }
        }
        // The old rule's deadline may still be the first: then nothing expires when it comes.
        let deadlines = [book.first_deadline, after.arming.deadline()];
        book.first_deadline = deadlines.into_iter().flatten().min();
        self.note_armed(book, now);
    }

    /// Installs the rules of one overlay that has changed, and the policy's guard rails, which watch
    /// while any overlay has rules.
    pub(super) fn install_overlay(&self, book: &mut Book, overlay: &OverlayRules, now: Duration) {
        let aims_at = |site: &&'static Site| overlay.aims_at(site.address());
        let before: Vec<_> = book.sites.iter().copied().filter(aims_at).collect();
        self.find_overlay_rules(book, overlay, now);
        let after = book.sites.iter().copied().filter(aims_at);
        for site in after.chain(before) {
            let overlaid = book.overlaid_until(site);
            site.overlay(&self.hub, overlaid);
        }
        let bounds = self.hub.bounds.load();
        let is_watched = |site: &Site| bounds.monitors.iter().any(|it| it.aims_at(site.name()));
        for site in book.sites.iter().filter(|site| is_watched(site)) {
            site.install(self.rules_at(book, site, now));
        }
        book.first_deadline = book.soonest_deadline(now);
        self.note_armed(book, now);
    }

    /// Works out which rules of an overlay aim at which sites, and hands them to the overlay.
    pub(super) fn find_overlay_rules(&self, book: &Book, overlay: &OverlayRules, now: Duration) {
        let aims = book.sites.iter().filter_map(|site| {
            let rules = self.overlay_rules_at(book, overlay, site, now)?;
            Some((site.address(), rules))
        });
        // Collected before the map is replaced.
        let aims: Vec<_> = aims.collect();
        overlay.aim(aims.into_iter());
    }

    /// Returns the rules of an overlay that aim at a site.
    pub(super) fn overlay_rules_at(
        &self,
        book: &Book,
        overlay: &OverlayRules,
        site: &Site,
        now: Duration,
    ) -> Option<SiteRules> {
        if overlay.is_halted() || self.leaves_alone(book, site) {
            return None;
        }
        let rules = overlay.rules().aimed_at(site.name(), now);
        SiteRules::of(&self.hub, rules, None, SiteMonitors::default())
    }

    /// Returns what a site is to hold; `None` leaves it idle.
    pub(super) fn rules_at(
        &self,
        book: &Book,
        site: &'static Site,
        now: Duration,
    ) -> Option<SiteRules> {
        if self.leaves_alone(book, site) {
            return None;
        }
        let overlaid = book.overlaid_until(site);
        let rules = book.rules.aimed_at(site.name(), now);
        SiteRules::of(
            &self.hub,
            rules,
            overlaid,
            self.monitors_at(book, site, now),
        )
    }

    /// Returns the guard rails that watch a site: those of rules that can act, and, while there are
    /// such rules or an overlay has any, those of the policy.
    pub(super) fn monitors_at(&self, book: &Book, site: &Site, now: Duration) -> SiteMonitors {
        let aims = |watch: &&Arc<Monitor>| watch.aims_at(site.name());
        let mut until = None;
        let mut watches = Vec::new();
        for (watch, deadline) in book.rules.watches(now).filter(|(watch, _)| aims(watch)) {
            watches.push(Arc::clone(watch));
            until = until.max(Some(deadline.unwrap_or(Duration::MAX)));
        }
        let bounds = self.hub.bounds.load();
        if !bounds.monitors.is_empty()
            && let Some(last) = book.last_deadline(now)
        {
            watches.extend(bounds.monitors.iter().filter(aims).cloned());
            until = until.max(Some(last));
        }
        let until = until.filter(|_| !watches.is_empty());
        SiteMonitors(until.map(|until| (watches.into(), until)))
    }

    /// Returns whether swapping one rule for another changes nothing at other sites.
    pub(super) fn is_local(&self, [before, after]: &[Arc<Armed>; 2]) -> bool {
        let has_none = |rule: &Armed| rule.arming.watches.is_empty();
        has_none(before) && has_none(after) && self.hub.bounds.load().monitors.is_empty()
    }

    /// Returns whether no rule may reach a site: halted, exempt, or outside the policy.
    pub(super) fn leaves_alone(&self, book: &Book, site: &Site) -> bool {
        self.hub.is_halted()
            || book.exempts(site)
            || !self.hub.bounds.load().policy.reaches(site.name())
    }

    /// Sets the flag that macros with an explicit injector look at first.
    pub(super) fn note_armed(&self, book: &Book, now: Duration) {
        let is_armed = !self.hub.is_halted() && book.is_live(now);
        self.armed.store(is_armed, Ordering::Relaxed);
    }
}
