//! Counters of injections by site, rule and fault. They are incremented without a lock, and their
//! number is bounded.

use std::{
    borrow::Borrow,
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use chaos_core::{Injection, Injector, RuleId, rule::RuleSet};
use fnv::FnvHashMap;
use prometheus::{Histogram, HistogramOpts, core::Collector, proto::Metric};

use super::{expected, table::DELAYS};

/// The number of series at a time.
const MAX_SERIES: usize = 1000;
/// The number of series whose rule no longer exists.
const MAX_ORPHANED: usize = 200;
/// The label of the series that counts what exceeds [`MAX_SERIES`]. No site, rule or fault has a
/// name with a parenthesis.
const OTHER: &str = "(other)";
/// The bounds of the histogram in seconds, from the latency of a slow disk to the timeout of a
/// patient client.
const BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// The labels of a series.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    site: &'static str,
    rule: RuleId,
    fault: Arc<str>,
}

/// What has the labels of a series: its key, and an injection, which is counted without a key made of it. To clone what
/// a key holds is a write that all threads share.
trait Labels {
    /// Returns the site, the rule and the fault.
    fn labels(&self) -> [&str; 3];
}

impl Labels for Key {
    fn labels(&self) -> [&str; 3] {
        [self.site, self.rule.as_str(), &self.fault]
    }
}

impl Labels for Injection {
    fn labels(&self) -> [&str; 3] {
        [self.site, self.rule.as_str(), &self.fault]
    }
}

impl<'l> Borrow<dyn Labels + 'l> for Key {
    fn borrow(&self) -> &(dyn Labels + 'l) {
        self
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels().hash(state);
    }
}

impl Hash for dyn Labels + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels().hash(state);
    }
}

impl PartialEq for dyn Labels + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.labels() == other.labels()
    }
}

impl Eq for dyn Labels + '_ {}

// Each atomic is a counter or a flag that publishes no other data, so all accesses are relaxed.

#[derive(Default)]
struct Series {
    count: AtomicU64,
    /// The value at the last read, and the number of the first read that found this value.
    last_count: AtomicU64,
    changed_at: AtomicU64,
}

type AllSeries = FnvHashMap<Key, Arc<Series>>;

/// The counters of an injector's injections, until the last handle of them is dropped.
pub(super) struct CountedInjections {
    pub(super) counters: Arc<InjectionCounters>,
    /// What the observer counts in. The injector keeps its observers for ever, and the observer must not keep the
    /// counters alive; to take hold of them for each injection would be a write that all threads share.
    observed: Arc<ArcSwapOption<InjectionCounters>>,
}

impl CountedInjections {
    /// Counts the injections of `injector` from this call on.
    pub(super) fn of(injector: &Injector) -> Self {
        let counters = Arc::new(InjectionCounters::new());
        let observed = Arc::new(ArcSwapOption::new(Some(Arc::clone(&counters))));
        let counting = Arc::clone(&observed);
        injector.observe_calls_while(
            || false,
            move |injection| {
                if let Some(counters) = &*counting.load() {
                    counters.count(injection);
                }
            },
        );
        Self { counters, observed }
    }
}

impl Drop for CountedInjections {
    fn drop(&mut self) {
        self.observed.store(None);
    }
}

/// The counters that the observer of an injector increments.
pub(super) struct InjectionCounters {
    series: ArcSwap<AllSeries>,
    /// Injections beyond the limit on series.
    other: AtomicU64,
    delays: Histogram,
    /// Whether delays are also recorded by the `metrics` facade.
    #[cfg(feature = "metrics")]
    publishes_delays: std::sync::atomic::AtomicBool,
    /// The number of reads so far; locked during a read.
    reads: Mutex<u64>,
}

impl InjectionCounters {
    pub(super) fn new() -> Self {
        let options = HistogramOpts::new(DELAYS, DELAYS).buckets(BUCKETS.to_vec());
        Self {
            series: ArcSwap::default(),
            other: AtomicU64::new(0),
            delays: Histogram::with_opts(options).expect("the name is one, and the bounds rise"),
            #[cfg(feature = "metrics")]
            publishes_delays: std::sync::atomic::AtomicBool::new(false),
            reads: Mutex::default(),
        }
    }

