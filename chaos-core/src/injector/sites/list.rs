//! `SiteList`: the sites of an injector, in order of their names.

use std::collections::BTreeMap;

use crate::{matcher::glob::SiteGlob, site::Site};

/// The sites that an injector knows, in order of name, file and line. Several may share a name, and one site is listed
/// once.
#[derive(Debug, Default)]
pub(in crate::injector) struct SiteList(
    BTreeMap<(&'static str, &'static str, u32, usize), &'static Site>,
);

impl SiteList {
    pub(in crate::injector) fn add(&mut self, site: &'static Site) {
        let place = (site.name(), site.file(), site.line(), site.address());
        self.0.insert(place, site);
    }

    pub(in crate::injector) fn iter(&self) -> impl Iterator<Item = &'static Site> {
        self.0.values().copied()
    }

    /// Returns the sites that a rule with this pattern aims at. A name is looked up, and a pattern compared with the
    /// name of each site.
    pub(in crate::injector) fn aimed_at<'l>(
        &'l self,
        glob: &'l SiteGlob,
    ) -> impl Iterator<Item = &'static Site> + use<'l> {
        let exact = glob.exact();
        let from = exact.unwrap_or_default();
        let sites = self.0.range((from, "", 0, 0)..);
        let sites = sites.take_while(move |(place, _)| exact.is_none_or(|name| place.0 == name));
        sites
            .map(|(_, site)| *site)
            .filter(move |site| exact.is_some() || glob.matches(site.name()))
    }
}
