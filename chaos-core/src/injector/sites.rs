//! The sites of an injector: made by name, taken in from the linker's list, and exempted.

pub(super) mod list;
pub(super) mod names;
pub(crate) mod observe_error;
mod outcomes;
pub(crate) mod rule_outcomes;
pub(crate) mod site_watch;
pub(super) mod watches;
pub(crate) mod why;

use std::panic::Location;

use crate::{
    call::site_kind::SiteKind,
    injector::{Book, Injector},
    matcher::glob::SiteGlob,
    site::Site,
};

impl Injector {
    /// Returns the layer site called `name`, and makes it on the first call.
    ///
    /// A site lives as long as the process. Call this when a layer or a component is made, not for
    /// each request, and with names from the code, not from input.
    ///
    /// # Panics
    /// Panics if `name` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn site(&self, name: &str) -> &'static Site {
        self.site_of(name, SiteKind::Layer)
    }

    /// Returns the site called `name` of the given kind, and makes it on the first call. A name may
    /// have one site of each kind.
    ///
    /// # Panics
    /// Panics if `name` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn site_of(&self, name: &str, kind: SiteKind) -> &'static Site {
        let place = Location::caller();
        self.site_at(name, kind, place.file(), place.line(), &[])
    }

    /// Returns the site called `name`, which stands in the given file and line if it has to be made.
    pub(crate) fn site_at(
        &self,
        name: &str,
        kind: SiteKind,
        file: &'static str,
        line: u32,
        labels: &'static [&'static str],
    ) -> &'static Site {
        let interned = &self.0.interned;
        if let Some(site) = interned.find(name, kind) {
            return site;
        }
        let mut book = self.book();
        // Another thread may have made it in between.
        if let Some(site) = interned.find(name, kind) {
            return site;
        }
        let name: &'static str = Box::leak(name.into());
        let site: &'static Site = Box::leak(Box::new(Site::new(name, kind, file, line, labels)));
        // Armed before any other thread can find it.
        self.add(&mut book, site);
        interned.add(site);
        site
    }

    /// Takes in sites that were made elsewhere, such as the statics of the macros.
    pub(crate) fn register(&self, sites: impl IntoIterator<Item = &'static Site>) {
        let mut book = self.book();
        for site in sites {
            if site.is_new() {
                self.add(&mut book, site);
            }
        }
    }

    /// Returns every site that this injector can reach, in order of name, file and line.
    #[must_use]
    pub fn sites(&self) -> Vec<&'static Site> {
        self.swept_book().sites.iter().collect()
    }

    /// Exempts the sites that `sites` matches from all rules, for as long as the injector lives.
    ///
    /// An exemption cannot be undone. Use it in code that knows which sites must never fail.
    pub fn exempt(&self, sites: SiteGlob) {
        let mut book = self.book();
        book.exempt.push(sites);
        self.0.install_all(&mut book, self.now());
    }

    /// Exempts the requests whose path is `path`, or below it, from all rules at every site of the
    /// injector, for as long as it lives.
    ///
    /// Use it for routes that must work whatever is injected, such as those of an admin port that is
    /// nested into the service. The path is the one that a layer sees: a layer inside of a nested router
    /// sees it without the prefix.
    ///
    /// ```
    /// let injector = chaos_core::Injector::new();
    /// injector.exempt_path("/chaos");
    /// ```
    ///
    /// # Panics
    /// Panics if `path` does not begin with `/`, or is `/` alone.
    pub fn exempt_path(&self, path: &str) {
        self.0.hub.exempt_path(path);
    }

    /// Adds a site, and installs the rules that aim at it, those of overlays included.
    pub(super) fn add(&self, book: &mut Book, site: &'static Site) {
        book.sites.add(site);
        book.watches.add(site);
        let now = self.now();
        for overlay in &book.overlays {
            if let Some(rules) = self.0.overlay_rules_at(book, overlay, site, now) {
                overlay.add(site.address(), rules);
            }
        }
        let watching = self.0.watching(book, now);
        self.0.install_at(book, site, &watching, now);
    }
}
