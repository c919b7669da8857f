//! `SiteNames`: the sites that were made by name, found without a lock.

use std::{hash::Hasher, sync::Arc};

use arc_swap::ArcSwapOption;
use fnv::{FnvHashMap, FnvHasher};

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

    /// Returns the map that has the sites of this name.
    fn map(&self, name: &str) -> &ArcSwapOption<ByName> {
        let mut hasher = FnvHasher::default();
        hasher.write(name.as_bytes());
        // These bits depend on each byte, the last included. The maps use the lowest and the highest ones.
        &self.0[(hasher.finish() >> 40) as usize % MAPS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sites of the same last name were all in a few maps, and each new one copied all of them.
    #[test]
    fn no_map_has_much_more_than_its_share() {
        for name in [
            |at| format!("shop.orders{at}.read"),
            |at| format!("db.{at}"),
            |at| format!("route-{at:04}.http.server"),
        ] as [fn(usize) -> String; 3]
        {
            let names = SiteNames::default();
            let mut sizes = [0; MAPS];
            for at in 0..100 * MAPS {
                let map = names.map(&name(at));
                let place = names.0.iter().position(|other| std::ptr::eq(other, map));
                sizes[place.unwrap()] += 1;
            }
            assert!(
                sizes.iter().all(|size| *size < 200),
                "{}: {sizes:?}",
                name(0)
            );
        }
    }
}
