//! `Leash`: a deadline that rules share, which whoever answers for them extends for as long as it is alive.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{clock::Clock, gate::Gate};

/// A deadline that several rules share, and that moves on for as long as someone [extends](Self::extend) it: a dead
/// man's switch. Clones are handles to one leash.
///
/// Rules hang on a leash that are put through [`AttributedInjector::on_leash`](crate::AttributedInjector::on_leash). They
/// act until their own deadline, and no longer than the leash. Nothing has to be alive or reached for a leash to end, not
/// even its holder: a call that is about to be hit reads it, and a call that a rule delays wakes up when it ends.
///
/// A leash that is over can be extended again. Its rules then go on for what is left of their own lifetimes, and so do
/// their counts. While it is over, calls are still matched, and counted as matched, and none is hit.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, Injector, Rule, audit::Actor, inject, rule::Change, testing::ManualClock};
///
/// let clock = ManualClock::new();
/// let injector = Injector::with_clock(clock.clone());
/// let leash = injector.leash(Duration::from_secs(30));
/// let rule = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
/// injector.as_actor(Actor::new("controller")).on_leash(&leash).apply(Change::Put(rule), None)?;
/// assert!(inject!(injector: &injector, "db.read").is_err());
///
/// clock.advance(Duration::from_secs(30));
/// assert!(inject!(injector: &injector, "db.read").is_ok());
/// leash.extend();
/// assert!(inject!(injector: &injector, "db.read").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Leash(Arc<SharedEnd>);

#[derive(Debug)]
struct SharedEnd {
    clock: Clock,
    hold: Duration,
    /// The end, in nanoseconds of the clock. Relaxed where a rule is about to act, as a deadline is.
    end: AtomicU64,
    /// The gates at which calls wait for no longer than this, by their numbers.
    gates: Mutex<LeashedGates>,
}

#[derive(Debug, Default)]
struct LeashedGates {
    by_number: BTreeMap<u64, Weak<Gate>>,
    /// The number of gates at which those are removed that are gone.
    full: usize,
}

impl Leash {
    /// The least number of gates at which those are removed that are gone.
    const FEW: usize = 64;

    /// Makes a leash that ends `hold` from now.
    pub(crate) fn new(clock: Clock, hold: Duration) -> Self {
        let leash = Self(Arc::new(SharedEnd {
            clock,
            hold,
            end: AtomicU64::new(0),
            gates: Mutex::default(),
        }));
        leash.extend();
        leash
    }

    /// Moves the end to one [hold](Self::hold) from now. A leash that is over goes on.
    ///
    /// It takes no lock, and wakes nobody: a call that waits looks at the end when the one comes that it has seen.
    pub fn extend(&self) {
        self.extend_since(Duration::ZERO);
    }

    /// Moves the end to one [hold](Self::hold) from a moment that lies `ago` back, unless it is later already. Whoever hears
    /// of its holder may hear of it late, such as on a runtime that a fault has blocked meanwhile.
    pub fn extend_since(&self, ago: Duration) {
        let since = self.0.clock.now().saturating_sub(ago);
        let end = nanos(since.saturating_add(self.0.hold));
        // The latest wins, whichever thread is the last to write.
        self.0.end.fetch_max(end, Ordering::Relaxed);
    }

    /// Ends the leash now, and wakes the calls that rules on it delay or pause. They proceed as if there had been no
    /// fault, unless the leash is extended again before they have looked.
    pub fn end(&self) {
        self.0.end.store(0, Ordering::SeqCst);
        // Taken after the store: a call that is added later sees the end before it waits.
        let gates = std::mem::take(&mut self.lock().by_number);
        for gate in gates.values().filter_map(Weak::upgrade) {
            gate.nudge();
        }
    }

    /// Returns whether the leash has ended, and nobody has extended it since.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Returns the time until the end; zero if it is [over](Self::is_over).
    #[must_use]
    pub fn left(&self) -> Duration {
        let end = Duration::from_nanos(self.0.end.load(Ordering::Relaxed));
        end.saturating_sub(self.0.clock.now())
    }

    /// Returns for how long the leash lasts from the moment at which it is extended.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.0.hold
    }

    /// Returns whether there is no other handle to the leash, so that nobody can extend it and no rule hangs on it.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Notes that a call is about to wait at a gate. It looks whether the leash is over afterwards.
    pub(super) fn add(&self, gate: &Arc<Gate>) {
        let mut gates = self.lock();
        if gates.by_number.len() >= gates.full.max(Self::FEW) {
            gates.by_number.retain(|_, gate| gate.strong_count() > 0);
            gates.full = 2 * gates.by_number.len();
        }
        let known = gates.by_number.entry(gate.number);
        known.or_insert_with(|| Arc::downgrade(gate));
    }

    fn lock(&self) -> MutexGuard<'_, LeashedGates> {
        (self.0.gates.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leashes are equal if they are one.
impl PartialEq for Leash {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Leash {}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
