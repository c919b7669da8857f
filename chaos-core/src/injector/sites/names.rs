//! `SiteNames`: the sites that were made by name, found without a lock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fnv::FnvHashMap;

use crate::{call::site_kind::SiteKind, site::Site};

/// The number of maps. A new site copies one of them.
const MAPS: usize = 64;

type ByName = FnvHashMap<(&'static str, SiteKind), &'static Site>;

/// The sites that were made by name, each kind apart. Written under the injector's lock, read without.
#[derive(Debug)]
pub(in crate::injector) struct SiteNames([ArcSwapOption<ByName>; MAPS]);

impl Default for SiteNames {
    fn default() -> Self {
        Self([const { ArcSwapOption::const_empty() }; MAPS])
    }
}

impl SiteNames {
    /// Returns the site of this name and kind.
    pub(in crate::injector) fn find(&self, name: &str, kind: SiteKind) -> Option<&'static Site> {
        let sites = self.map(name).load();
        sites.as_ref()?.get(&(name, kind)).copied()
    }

    /// Adds a site whose name no other of its kind has.
    pub(in crate::injector) fn add(&self, site: &'static Site) {
        let map = self.map(site.name());
        let mut sites = map.load().as_deref().cloned().unwrap_or_default();
        sites.insert((site.name(), site.kind()), site);
        map.store(Some(Arc::new(sites)));
    }

    /// Returns the map that has the sites of this name. The ends of names differ where their beginnings do not.
    fn map(&self, name: &str) -> &ArcSwapOption<ByName> {
        let end = name.bytes().rev().take(4);
        let place = end.fold(name.len(), |place, byte| 31 * place + usize::from(byte));
        &self.0[place % MAPS]
    }
}