    /// Records delays by the `metrics` facade from now on. Without this call they are not, because
    /// two `Metrics` of one injector would record each delay twice.
    #[cfg(feature = "metrics")]
    pub(super) fn publish_delays(&self) {
        self.publishes_delays.store(true, Relaxed);
    }

    /// Counts an injection. It runs on the thread of the call that is hit, and costs a look-up and
    /// an addition. Only the first injection of a series copies the map, which blocks no other
    /// thread.
    pub(super) fn count(&self, injection: &Injection) {
        if !self.add(injection) {
            self.begin(injection);
            if !self.add(injection) {
                self.other.fetch_add(1, Relaxed);
            }
        }
        if !injection.delay.is_zero() {
            let seconds = injection.delay.as_secs_f64();
            self.delays.observe(seconds);
            #[cfg(feature = "metrics")]
            if self.publishes_delays.load(Relaxed) {
                metrics::histogram!(DELAYS).record(seconds);
            }
        }
    }

    /// Returns `false` if there is no such series.
    fn add(&self, injection: &dyn Labels) -> bool {
        let all = self.series.load();
        let series = all.get(injection);
        if let Some(series) = series {
            series.count.fetch_add(1, Relaxed);
        }
        series.is_some()
    }

    #[cold]
    fn begin(&self, injection: &Injection) {
        let key = Key {
            site: injection.site,
            rule: injection.rule.clone(),
            fault: Arc::clone(&injection.fault),
        };
        self.series.rcu(|all| {
            // Another thread may have added it in the meantime.
            if all.len() >= MAX_SERIES || all.contains_key(&key) {
                return Arc::clone(all);
            }
            let mut all = AllSeries::clone(all);
            all.insert(key.clone(), Arc::default());
            Arc::new(all)
        });
    }

    /// Returns the labels and the value of each series, sorted by labels. Of the series whose rule
    /// no longer exists, those that changed most recently are kept. Series that can begin are there
    /// with 0, as long as there is room.
    pub(super) fn read(&self, rules: &RuleSet, sites: &[&str]) -> Vec<([String; 3], u64)> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        *reads += 1;
        let all = self.series.load_full();
        for series in all.values() {
            let count = series.count.load(Relaxed);
            if series.last_count.swap(count, Relaxed) != count {
                series.changed_at.store(*reads, Relaxed);
            }
        }
        if all.len() > MAX_ORPHANED {
            self.forget(&all, rules);
        }
        drop(reads);

        let all = self.series.load();
        let counted = all
            .iter()
            .map(|(key, series)| (key.labels().map(str::to_owned), series.count.load(Relaxed)));
        let mut counted: BTreeMap<_, _> = counted.collect();
        for rule in rules.rules().iter().filter(|rule| rule.is_enabled()) {
            for labels in expected::series(rule, sites) {
                if counted.len() >= MAX_SERIES {
                    break;
                }
                counted.entry(labels).or_default();
            }
        }
        let other = self.other.load(Relaxed);
        let other = (other > 0).then(|| ([OTHER; 3].map(str::to_owned), other));
        counted.into_iter().chain(other).collect()
    }

    /// Removes the series beyond [`MAX_ORPHANED`] whose rule no longer exists.
    fn forget(&self, all: &AllSeries, rules: &RuleSet) {
        let there: HashSet<&RuleId> = rules.rules().iter().map(|rule| rule.id()).collect();
        let gone = all.iter().filter(|(key, _)| !there.contains(&key.rule));
        let mut gone: Vec<_> = gone.collect();
        // Ties are broken by labels, so that the result is deterministic.
        gone.sort_by_key(|(key, series)| (Reverse(series.changed_at.load(Relaxed)), *key));
        let forgotten: HashSet<&Key> = gone
            .iter()
            .skip(MAX_ORPHANED)
            .map(|(key, _)| *key)
            .collect();
        if !forgotten.is_empty() {
            self.series.rcu(|all| {
                let mut all = AllSeries::clone(all);
                all.retain(|key, _| !forgotten.contains(key));
                all
            });
        }
    }

    /// Returns the histogram of delays.
    pub(super) fn delays(&self) -> Vec<Metric> {
        let families = self.delays.collect();
        families
            .into_iter()
            .flat_map(|mut family| family.take_metric())
            .collect()
    }
}
