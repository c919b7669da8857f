//! Which rules are observed: what they do to calls is counted at named sites, until the observation ends.

pub(crate) mod key_counts;
pub(crate) mod observed_site;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;

use self::observed_site::ObservedSite;
use crate::{call::meter::nanos, name::RuleId};

/// The observed rules of one injector. Everything is written under the injector's lock.
pub(crate) struct Observations {
    /// Whether there are any. It only says whether to look at the list: relaxed. Who arms a rule after it was observed
    /// hands this on with the rule.
    are_there: AtomicBool,
    list: ArcSwap<Vec<Arc<Observation>>>,
    /// The nanoseconds at which the first lease is over. It orders nothing: relaxed.
    first_end: AtomicU64,
    /// Ends those whose lease is over, unless somebody else holds the injector's lock. The injector sets it when it is
    /// made.
    pub(crate) end_lapsed: OnceLock<EndLapsed>,
}

type EndLapsed = Box<dyn Fn() + Send + Sync>;

/// One observation of a rule, whatever becomes of the rule meanwhile.
#[derive(Debug)]
pub(crate) struct Observation {
    /// No other observation of the process has this number.
    pub(crate) number: u64,
    pub(crate) rule: RuleId,
    pub(crate) since: SystemTime,
    /// The nanoseconds at which its lease is over. It orders nothing: relaxed.
    lease: AtomicU64,
    pub(crate) sites: Box<[Arc<ObservedSite>]>,
}

impl Observation {
    /// How long an observation lasts for whose counts nobody asks who may keep it.
    const LEASE: Duration = Duration::from_secs(60);

    /// Begins to observe a rule. `sites` makes what counts at the sites, for the observation's number.
    pub(crate) fn new(
        rule: RuleId,
        (since, now): (SystemTime, Duration),
        sites: impl FnOnce(u64) -> Box<[Arc<ObservedSite>]>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        let observation = Self {
            number,
            rule,
            since,
            lease: AtomicU64::new(0),
            sites: sites(number),
        };
        observation.renew(now);
        observation
    }

    fn renew(&self, now: Duration) {
        let end = nanos(now.saturating_add(Self::LEASE));
        self.lease.store(end, Relaxed);
    }

    fn end(&self) -> u64 {
        self.lease.load(Relaxed)
    }

    /// Returns what counts the calls at the site of this name, if any does.
    pub(crate) fn at(&self, site: &str) -> Option<&Arc<ObservedSite>> {
        self.sites.iter().find(|known| *known.name == *site)
    }
}

impl Observations {
    /// Returns whether any rule is observed: one relaxed load.
    #[inline(always)]
    pub(crate) fn are_there(&self) -> bool {
        self.are_there.load(Relaxed)
    }

    /// Returns the observation of a rule, if there is one.
    pub(crate) fn of(&self, rule: &str) -> Option<Arc<Observation>> {
        let list = self.list.load();
        let mut list = list.iter();
        list.find(|known| known.rule.as_str() == rule).cloned()
    }

    /// Returns what counts the calls at the site of this name.
    pub(crate) fn at(&self, site: &str) -> Vec<Arc<ObservedSite>> {
        let list = self.list.load();
        let sites = list.iter().filter_map(|known| known.at(site).cloned());
        sites.collect()
    }

    /// Returns how many other rules are observed.
    pub(crate) fn count_others(&self, rule: &str) -> usize {
        self.others(|known| known.rule.as_str() != rule).len()
    }

    /// Adds an observation, in the place of one of the same rule.
    pub(crate) fn put(&self, observation: Observation) {
        let rule = observation.rule.clone();
        let mut list = self.others(|known| known.rule != rule);
        list.push(Arc::new(observation));
        self.set(list);
    }

    /// Ends the observation of a rule. Returns `false` if there was none.
    pub(crate) fn end(&self, rule: &str) -> bool {
        let list = self.others(|known| known.rule.as_str() != rule);
        self.shorten_to(list)
    }

    /// Ends the observations whose lease is over. Returns `false` if there was none.
    pub(crate) fn end_those_over(&self, now: Duration) -> bool {
        let now = nanos(now);
        self.shorten_to(self.others(|known| now < known.end()))
    }

    /// Begins the lease of an observation anew.
    pub(crate) fn renew(&self, observation: &Observation, now: Duration) {
        observation.renew(now);
        self.set(self.others(|_| true));
    }

    /// Returns whether the lease of any observation is over.
    #[inline]
    pub(crate) fn are_over(&self, now: Duration) -> bool {
        nanos(now) >= self.first_end.load(Relaxed)
    }

    /// Ends the observations whose lease is over, unless somebody holds the injector's lock. A later call does then.
    #[cold]
    pub(crate) fn try_to_end_lapsed(&self) {
        if let Some(end) = self.end_lapsed.get() {
            end();
        }
    }

    fn others(&self, stays: impl Fn(&Observation) -> bool) -> Vec<Arc<Observation>> {
        let list = self.list.load();
        list.iter().filter(|known| stays(known)).cloned().collect()
    }

    fn shorten_to(&self, list: Vec<Arc<Observation>>) -> bool {
        let is_shorter = list.len() < self.list.load().len();
        if is_shorter {
            self.set(list);
        }
        is_shorter
    }

    fn set(&self, list: Vec<Arc<Observation>>) {
        let first = list.iter().map(|known| known.end()).min();
        let are_there = !list.is_empty();
        self.list.store(Arc::new(list));
        self.first_end.store(first.unwrap_or(u64::MAX), Relaxed);
        self.are_there.store(are_there, Relaxed);
    }
}

impl Default for Observations {
    fn default() -> Self {
        Self {
            are_there: AtomicBool::new(false),
            list: ArcSwap::default(),
            first_end: AtomicU64::new(u64::MAX),
            end_lapsed: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Observations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.load().iter()).finish()
    }
}
