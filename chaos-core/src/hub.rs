//! Telling the world: one tracing event per injection, and whoever wants to know besides.

pub(crate) mod closures;
pub(crate) mod reentrancy;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    audit::Audit,
    clock::Clock,
    gate::changed::News,
    guard_rail::{
        breach::Breach,
        monitor::{self, Watch},
    },
    hub::{closures::Closures, reentrancy::Telling},
    name::RuleId,
    policy::{Policy, spending::Purse},
};

/// A fault that really happened: one rule, on one call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Injection {
    /// Where.
    pub site: &'static str,
    /// By which rule.
    pub rule: RuleId,
    /// The rule's faults in order, joined by `+`; of a rule with a choice, those that happen here.
    pub fault: Arc<str>,
    /// How long the rule delays this call; zero if it does not.
    pub delay: Duration,
}

/// Someone who wants to know.
type Observer = Arc<dyn Fn(&Injection) + Send + Sync>;

/// The policy in force, and what has been spent of it.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) policy: Policy,
    /// Injections begun or about to.
    pub(crate) spent: AtomicU64,
    pub(crate) purse: Purse,
    pub(crate) watches: Vec<Arc<Watch>>,
}

impl Bounds {
    pub(crate) fn new(policy: Policy) -> Self {
        let watches = policy.guards.iter().map(Watch::of_policy);
        Self {
            watches: watches.map(Arc::new).collect(),
            policy,
            ..Self::default()
        }
    }
}

/// What the rules of one injector share: its clock, who is told, and what may happen.
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    /// Injections so far, those of rules that are gone included. A number that is only added to.
    injected: AtomicU64,
    observers: ArcSwap<Vec<Observer>>,
    pub(crate) closures: Closures,
    pub(crate) bounds: ArcSwap<Bounds>,
    /// Injections under way, of overlays and of rules that are gone as well.
    pub(crate) active: AtomicU64,
    pub(crate) news: News,
    pub(crate) audit: Audit,
    /// What stops a rule, or everything, when a bound is broken: the injector puts it here.
    pub(crate) stop: OnceLock<Stop>,
}

/// Told of a breach, and of the rule to stop, if it is not to be everything.
type Stop = Box<dyn Fn(&Breach, Option<&RuleId>) + Send + Sync>;

impl Hub {
    pub(crate) fn new(clock: Clock, policy: Policy) -> Self {
        Self {
            clock,
            injected: AtomicU64::new(0),
            observers: ArcSwap::default(),
            closures: Closures::default(),
            bounds: ArcSwap::from_pointee(Bounds::new(Policy::default().and(policy))),
            active: AtomicU64::new(0),
            news: News::default(),
            audit: Audit::default(),
            stop: OnceLock::new(),
        }
    }

    pub(crate) fn add(&self, observer: Observer) {
        self.observers.rcu(|observers| {
            let mut observers = Vec::clone(observers);
            observers.push(Arc::clone(&observer));
            observers
        });
    }

    pub(crate) fn breached(&self, breach: &Breach, rule: Option<&RuleId>) {
        if let Some(stop) = self.stop.get() {
            stop(breach, rule);
        }
    }

    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, injection: &Injection) {
        self.injected.fetch_add(1, Ordering::Relaxed);
        monitor::note_injection();
        // First: an observer may panic.
        self.news.tell();
        let _telling = Telling::begin();
        tracing::info!(
            target: "chaos",
            site = injection.site,
            rule = injection.rule.as_str(),
            fault = &*injection.fault,
            delay_ms = injection.delay.as_secs_f64() * 1e3,
            "fault injected",
        );
        record(injection);
        for observer in self.observers.load().iter() {
            observer(injection);
        }
    }
}

/// Says it on the span that the call is in: those of these fields that it was declared with.
fn record(injection: &Injection) {
    let span = tracing::Span::current();
    span.record("chaos.site", injection.site);
    span.record("chaos.rule", injection.rule.as_str());
    span.record("chaos.fault", &*injection.fault);
    span.record("chaos.delay_ms", injection.delay.as_secs_f64() * 1e3);
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("clock", &self.clock)
            .field("observers", &self.observers.load().len())
            .finish()
    }
}
