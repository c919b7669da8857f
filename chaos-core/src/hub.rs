//! What the rules of one injector share: its clock, its bounds, its audit, and who is notified.

pub(crate) mod closures;
pub(crate) mod observations;
pub(crate) mod observer;
pub(crate) mod reentrancy;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, Guard};
use crossbeam_utils::CachePadded;

use crate::{
    audit::Audit,
    call::stripe,
    clock::Clock,
    gate::{
        Gate,
        changed::ChangeNotifier,
        held::{HeldGates, TakenGates},
    },
    guard_rail::{breach::Breach, injected_by},
    hub::{
        closures::Closures,
        observations::Observations,
        observer::{EventPace, Injection, Observers},
        reentrancy::ReentrancyGuard,
    },
    name::RuleId,
    policy::{Policy, bounds::Bounds, limit::take_beside},
};

/// Shared by the injector, its overlays, and every rule that is armed in them.
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    /// What each hit counts, for each stripe.
    counts: Box<[CachePadded<HubCounts>]>,
    pub(crate) observers: Observers,
    /// Which rules are observed.
    pub(crate) observations: Observations,
    pace: EventPace,
    pub(crate) closures: Closures,
    pub(crate) bounds: ArcSwap<Bounds>,
    /// Whether the policy bounds what rules with any fault inject.
    bounds_hits: AtomicBool,
    /// How many injections have become active within a bound. It is only added to.
    entered: AtomicU64,
    /// Injections under way whose rules came with tokens.
    pub(crate) active_of_tokens: AtomicU64,
    /// The paths under which no rule hits a request, at any site.
    exempt_paths: ArcSwap<Vec<Box<str>>>,
    /// Whether there are any. It is set after them and never cleared: relaxed, as a call that does not see it yet
    /// comes before them.
    exempts_paths: AtomicBool,
    /// The memory that is burnt now, by all rules together.
    burning: AtomicU64,
    /// Whether all injection is halted. A call reads it before a rule fires, and so before any lock.
    halted: AtomicBool,
    /// Where calls wait that a halt releases.
    held: HeldGates,
    pub(crate) changed: ChangeNotifier,
    pub(crate) audit: Audit,
    /// Stops a rule, or everything, when a bound is broken. The injector sets it when it is made.
    pub(crate) stop: OnceLock<Stop>,
}

/// What the hits of one stripe count.
#[derive(Default)]
struct HubCounts {
    /// Injections so far, those of deleted rules included.
    injected: AtomicU64,
    /// How many injections have become active without a bound, less those that are not active any more, those of overlays
    /// and of deleted rules included. It wraps, because a call may end on another thread.
    active: AtomicU64,
}

/// Called with a breach, and with the rule to stop; `None` stops everything.
type Stop = Box<dyn Fn(&Breach, Option<&RuleId>) + Send + Sync>;

impl Hub {
    pub(crate) fn new(clock: Clock, policy: Policy) -> Self {
        let policy = Policy::default().and(policy);
        Self {
            clock,
            bounds_hits: AtomicBool::new(policy.bounds_hits()),
            counts: (0..stripe::count())
                .map(|_| CachePadded::default())
                .collect(),
            observers: Observers::default(),
            observations: Observations::default(),
            pace: EventPace::default(),
            closures: Closures::default(),
            bounds: ArcSwap::from_pointee(Bounds::new(policy)),
            entered: AtomicU64::new(0),
            active_of_tokens: AtomicU64::new(0),
            exempt_paths: ArcSwap::default(),
            exempts_paths: AtomicBool::new(false),
            burning: AtomicU64::new(0),
            halted: AtomicBool::new(false),
            held: HeldGates::default(),
            changed: ChangeNotifier::default(),
            audit: Audit::default(),
            stop: OnceLock::new(),
        }
    }

    /// Sets the policy, with nothing spent of it.
    pub(crate) fn set_policy(&self, policy: Policy) {
        let bounds_hits = policy.bounds_hits();
        self.bounds.store(Arc::new(Bounds::new(policy)));
        // Pairs with the load in `bounds_hits`: a caller then reads these bounds or later ones.
        self.bounds_hits.store(bounds_hits, Ordering::Release);
    }

    /// Returns whether the policy bounds what rules with any fault inject.
    #[inline]
    pub(crate) fn bounds_hits(&self) -> bool {
        // Pairs with the store in `set_policy`.
        self.bounds_hits.load(Ordering::Acquire)
    }

    /// Counts one more injection under way, unless that would pass `max`. Returns whether it has.
    pub(crate) fn enter(&self, max: Option<u64>) -> bool {
        let Some(max) = max else {
            self.enter_unbounded();
            return true;
        };
        take_beside(&self.entered, || self.sum(|counts| &counts.active), max)
    }

