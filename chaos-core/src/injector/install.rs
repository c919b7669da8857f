//! Which rules each site holds: worked out under the lock, installed by a pointer swap.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    armed::rules::BeforeAndAfterArmed,
    call::site_kind::SiteKind,
    decision::{overlay_rules::OverlayRules, site_rules::SiteRules, watchers::SiteMonitors},
    guard_rail::monitor::Monitor,
    injector::{Book, Inner},
    site::Site,
};

impl Inner {
    /// Makes edited rules known as they were written, before any site holds them.
    pub(super) fn publish(&self, book: &Book) {
        self.rules.store(Arc::clone(&book.rules.set));
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
        let watching = self.watching(book, now);
        for site in book.sites.iter() {
            self.install_at(book, site, &watching, now);
        }
        book.first_deadline = book.soonest_deadline(now);
        self.note_armed(book, now);
    }

    /// Installs one rule that was edited, at the sites that it aims at or did so before.
    pub(super) fn install_one(&self, book: &mut Book, one: &BeforeAndAfterArmed, now: Duration) {
        if !self.is_local(one) {
            return self.install_own(book, now);
        }
        let (before, after) = one;
        let watching = self.watching(book, now);
        let pair = before.as_ref().zip(after.as_ref());
        let pair = pair.filter(|(before, after)| before.rule.site == after.rule.site);
        let pair = pair.map(|(before, after)| [Arc::clone(before), Arc::clone(after)]);
        let both = [before.as_ref().filter(|_| pair.is_none()), after.as_ref()];
        for rule in both.into_iter().flatten() {
            for site in book.sites.aimed_at(&rule.rule.site) {
                let swaps = |pair| !self.leaves_alone(book, site) && site.swap(pair);
                if !pair.as_ref().is_some_and(swaps) {
                    self.install_at(book, site, &watching, now);
                }
            }
        }
        // The old rule's deadline may still be the first: then nothing expires when it comes.
        let deadline = after.as_ref().and_then(|after| after.arming.deadline());
        book.first_deadline = [book.first_deadline, deadline].into_iter().flatten().min();
        self.note_armed(book, now);
    }

    /// Installs at one site what it is to hold. Nothing is compiled if it holds that already.
    pub(super) fn install_at(
        &self,
        book: &Book,
        site: &'static Site,
        watching: &Watching,
        now: Duration,
    ) {
        let counting = self.counting_at(book, site);
        if self.leaves_alone(book, site) {
            return site.install(SiteRules::of(&self.hub, Vec::new(), None, counting));
        }
        let overlaid = book.overlaid_until(site);
        let rules = book.rules.aimed_at(site.name(), now);
        let rails = watching.rails_at(site);
        let monitors = SiteMonitors { rails, ..counting };
        if !site.holds(&rules, overlaid, &monitors) {
            site.install(SiteRules::of(&self.hub, rules, overlaid, monitors));
        }
    }

    /// Returns what counts the calls of a site: for who watches it, and for observed rules.
    fn counting_at(&self, book: &Book, site: &Site) -> SiteMonitors {
        let is_layer = site.kind() == SiteKind::Layer;
        let observers = is_layer.then(|| self.hub.observations.at(site.name()));
        SiteMonitors {
            rails: None,
            meter: book.watches.meter_at(site),
            observers: observers.unwrap_or_default(),
        }
    }

    /// Installs the rules of one overlay that has changed, and the policy's guard rails, which watch
    /// while any overlay has rules.
    pub(super) fn install_overlay(&self, book: &mut Book, overlay: &OverlayRules, now: Duration) {
        let aims_at = |site: &&'static Site| overlay.aims_at(site.address());
        let before: Vec<_> = book.sites.iter().filter(aims_at).collect();
        self.find_overlay_rules(book, overlay, now);
        let after = book.sites.iter().filter(aims_at);
        for site in after.chain(before) {
            let overlaid = book.overlaid_until(site);
            site.overlay(&self.hub, overlaid);
        }
        let bounds = self.hub.bounds.load();
        if !bounds.monitors.is_empty() {
            let watching = self.watching(book, now);
            let is_watched = |site: &Site| bounds.monitors.iter().any(|it| it.aims_at(site.name()));
            for site in book.sites.iter().filter(|site| is_watched(site)) {
                self.install_at(book, site, &watching, now);
            }
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

    /// Returns the guard rails that watch: those of rules that can act, and, while there are such rules or an
    /// overlay has any, those of the policy.
    pub(super) fn watching(&self, book: &Book, now: Duration) -> Watching {
        let watches = book.rules.watches(now);
        let watches = watches.map(|(watch, deadline)| {
            let until = deadline.unwrap_or(Duration::MAX);
            (Arc::clone(watch), until)
        });
        let mut watches: Vec<_> = watches.collect();
        let bounds = self.hub.bounds.load();
        if !bounds.monitors.is_empty()
            && let Some(last) = book.last_deadline(now)
        {
            let of_policy = bounds.monitors.iter();
            watches.extend(of_policy.map(|watch| (Arc::clone(watch), last)));
        }
        Watching(watches)
    }

    /// Returns whether an edit of one rule changes nothing at sites that it does not aim at.
    fn is_local(&self, (before, after): &BeforeAndAfterArmed) -> bool {
        let mut rules = [before, after].into_iter().flatten();
        let have_none = rules.all(|rule| rule.arming.watches().is_empty());
        have_none && self.hub.bounds.load().monitors.is_empty()
    }

    /// Returns whether no rule may reach a site: halted, exempt, or outside the policy.
    pub(super) fn leaves_alone(&self, book: &Book, site: &Site) -> bool {
        self.hub.is_halted()
            || book.exempts(site)
            || !self.hub.bounds.load().policy.reaches(site.name())
    }

    /// Sets the flag that macros with an explicit injector look at first.
    pub(super) fn note_armed(&self, book: &Book, now: Duration) {
        let is_armed = !self.hub.is_halted() && book.is_live(now)
            || !book.watches.are_none()
            || self.hub.observations.are_there();
        self.armed.store(is_armed, Ordering::Relaxed);
    }
}

/// Guard rails, and until when each of them watches.
#[derive(Debug)]
pub(super) struct Watching(Vec<(Arc<Monitor>, Duration)>);

impl Watching {
    /// Returns those that watch a site, and until when.
    fn rails_at(&self, site: &Site) -> Option<(Arc<[Arc<Monitor>]>, Duration)> {
        let watches = self.0.iter();
        let watches = watches.filter(|(watch, _)| watch.aims_at(site.name()));
        let until = watches.clone().map(|(_, until)| *until).max();
        until.map(|until| (watches.map(|(it, _)| Arc::clone(it)).collect(), until))
    }
}
