//! Who is notified of an injection: tracing, with an event and fields of the span, and observers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tracing::level_filters::LevelFilter;

use crate::{call::hit_call::HitCall, name::RuleId};

/// A fault that really happened: one rule, on one call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Injection {
    /// The name of the site that the call passed.
    pub site: &'static str,
    /// The id of the rule that hit the call.
    pub rule: RuleId,
    /// The names of the rule's faults in order, joined by `+`. For a rule with a choice, those that
    /// happen on this call.
    pub fault: Arc<str>,
    /// How long the rule delays this call; zero if it does not.
    pub delay: Duration,
    /// The call that was hit, as far as the site knows it. Nothing is known of it if no observer wanted to know
    /// when the rule fired ([`Injector::observe_calls_while`](crate::Injector::observe_calls_while)).
    pub call: Arc<HitCall>,
}

type Observe = Arc<dyn Fn(&Injection) + Send + Sync>;
type WantsCalls = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone)]
struct Observer {
    observe: Observe,
    /// `None` if it always does.
    wants_calls: Option<WantsCalls>,
}

/// The observers of one injector, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Observers {
    all: ArcSwap<Vec<Observer>>,
    /// Whether there is any. It is set after them and never cleared: relaxed, as a call that does not see it yet
    /// comes before them.
    are_there: AtomicBool,
}

impl Observers {
    pub(crate) fn add(&self, observe: Observe, wants_calls: Option<WantsCalls>) {
        let observer = Observer {
            observe,
            wants_calls,
        };
        self.all.rcu(|observers| {
            let mut observers = Vec::clone(observers);
            observers.push(observer.clone());
            observers
        });
        self.are_there.store(true, Relaxed);
    }

    /// Returns whether there is any observer.
    pub(crate) fn are_there(&self) -> bool {
        self.are_there.load(Relaxed)
    }

    /// Returns whether one of them is to know what is known of the call.
    #[inline]
    pub(crate) fn want_calls(&self) -> bool {
        self.are_there() && self.any_wants_calls()
    }

    #[inline(never)]
    fn any_wants_calls(&self) -> bool {
        let wants = |observer: &Observer| observer.wants_calls.as_ref().is_none_or(|wants| wants());
        self.all.load().iter().any(wants)
    }

    pub(crate) fn notify(&self, injection: &Injection) {
        for observer in self.all.load().iter() {
            (observer.observe)(injection);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.all.load().len(), f)
    }
}

/// Which injections are events of level `INFO`: about ten in each second. A log of that level has no line for
/// each of thousands of calls.
#[derive(Debug, Default)]
pub(crate) struct EventPace {
    /// The second of the last event, by the injector's clock, and the number of events in it. A race counts an
    /// event too few or too many: relaxed.
    second: AtomicU64,
    events: AtomicU32,
}

impl EventPace {
    const PER_SECOND: u32 = 10;

    /// Counts an event at the time `now`, and returns whether it is one of the first of its second.
    pub(crate) fn takes(&self, now: Duration) -> bool {
        let second = now.as_secs();
        if self.second.load(Relaxed) != second {
            self.second.store(second, Relaxed);
            self.events.store(0, Relaxed);
        }
        // Nothing is written once there were enough, because all threads read this.
        self.events.load(Relaxed) < Self::PER_SECOND
            && self.events.fetch_add(1, Relaxed) < Self::PER_SECOND
    }
}

/// Returns whether there is a subscriber of tracing, which may take the event or have a span.
pub(crate) fn is_traced() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// Emits one event, of level `INFO` if it is `usual` and of `DEBUG` otherwise, and records the fields that the
/// current span was declared with.
pub(crate) fn trace(injection: &Injection, usual: impl FnOnce() -> bool) {
    if !is_traced() {
        return;
    }
    let delay_ms = injection.delay.as_secs_f64() * 1e3;
    let call = &*injection.call;
    // A path may have a secret in it, where the route has a parameter.
    let path = call.path.as_deref().filter(|_| call.route.is_none());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "chaos",
                site = injection.site,
                rule = injection.rule.as_str(),
                fault = &*injection.fault,
                delay_ms,
                method = call.method.as_ref().map(http::Method::as_str),
                path,
                route = call.route.as_deref(),
                trace_id = call.trace_id.as_deref(),
                labels = call.labels_text(),
                "fault injected",
            )
        };
    }
    // Nobody takes either where not even `INFO` is taken.
    if LevelFilter::current() >= LevelFilter::INFO {
        match usual() {
            true => event!(info),
            false => event!(debug),
        }
    }
    let span = tracing::Span::current();
    span.record("chaos.site", injection.site);
    span.record("chaos.rule", injection.rule.as_str());
    span.record("chaos.fault", &*injection.fault);
    span.record("chaos.delay_ms", delay_ms);
}
