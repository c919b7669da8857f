//! `SiteWatch`: counts the calls of sites for as long as it is held.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fnv::FnvHashMap;

use crate::{
    call::{meter::CallStats, seen::SeenFacts},
    decision::{
        overlay_rules::SiteAddress,
        site_meter::{self, MeterReading, SiteMeter},
    },
    injector::{Injector, sites::watches::MeteredSite},
    matcher::glob::SiteGlob,
};

/// Counts the calls of sites for as long as it is held. Dropping it returns the sites to idle, unless someone else
/// watches them, or rules aim at them.
///
/// [`Injector::watch`] makes it, and says what is counted.
#[derive(Debug)]
#[must_use = "nothing is counted once it is dropped"]
pub struct SiteWatch {
    injector: Injector,
    number: u64,
    /// What the meter of each site had counted when it was read last.
    read: FnvHashMap<SiteAddress, (Arc<SiteMeter>, MeterReading)>,
}

/// The calls of one site that were counted between two [readings](SiteWatch::take).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WatchedSite {
    /// The name of the site. Several sites of one name are counted together.
    pub name: &'static str,
    /// The calls that were left alone.
    pub alone: CallFigures,
    /// The calls into which a fault was injected, at this site or further inside. At a site in code: the calls that a
    /// rule has decided to hit.
    pub injected: CallFigures,
    /// How many calls wait for their answer now and have been hit by a fault, such as a delay. It is 0 at a site in code.
    pub held: u64,
}

/// The figures of a group of calls.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CallFigures {
    /// How many calls there were.
    pub calls: u64,
    /// How many of them have failed: by an error, a status of 500 or more, or a status of gRPC that is no success and
    /// comes with the head. It is 0 at a site in code, where nothing measures how calls end.
    pub failed: u64,
    /// How long the calls took; `None` without calls, and at a site in code.
    pub latency: Option<CallLatency>,
}

/// Quantiles of the time between the beginning of calls and the heads of their responses. Each is at most 3.1 percent
/// off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLatency {
    /// Half of the calls took no longer.
    pub p50: Duration,
    /// 90 percent of the calls took no longer.
    pub p90: Duration,
    /// 99 percent of the calls took no longer.
    pub p99: Duration,
}

impl CallFigures {
    pub(super) fn of(stats: &CallStats) -> Self {
        let quantile = |quantile| {
            let seconds = stats.quantile(quantile, Duration::MAX);
            Duration::from_secs_f64(seconds)
        };
        Self {
            calls: stats.calls,
            failed: stats.failed,
            latency: stats.has_latencies().then(|| CallLatency {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
            }),
        }
    }
}

impl Injector {
    /// Counts the calls of the sites that `sites` match, from now on and for as long as the result is held.
    ///
    /// - At the site of a layer, calls that were left alone and calls into which a fault was injected are counted apart:
    ///   how many there are, how many fail, and how long it takes until the head of the response. A fault at a site
    ///   further inside, such as a function that the service calls, counts as injected, too. Bodies are not measured, so
    ///   a call whose body fails after its head counts as none that failed. A call whose caller leaves before the head
    ///   is counted only if a fault was injected into it, and then it has failed. Calls that are exempt, such as
    ///   health checks, are not counted.
    /// - At a site in code, calls and hits are counted, and nothing else.
    /// - The sites of connections are not counted.
    ///
    /// Sites that become known later are counted, too. At most 200 are counted at a time, and further ones are not. A
    /// halt leaves the counts as they are: calls are counted on. A call that is counted takes no lock that another one
    /// waits for, and, after the first calls of a thread, no allocation. A site that nobody watches costs nothing.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule, inject};
    ///
    /// let injector = Injector::new();
    /// let read = || inject!(injector: &injector, "db.read");
    /// let mut watch = injector.watch(["db.*".parse()?]);
    /// assert!(read().is_ok());
    /// injector.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
    /// assert!(read().is_err());
    ///
    /// let sites = watch.take();
    /// assert_eq!(sites[0].name, "db.read");
    /// assert_eq!((sites[0].alone.calls, sites[0].injected.calls), (1, 1));
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    pub fn watch(&self, sites: impl IntoIterator<Item = SiteGlob>) -> SiteWatch {
        let mut watch = SiteWatch {
            injector: self.clone(),
            number: self.book().watches.begin(),
            read: FnvHashMap::default(),
        };
        watch.set_sites(sites);
        watch
    }

