//! `Injector`: holds the rules in force and what sites share; the one way to change them.

pub(crate) mod attributed;
mod book;
mod book_guard;
mod edit;
pub(crate) mod environment;
pub(crate) mod explain;
mod halt;
pub(crate) mod halt_hooks;
mod holders;
mod install;
mod limits;
mod needs;
mod overlays;
pub(crate) mod sites;
mod wait;
pub(crate) mod warnings;

use std::{
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;

use crate::{
    armed::{
        Armed,
        status::{Counts, State, Status},
    },
    audit::{Audit, EntryDraft, action::Action, actor::Actor},
    clock::Clock,
    hub::{Hub, observer::Injection},
    injector::{
        book::Book, book_guard::BookGuard, halt_hooks::HaltHooks, holders::Holders,
        sites::names::SiteNames,
    },
    rule::rule_set::RuleSet,
    site::catalogue,
    trigger::replay::Decisions,
};

/// Holds the current rules and decides. Clones are handles to one injector.
///
/// Applications use [`global`]; tests and libraries make their own. When the last clone is dropped,
/// its sites are idle for good.
#[derive(Clone, Debug)]
pub struct Injector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// A number that no other injector of the process has, not even a later one.
    id: u64,
    hub: Arc<Hub>,
    /// Whether any rule is armed at all: what an explicit `injector:` in a macro asks first.
    armed: AtomicBool,
    /// The sites made by name. Written under the book's lock, read without.
    interned: SiteNames,
    book: Mutex<Book>,
    /// The rules of the book as they were written. Written under the book's lock, read without.
    rules: ArcSwap<RuleSet>,
    /// Who keeps the injector halted. It may be locked while the book is, and not the other way round.
    holders: Mutex<Holders>,
    halt_hooks: HaltHooks,
    /// Whether a halt has begun and the sites still hold rules.
    is_disarming: AtomicBool,
    /// The name of the service, and the time of day at which the injector was made.
    service: ArcSwap<String>,
    since: SystemTime,
}

/// The number of the next injector. Nothing else depends on it: relaxed.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Returns the injector of the process, which the macros and layers use unless they are given another.
#[must_use]
pub fn global() -> &'static Injector {
    static GLOBAL: LazyLock<Injector> = LazyLock::new(|| {
        let injector = Injector::new();
        injector.register(catalogue::linked());
        injector
    });
    &GLOBAL
}