    /// Counts one more injection under way, where nothing bounds their number.
    #[inline]
    pub(crate) fn enter_unbounded(&self) {
        self.counts().active.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one injection less under way.
    #[inline]
    pub(crate) fn leave(&self) {
        self.counts().active.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the counts of this thread.
    #[inline]
    fn counts(&self) -> &HubCounts {
        &self.counts[stripe::index()]
    }

    fn sum(&self, count: impl Fn(&HubCounts) -> &AtomicU64) -> u64 {
        let counts = self
            .counts
            .iter()
            .map(|counts| count(counts).load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
    }

    /// Returns the bounds on what a rule injects, if there are any: those that hold for its faults `always`, or for
    /// all.
    pub(crate) fn bounds_of_hits(&self, always: bool) -> Option<Guard<Arc<Bounds>>> {
        (always || self.bounds_hits()).then(|| self.bounds.load())
    }

    /// Stops `rule`, or everything, because of `breach`.
    pub(crate) fn breached(&self, breach: &Breach, rule: Option<&RuleId>) {
        if let Some(stop) = self.stop.get() {
            stop(breach, rule);
        }
    }

    /// Returns whether all injection is halted.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Sets whether all injection is halted. A halt [takes](Self::take_held) the gates afterwards.
    pub(crate) fn set_halted(&self, halted: bool) {
        self.halted.store(halted, Ordering::Release);
    }

    /// Makes a gate known to a halt, before a call waits there, and opens it if all injection is halted.
    pub(crate) fn hold_at(&self, gate: &Arc<Gate>) {
        self.held.add(gate);
        // A halt that has not seen the gate in the list has set this before it looked.
        if self.is_halted() {
            gate.open();
        }
    }

    /// Takes the gates at which calls wait.
    pub(crate) fn take_held(&self) -> TakenGates {
        self.held.take()
    }

    /// Exempts the requests whose path is `path`, or below it.
    pub(crate) fn exempt_path(&self, path: &str) {
        let path = path.trim_end_matches('/');
        assert!(
            path.starts_with('/'),
            "a path begins with `/`, and is not `/` alone"
        );
        self.exempt_paths.rcu(|paths| {
            let mut paths = Vec::clone(paths);
            paths.push(path.into());
            paths
        });
        self.exempts_paths.store(true, Ordering::Relaxed);
    }

    /// Returns whether there are paths that are exempt at every site.
    #[inline]
    pub(crate) fn may_exempt_paths(&self) -> bool {
        self.exempts_paths.load(Ordering::Relaxed)
    }

    /// Returns whether a request with this path is exempt at every site.
    pub(crate) fn exempts_path(&self, path: &str) -> bool {
        let exempts = |exempt: &str| {
            let below = path.strip_prefix(exempt);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        self.may_exempt_paths() && (self.exempt_paths.load().iter()).any(|exempt| exempts(exempt))
    }

    /// Reserves memory to burn, and returns how much: what the policy leaves.
    pub(crate) fn reserve_memory(&self, bytes: u64) -> u64 {
        let most = self.bounds.load().policy.burn_memory;
        let mut reserved = 0;
        let reserve = |burning: u64| {
            reserved = bytes.min(most.saturating_sub(burning));
            Some(burning + reserved)
        };
        // It orders nothing: relaxed.
        let order = Ordering::Relaxed;
        let _ = self.burning.fetch_update(order, order, reserve);
        reserved
    }

    /// Gives back memory that was reserved.
    pub(crate) fn release_memory(&self, bytes: u64) {
        self.burning.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn injected(&self) -> u64 {
        self.sum(|counts| &counts.injected)
    }

    /// Returns whether anyone is to be told of injections, with what is known of the call.
    #[inline]
    pub(crate) fn wants_calls(&self) -> bool {
        observer::is_traced() || self.observers.want_calls()
    }

    /// Counts an injection and reports it: to waiters, to tracing, and to observers, in this order. It is made only
    /// if there is any of the latter two.
    #[inline]
    pub(crate) fn report(&self, injection: impl FnOnce() -> Injection) {
        self.counts().injected.fetch_add(1, Ordering::Relaxed);
        injected_by::note_injection();
        // Before the observers: one of them may panic.
        self.changed.notify();
        if observer::is_traced() || self.observers.are_there() {
            self.tell(&injection());
        }
    }

    #[inline(never)]
    fn tell(&self, injection: &Injection) {
        let _guard = ReentrancyGuard::begin();
        observer::trace(injection, || self.pace.takes(self.clock.now()));
        self.observers.notify(injection);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("clock", &self.clock)
            .field("observers", &self.observers)
            .finish()
    }
}