    /// Returns the facts that the calls of a site had while the site was [watched](Self::watch), since it is; `None` if
    /// no site has this name. If nobody watches the site, there are only the names of the labels that it declares.
    #[must_use]
    pub fn seen(&self, site: &str) -> Option<SeenFacts> {
        let book = self.book();
        let mut facts = None;
        for site in book.sites.iter().filter(|known| known.name() == site) {
            let facts: &mut SeenFacts = facts.get_or_insert_default();
            facts.add_labels(site.labels());
            if let Some(meter) = book.watches.meter_at(site) {
                meter.add_seen_to(facts);
            }
        }
        facts
    }
}

impl SiteWatch {
    /// Counts at the sites that `sites` match, in place of those before. The counts of a site that was watched before go
    /// on.
    pub fn set_sites(&mut self, sites: impl IntoIterator<Item = SiteGlob>) {
        let patterns: Vec<_> = sites.into_iter().collect();
        self.set(patterns);
        let metered = self.metered();
        let is_watched = |address: &SiteAddress| {
            let mut sites = metered.iter();
            sites.any(|(site, _)| site.address() == *address)
        };
        self.read.retain(|address, _| is_watched(address));
        // What others have counted before is not of this watch.
        for (site, meter) in metered {
            let read = self.read.entry(site.address());
            read.or_insert_with(|| (Arc::clone(&meter), meter.read()));
        }
    }

    /// Returns what was counted at each site since the last call, or since the watch of the site began, in order of
    /// their names. A site without calls is listed.
    #[must_use = "what was counted is returned once"]
    pub fn take(&mut self) -> Vec<WatchedSite> {
        let metered = self.metered();
        let held = site_meter::held(metered.iter().map(|(_, meter)| &**meter));
        let mut by_name: BTreeMap<&'static str, (MeterReading, u64)> = BTreeMap::new();
        for ((site, meter), held) in metered.into_iter().zip(held) {
            let now = meter.read();
            let before = self
                .read
                .insert(site.address(), (Arc::clone(&meter), now.clone()))
                // The meter of a site that was not watched for a while is another one.
                .filter(|(before, _)| Arc::ptr_eq(before, &meter));
            let sum = by_name.entry(site.name());
            let sum = sum.or_insert_with(|| (SiteMeter::nothing(), 0));
            sum.1 += held;
            for (at, mut stats) in now.into_iter().enumerate() {
                if let Some((_, before)) = &before {
                    stats.subtract(&before[at]);
                }
                sum.0[at].absorb(&stats);
            }
        }
        let sites = by_name.into_iter();
        let sites = sites.map(|(name, ([alone, injected], held))| WatchedSite {
            name,
            alone: CallFigures::of(&alone),
            injected: CallFigures::of(&injected),
            held,
        });
        sites.collect()
    }

    /// Returns the sites whose calls are counted for this watch, and maybe others'.
    fn metered(&self) -> Vec<MeteredSite> {
        let book = self.injector.book();
        book.watches.metered_for(self.number).cloned().collect()
    }

    /// Sets the patterns, and arms and disarms the sites that they match or have matched.
    fn set(&self, patterns: Vec<SiteGlob>) {
        let injector = &self.injector;
        let mut guard = injector.swept_book();
        let book = &mut *guard;
        let changed = book.watches.set(self.number, patterns, &book.sites);
        let now = injector.now();
        let watching = injector.0.watching(book, now);
        for site in changed {
            injector.0.install_at(book, site, &watching, now);
        }
        injector.0.note_armed(book, now);
    }
}

impl Drop for SiteWatch {
    fn drop(&mut self) {
        self.set(Vec::new());
    }
}