impl Injector {
    /// Makes an injector without rules, on the machine's monotonic clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic())
    }

    /// Makes an injector without rules, on the given clock.
    #[must_use]
    pub fn with_clock(clock: impl Into<Clock>) -> Self {
        let mut holders = Holders::default();
        let hub = Arc::new(Hub::new(clock.into(), environment::policy()));
        if let Some(by) = environment::disabled() {
            holders.add_environment(by);
            hub.set_halted(true);
        }
        let injector = Self(Arc::new(Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            hub: Arc::clone(&hub),
            armed: AtomicBool::new(false),
            interned: SiteNames::default(),
            book: Mutex::default(),
            rules: ArcSwap::default(),
            holders: Mutex::new(holders),
            halt_hooks: HaltHooks::default(),
            is_disarming: AtomicBool::new(false),
            service: ArcSwap::from_pointee(environment::service().to_owned()),
            since: hub.clock.wall(),
        }));
        let inner = Arc::downgrade(&injector.0);
        let stop = hub.stop.set(Box::new(move |breach, rule| {
            if let Some(inner) = inner.upgrade() {
                Self(inner).stop(breach, rule);
            }
        }));
        debug_assert!(stop.is_ok(), "the hub was made above");
        let inner = Arc::downgrade(&injector.0);
        let end_lapsed = hub.observations.end_lapsed.set(Box::new(move || {
            if let Some(inner) = inner.upgrade() {
                Self(inner).try_to_end_lapsed_observations();
            }
        }));
        debug_assert!(end_lapsed.is_ok(), "the hub was made above");
        injector
    }

    /// Returns the rules as they were written, with their generation.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        self.0.rules.load_full()
    }

    /// Returns the rules with what each has counted, in the same order: one consistent view.
    #[must_use]
    pub fn report(&self) -> (Arc<RuleSet>, Vec<Counts>) {
        let book = self.swept_book();
        let now = self.0.hub.clock.now();
        (Arc::clone(&book.rules.set), book.rules.counts(now))
    }

    /// Returns what one rule has counted; `None` if there is no such rule.
    #[must_use]
    pub fn counts(&self, id: &str) -> Option<Counts> {
        let rule = self.armed(id)?;
        Some(Counts::of(&rule, self.now()))
    }

    /// Returns the rule `id` in force.
    pub(crate) fn armed(&self, id: &str) -> Option<Arc<Armed>> {
        self.book().rules.find(id).cloned()
    }

    /// Returns which calls a rule has hit.
    ///
    /// They are known, since the rule was armed, for one with a seed, a key, or another field that numbers
    /// its calls. They are known, since its counts began, for a rule at rate 1 that has hit each call
    /// that it matched, or each up to its limit. Returns `None` for any other rule, and if there is no such
    /// rule.
    #[must_use]
    pub fn decisions(&self, id: &str) -> Option<Decisions> {
        self.armed(id)?.decisions()
    }

    /// Returns whether the injector is idle, armed or halted, and how much has been injected.
    #[must_use]
    pub fn status(&self) -> Status {
        let book = self.swept_book();
        let now = self.0.hub.clock.now();
        let (holders, halting) = {
            let holders = self.0.holders();
            (holders.list(now), holders.breaches().collect::<Vec<_>>())
        };
        let state = match holders.first() {
            Some(first) => State::Halted {
                reason: first.by.reason().unwrap_or_default().to_owned(),
                by: first.by.clone(),
                ago: first.ago,
            },
            None if book.can_act(now) => State::Armed,
            None => State::Idle,
        };
        Status {
            state,
            generation: book.rules.set.generation,
            rules: book.rules.armed.len(),
            overlays: book.overlays.len(),
            injected: self.0.hub.injected(),
            breaches: book.tripped.values().cloned().chain(halting).collect(),
            active: book.active(),
            holders,
        }
    }

    /// Returns the audit: the last edits, halts, expiries, breaches and refusals, in order.
    ///
    /// Edits of an [`Overlay`](crate::Overlay) are not in it.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.hub.audit
    }

    /// Returns the time of day on the injector's clock, which windows and tokens use.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.0.hub.clock.wall()
    }

    /// Returns the time of day at which the injector was made, by its clock.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.0.since
    }

    /// Sets the name of the service, for people who look at several. Without this, it is what `CHAOS_SERVICE` says, or
    /// else the name of the program's file.
    pub fn set_service(&self, name: impl AsRef<str>) {
        self.0.service.store(Arc::new(name.as_ref().to_owned()));
    }

    /// Returns the name of the service.
    #[must_use]
    pub fn service(&self) -> String {
        String::clone(&self.0.service.load())
    }

    /// Calls `observer` for every injection from now on: once each, when it begins, on the thread of
    /// the call and before the fault takes effect. It must not block.
    ///
    /// Sites that the observer itself passes are not hit, so an observer that writes to a database
    /// through a site does not call itself. An observer lives as long as the injector, so it must not
    /// own one.
    pub fn observe(&self, observer: impl Fn(&Injection) + Send + Sync + 'static) {
        self.0.hub.observers.add(Arc::new(observer), None);
    }

    /// Calls `observer` for every injection from now on, as [`observe`](Self::observe) does, and copies the facts
    /// of the call for it only while `wants_calls` returns `true`. It is called when a rule fires, and
    /// must neither block nor pass a site. While no observer wants it, [`Injection::call`] is that of a call of
    /// which nothing is known, and a hit costs less.
    pub fn observe_calls_while(
        &self,
        wants_calls: impl Fn() -> bool + Send + Sync + 'static,
        observer: impl Fn(&Injection) + Send + Sync + 'static,
    ) {
        let wants_calls = Arc::new(wants_calls);
        (self.0.hub.observers).add(Arc::new(observer), Some(wants_calls));
    }

    /// Returns whether no rule of this injector is armed, and nobody [watches](Self::watch) its sites: one relaxed load.
    /// A rule that has expired counts as armed until a call or a report notices.
    #[inline(always)]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        crate::COMPILED_OUT || !self.0.armed.load(Ordering::Relaxed)
    }

    /// Returns a number that no other injector of the process has, not even a later one.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    fn book(&self) -> BookGuard<'_> {
        self.0.lock()
    }

    /// Locks the book, after disarming sites whose rules have expired without a call to notice, noting which rules' leashes
    /// are over, and ending the observations of which nobody has asked for the counts.
    fn swept_book(&self) -> BookGuard<'_> {
        let mut book = self.book();
        self.end_lapsed_observations(&mut book);
        let now = self.now();
        for rule in book.newly_lapsed(now) {
            let by = Actor::injector().because("its leash is over; extended again, it goes on");
            let draft = EntryDraft::of(Action::Expire).what(rule.id.as_str());
            self.note(&book, &by, draft);
        }
        if book.first_deadline.is_some_and(|deadline| now >= deadline) {
            for rule in book.rules.newly_expired(now) {
                let draft = EntryDraft::of(Action::Expire).what(rule.id.as_str());
                self.note(&book, &Actor::injector(), draft);
            }
            self.0.install_all(&mut book, now);
        }
        book
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.hub.clock.now()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let book = self.book.get_mut().unwrap_or_else(PoisonError::into_inner);
        for site in book.sites.iter() {
            site.install(None);
        }
        for rule in &book.rules.armed {
            rule.open();
        }
    }
}

impl Default for Injector {
    fn default() -> Self {
        Self::new()
    }
}
