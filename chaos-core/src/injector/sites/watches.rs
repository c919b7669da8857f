//! `Watches`: which sites are watched, and what counts their calls. It is part of the book, under the injector's lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fnv::FnvHashMap;

use crate::{
    call::site_kind::SiteKind,
    decision::{overlay_rules::SiteAddress, site_meter::SiteMeter},
    injector::sites::list::SiteList,
    matcher::glob::SiteGlob,
    site::Site,
};

/// A site that is watched, and what counts its calls.
pub(in crate::injector) type MeteredSite = (&'static Site, Arc<SiteMeter>);

/// The patterns that are watched, and the meters of the sites that they match.
#[derive(Debug, Default)]
pub(in crate::injector) struct Watches {
    /// The patterns of each watch, by its number.
    patterns: BTreeMap<u64, Vec<SiteGlob>>,
    meters: FnvHashMap<SiteAddress, MeteredSite>,
    /// The number of the last watch.
    last: u64,
}

impl Watches {
    /// The most sites whose calls are counted at a time: each takes some kilobytes for each thread.
    pub(in crate::injector) const MOST: usize = 200;

    pub(in crate::injector) fn are_none(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns the meter of a site, if it is watched.
    pub(in crate::injector) fn meter_at(&self, site: &Site) -> Option<Arc<SiteMeter>> {
        let (_, meter) = self.meters.get(&site.address())?;
        Some(Arc::clone(meter))
    }

    /// Returns the sites that a watch counts at.
    pub(in crate::injector) fn metered_for(
        &self,
        number: u64,
    ) -> impl Iterator<Item = &MeteredSite> {
        let patterns = self.patterns.get(&number).into_iter().flatten();
        let is_matched = move |(site, _): &&MeteredSite| {
            let mut patterns = patterns.clone();
            patterns.any(|pattern| pattern.matches(site.name()))
        };
        self.meters.values().filter(is_matched)
    }

    /// Returns the number of a new watch, which has no patterns yet.
    pub(in crate::injector) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Sets the patterns of a watch; without any, it has ended. Returns the sites that are now watched and were not
    /// before, or the other way round.
    pub(in crate::injector) fn set(
        &mut self,
        number: u64,
        patterns: Vec<SiteGlob>,
        sites: &SiteList,
    ) -> Vec<&'static Site> {
        match patterns.is_empty() {
            true => self.patterns.remove(&number),
            false => self.patterns.insert(number, patterns),
        };
        let patterns = self.patterns.values().flatten();
        let matched = patterns.flat_map(|pattern| sites.aimed_at(pattern));
        // In order of their names, so that it does not depend on who came first which of too many are counted.
        let matched: BTreeSet<_> = matched
            .filter(|site| is_counted(site))
            .map(|site| (site.name(), site.address()))
            .collect();
        let is_matched = |site: &Site| matched.contains(&(site.name(), site.address()));
        let mut changed = Vec::new();
        self.meters.retain(|_, (site, _)| {
            let stays = is_matched(site);
            if !stays {
                changed.push(*site);
            }
            stays
        });
        for site in sites.iter().filter(|site| is_matched(site)) {
            changed.extend(self.add_meter(site).then_some(site));
        }
        changed
    }

    /// Watches a site that is new, if it is matched.
    pub(in crate::injector) fn add(&mut self, site: &'static Site) {
        let mut patterns = self.patterns.values().flatten();
        if is_counted(site) && patterns.any(|pattern| pattern.matches(site.name())) {
            self.add_meter(site);
        }
    }

    /// Adds the meter of a site, unless it has one, or there are too many. Returns whether it was added.
    fn add_meter(&mut self, site: &'static Site) -> bool {
        if self.meters.len() >= Self::MOST || self.meters.contains_key(&site.address()) {
            return false;
        }
        let meter = Arc::new(SiteMeter::new(site.kind()));
        self.meters.insert(site.address(), (site, meter));
        true
    }
}

/// Returns whether the calls of a site can be counted: a connection is none.
fn is_counted(site: &Site) -> bool {
    site.kind() != SiteKind::Connection
}
