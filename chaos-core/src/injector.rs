//! The only door: holds the rules in force, arms and disarms sites, halts and resumes.

pub(crate) mod environment;
pub(crate) mod signed;

use std::{
    collections::{BTreeMap, HashMap},
    panic::Location,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;

use crate::{
    armed::{
        Armed,
        rules::{InForce, Retired},
        status::{Counts, Halt, Lock, State, Status},
    },
    audit::{Audit, Deed, Entry, action::Action, actor::Who},
    call::site_kind::SiteKind,
    clock::{Clock, Stopwatch},
    decision::{
        overlay_rules::Layer,
        site_rules::{SiteRules, Watched},
    },
    error::RuleError,
    fault::Fault,
    guard_rail::{breach::Breach, monitor::Watch},
    hub::{Bounds, Hub, Injection, closures::CustomCall},
    matcher::glob::SiteGlob,
    name::RuleId,
    policy::Policy,
    rule::{
        Rule,
        rule_set::{Change, ChangeError, RuleSet},
    },
    site::{Site, catalogue},
    trigger::replay::{Decisions, Log},
};

/// Holds the current rules and decides. Clones are the same injector.
///
/// Applications use [`global`]; tests and libraries make their own. When the last clone is dropped,
/// its sites are idle for good.
#[derive(Clone, Debug)]
pub struct Injector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    /// Whether any rule is armed at all: what an explicit `injector:` in a macro asks first.
    armed: AtomicBool,
    /// The sites made by name. Written under the book's lock, read without.
    interned: ArcSwap<HashMap<(&'static str, SiteKind), &'static Site>>,
    book: Mutex<Book>,
}

/// All that changes, under one lock. A call takes it only to make its site known, on the first pass
/// that is not idle.
#[derive(Debug, Default)]
struct Book {
    rules: InForce,
    overlays: Vec<Arc<Layer>>,
    sites: Vec<&'static Site>,
    /// Sites that no rule reaches.
    exempt: Vec<SiteGlob>,
    halt: Option<Halt>,
    /// The rules that a guard rail has switched off, and why. They stay so until someone acknowledges it.
    tripped: BTreeMap<RuleId, Arc<str>>,
    /// When the first of the rules that sites hold expires.
    first_deadline: Option<Duration>,
}

/// The injector of the process: the one the macros and layers use unless told otherwise.
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
    /// An injector without rules, on the machine's monotonic clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic())
    }

    /// An injector on another clock.
    #[must_use]
    pub fn with_clock(clock: impl Into<Clock>) -> Self {
        let book = Book {
            // For good: nobody can resume it.
            halt: environment::disabled().map(|by| Halt {
                since: Duration::ZERO,
                lock: by.reason().map(|reason| Lock::Environment(reason.into())),
                by,
            }),
            ..Book::default()
        };
        let hub = Arc::new(Hub::new(clock.into(), environment::policy()));
        let injector = Self(Arc::new(Inner {
            hub: Arc::clone(&hub),
            armed: AtomicBool::new(false),
            interned: ArcSwap::default(),
            book: Mutex::new(book),
        }));
        let inner = Arc::downgrade(&injector.0);
        let stop = hub.stop.set(Box::new(move |breach, rule| {
            if let Some(inner) = inner.upgrade() {
                Self(inner).stop(breach, rule);
            }
        }));
        debug_assert!(stop.is_ok(), "nobody else has it yet");
        injector
    }

    /// The site called `name`, made on the first call.
    ///
    /// It lives as long as the process: call this when a layer or a component is made, not per
    /// request, and with names from the code, not from the outside.
    ///
    /// # Panics
    /// If `name` is no site name: parts of `A-Z a-z 0-9 _ -` with dots between them.
    #[track_caller]
    #[must_use]
    pub fn site(&self, name: &str) -> &'static Site {
        self.site_of(name, SiteKind::Layer)
    }

    /// The site called `name` of another kind than a layer's. A name may have one site of each kind.
    ///
    /// # Panics
    /// As [`site`](Self::site).
    #[track_caller]
    #[must_use]
    pub fn site_of(&self, name: &str, kind: SiteKind) -> &'static Site {
        let place = Location::caller();
        self.site_at(name, kind, place.file(), place.line(), &[])
    }

    pub(crate) fn site_at(
        &self,
        name: &str,
        kind: SiteKind,
        file: &'static str,
        line: u32,
        labels: &'static [&'static str],
    ) -> &'static Site {
        if let Some(site) = self.0.interned.load().get(&(name, kind)) {
            return site;
        }
        let mut book = self.book();
        // Another thread may have made it in between.
        let mut interned = HashMap::clone(&self.0.interned.load());
        if let Some(site) = interned.get(&(name, kind)) {
            return site;
        }
        let name: &'static str = Box::leak(name.into());
        let site: &'static Site = Box::leak(Box::new(Site::new(name, kind, file, line, labels)));
        interned.insert((name, kind), site);
        // Armed before anyone else finds it.
        self.add(&mut book, site);
        self.0.interned.store(Arc::new(interned));
        site
    }

    /// Takes in sites that were made elsewhere.
    pub(crate) fn register(&self, sites: impl IntoIterator<Item = &'static Site>) {
        let mut book = self.book();
        for site in sites {
            if site.is_new() {
                self.add(&mut book, site);
            }
        }
    }

    /// Every site that this injector can reach, in order of name, file and line.
    #[must_use]
    pub fn sites(&self) -> Vec<&'static Site> {
        let mut sites = self.swept_book().sites.clone();
        sites.sort_by_key(|site| (site.name(), site.file(), site.line()));
        sites
    }

    /// The rules as they were written, with their generation.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.book().rules.set)
    }

    /// The same, with what each rule has counted; one consistent view.
    #[must_use]
    pub fn report(&self) -> (Arc<RuleSet>, Vec<Counts>) {
        let book = self.swept_book();
        let now = self.0.hub.clock.now();
        (Arc::clone(&book.rules.set), book.rules.counts(now))
    }

    /// What one rule has counted.
    #[must_use]
    pub fn counts(&self, id: &str) -> Option<Counts> {
        let book = self.book();
        let rule = book.rules.find(id)?;
        Some(Counts::of(rule, self.0.hub.clock.now()))
    }

    /// Adds a rule, or replaces the one with its id; returns the new generation.
    pub fn put(&self, rule: Rule) -> u64 {
        let put = self.apply(Change::Put(rule), None);
        put.expect("without an expected generation, a put is always accepted")
    }

    /// Takes a rule out and frees the calls it delays; `false` if there was none.
    pub fn remove(&self, id: &RuleId) -> bool {
        self.apply(Change::Remove(id.clone()), None).is_ok()
    }

    /// Replaces all rules at once.
    ///
    /// # Errors
    /// If two of them have the same id.
    pub fn replace(&self, rules: Vec<Rule>) -> Result<u64, ChangeError> {
        self.apply(Change::Replace(rules), None)
    }

    /// Deletes all rules and frees the calls they delay; returns the new generation.
    pub fn clear(&self) -> u64 {
        let cleared = self.apply(Change::Replace(Vec::new()), None);
        cleared.expect("no rules have no ids to clash")
    }

    /// Applies one edit, all or nothing, and returns the new generation. With `expected`, only if
    /// that is still the generation in force.
    ///
    /// When it returns, new calls see the new rules, and calls delayed by a rule that was changed,
    /// disabled or removed have been let go.
    ///
    /// # Errors
    /// The rules in force stay, and the error says why.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        self.apply_by(&Who::code(), change, expected)
    }

    pub(crate) fn apply_by(
        &self,
        who: &Who,
        change: Change,
        expected: Option<u64>,
    ) -> Result<u64, ChangeError> {
        // What has expired before stands in the audit before.
        let mut book = self.swept_book();
        let now = self.now();
        let action = change.action();
        book.admits(&change)?;
        let bounds = self.0.hub.bounds.load();
        let edited = book.rules.apply(change, expected, &bounds.policy, now)?;
        match &edited.swapped {
            Some(swapped) if self.0.is_local(swapped) => self.0.swap(&mut book, swapped, now),
            _ => self.0.aim(&mut book, now),
        }
        let deed = Deed::of(action).changed(edited.changed);
        self.note(&book, who, deed);
        drop(book);
        edited.retired.open();
        self.tell();
        Ok(edited.generation)
    }

    /// Writes into the audit, under the lock: what happens first stands there first.
    fn note(&self, book: &Book, who: &Who, deed: Deed) {
        let generation = book.rules.set.generation;
        let Hub { audit, clock, .. } = &*self.0.hub;
        audit.add(clock.wall(), generation, who.clone(), deed);
    }

    /// Tells whoever waits. The lock must be free: who is woken may ask for it.
    fn tell(&self) {
        self.0.hub.news.tell();
        self.0.hub.audit.tell();
    }

    /// Who did what: the last edits, halts, expiries, breaches and refusals, in order.
    ///
    /// What is done in an overlay is the affair of whoever opened it, and does not stand there.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.hub.audit
    }

    /// Writes down which rules have expired, and says when the next one will. Rules need nobody for
    /// that; this is for those who want to be told of it on time.
    pub fn sweep(&self) -> Option<Duration> {
        let book = self.swept_book();
        let next = book.first_deadline;
        drop(book);
        self.tell();
        next.map(|deadline| deadline.saturating_sub(self.now()))
    }

    /// The same, in an overlay.
    pub(crate) fn apply_in(
        &self,
        layer: &Layer,
        change: Change,
        expected: Option<u64>,
    ) -> Result<u64, ChangeError> {
        let mut book = self.book();
        let now = self.now();
        let bounds = self.0.hub.bounds.load();
        let edited = (layer.rules()).apply(change, expected, &bounds.policy, now)?;
        self.0.aim_layer(&mut book, layer, now);
        drop(book);
        edited.retired.open();
        self.0.hub.news.tell();
        Ok(edited.generation)
    }

    /// Takes an overlay in.
    pub(crate) fn open(&self, layer: &Arc<Layer>) {
        self.book().overlays.push(Arc::clone(layer));
    }

    /// Takes it out again, and lets go the calls it delays.
    pub(crate) fn close(&self, layer: &Arc<Layer>) {
        let mut book = self.book();
        book.overlays.retain(|open| !Arc::ptr_eq(open, layer));
        let left = std::mem::take(&mut *layer.rules());
        self.0.aim_layer(&mut book, layer, self.now());
        drop(book);
        Retired(left.armed).open();
        self.0.hub.news.tell();
    }

    /// Leaves these sites alone from now on, whatever rules say. There is no way back: it is for the
    /// code that knows what must never fail.
    pub fn exempt(&self, sites: SiteGlob) {
        let mut book = self.book();
        book.exempt.push(sites);
        self.0.aim_all(&mut book, self.now());
    }

    /// The kill switch: when it returns, calls that begin are free, those being delayed have been
    /// let go, and those under way get no further deed. The rules stay, and none fires until
    /// [`resume`](Self::resume), whatever is edited meanwhile.
    ///
    /// A deed that another thread begins at this very moment may still happen, once.
    ///
    /// `false` if it was halted already: then nothing changes, the first reason included.
    pub fn halt(&self, reason: impl AsRef<str>) -> bool {
        self.halt_by(&Who::code().because(reason))
    }

    pub(crate) fn halt_by(&self, who: &Who) -> bool {
        let mut book = self.swept_book();
        if book.halt.is_some() {
            return false;
        }
        book.halt = Some(Halt {
            by: who.clone(),
            since: self.0.hub.clock.now(),
            lock: None,
        });
        self.note(&book, who, Deed::of(Action::Halt));
        let retired = self.0.halt(&mut book, self.now());
        // Whoever is woken may ask the injector something.
        drop(book);
        retired.open();
        self.tell();
        true
    }

    /// Undoes [`halt`](Self::halt); rules whose deadline has passed meanwhile stay expired.
    ///
    /// `false` if it was not halted.
    pub fn resume(&self) -> bool {
        self.resume_by(&Who::code()).unwrap_or(false)
    }

    pub(crate) fn resume_by(&self, who: &Who) -> Result<bool, ChangeError> {
        let mut book = self.swept_book();
        if let Some(lock) = book.halt.as_ref().and_then(|halt| halt.lock.as_ref()) {
            let reason = Arc::clone(lock.reason());
            return Err(ChangeError::Locked { reason });
        }
        let halted = book.halt.take().is_some();
        self.0.aim_all(&mut book, self.now());
        if halted {
            self.note(&book, who, Deed::of(Action::Resume));
        }
        drop(book);
        self.tell();
        Ok(halted)
    }

    /// Halts when `signal` comes, such as the one that asks a server to stop: calls that hang would
    /// keep a graceful shutdown waiting.
    ///
    /// ```no_run
    /// # async fn serve(shutdown: impl Future) {}
    /// # async fn ctrl_c() {}
    /// # async fn example() {
    /// let stop = chaos_core::global().halt_when(ctrl_c(), "the service stops");
    /// serve(stop).await; // as in axum's `with_graceful_shutdown(stop)`
    /// # }
    /// ```
    pub async fn halt_when<T>(
        &self,
        signal: impl Future<Output = T>,
        reason: impl AsRef<str>,
    ) -> T {
        let output = signal.await;
        self.halt(reason);
        output
    }

    /// Lets go the calls that a rule's `pause` holds now; `false` if there is no such rule.
    pub fn release(&self, id: &str) -> bool {
        self.release_by(&Who::code(), id)
    }

    pub(crate) fn release_by(&self, who: &Who, id: &str) -> bool {
        let book = self.swept_book();
        let found = book.rules.find(id).cloned();
        if found.is_some() {
            self.note(&book, who, Deed::of(Action::Release).what(id));
        }
        // Whoever is woken may ask the injector something.
        drop(book);
        found.is_some_and(|rule| {
            rule.arming.pauses.release();
            self.tell();
            true
        })
    }

    /// Takes note of what guard rails have stopped, so that it may be armed and resumed again; what was
    /// halted stays so until it is [resumed](Self::resume). Returns how many breaches there were.
    pub fn acknowledge(&self) -> usize {
        self.acknowledge_by(&Who::code())
    }

    pub(crate) fn acknowledge_by(&self, who: &Who) -> usize {
        let mut book = self.swept_book();
        let mut breaches: Vec<_> = std::mem::take(&mut book.tripped).into_values().collect();
        if let Some(halt) = &mut book.halt {
            match halt.lock.take() {
                Some(Lock::Breach(breach)) => breaches.push(breach),
                // Nobody can acknowledge the environment.
                lock => halt.lock = lock,
            }
        }
        if !breaches.is_empty() {
            let deed = Deed::of(Action::Acknowledge).what(breaches.join("; "));
            self.note(&book, who, deed);
        }
        drop(book);
        self.tell();
        breaches.len()
    }

    /// Stops what broke a bound: a rule, or everything.
    fn stop(&self, breach: &Breach, rule: Option<&RuleId>) {
        let reason: Arc<str> = breach.to_string().into();
        let mut book = self.swept_book();
        let retired = match rule {
            Some(id) => self.stop_rule(&mut book, id, &reason),
            None => self.stop_all(&mut book, &reason),
        };
        drop(book);
        tracing::warn!(target: "chaos", %breach, "a guard rail has tripped");
        retired.open();
        self.tell();
    }

    fn stop_rule(&self, book: &mut Book, id: &RuleId, reason: &Arc<str>) -> Retired {
        // Whatever has become of it meanwhile, it is not to be armed again.
        book.tripped.insert(id.clone(), Arc::clone(reason));
        let mut deed = Deed::of(Action::Breach).what(Arc::clone(reason));
        let mut retired = Retired::default();
        let on = book.rules.set.find(id.as_str());
        if let Some(rule) = on.filter(|rule| rule.enabled).cloned() {
            let off = Change::Edit(Rule::clone(&rule).enabled(false));
            let bounds = self.0.hub.bounds.load();
            let edited = book.rules.apply(off, None, &bounds.policy, self.now());
            let edited = edited.expect("without an expected generation, the rule is there");
            self.0.aim(book, self.now());
            deed = deed.changed(edited.changed);
            retired = edited.retired;
        }
        self.note(book, &Who::injector(), deed);
        retired
    }

    fn stop_all(&self, book: &mut Book, reason: &Arc<str>) -> Retired {
        let was_halted = book.halt.is_some();
        let halt = book.halt.get_or_insert_with(|| Halt {
            by: Who::injector().because(reason),
            since: self.now(),
            lock: None,
        });
        halt.lock
            .get_or_insert_with(|| Lock::Breach(Arc::clone(reason)));
        let deed = Deed::of(Action::Breach).what(Arc::clone(reason));
        self.note(book, &Who::injector(), deed);
        if was_halted {
            return Retired::default();
        }
        self.0.halt(book, self.now())
    }

    /// Writes down what has changed nothing. What is said of it may be what a stranger has sent.
    pub(crate) fn note_by(&self, who: &Who, action: Action, what: &str) {
        let what = match what.char_indices().nth(Entry::LONGEST) {
            Some((end, _)) => &format!("{}…", &what[..end]),
            None => what,
        };
        let book = self.swept_book();
        self.note(&book, who, Deed::of(action).what(what));
        drop(book);
        self.tell();
    }

    /// Bounds what rules may do from now on, those in force included. What the environment says of it
    /// stays in force besides.
    ///
    /// [`check`](Self::check) says it of a rule beforehand, which is what the ways in from outside do;
    /// a fault that gets in otherwise does not happen. A delay that has begun runs to the deadline that
    /// it began with.
    pub fn set_policy(&self, policy: Policy) {
        let policy = policy.and(environment::policy());
        let mut book = self.book();
        for rules in book.overlays.iter().map(|layer| layer.rules()) {
            rules.hold_to(&policy);
        }
        book.rules.hold_to(&policy);
        self.0.hub.bounds.store(Arc::new(Bounds::new(policy)));
        self.0.aim_all(&mut book, self.now());
        drop(book);
        self.tell();
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.hub.bounds.load().policy.clone()
    }

    /// Whether rules could do what they say: the policy permits it, and what they call is defined.
    ///
    /// # Errors
    /// If one could not; the error names the rule and the field.
    pub fn check<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) -> Result<(), RuleError> {
        let bounds = self.0.hub.bounds.load();
        for rule in rules {
            let here = |error: RuleError| error.in_rule(rule.id.as_str());
            rule.check().map_err(here)?;
            bounds.policy.permits_rule(rule).map_err(here)?;
            for (at, fault) in rule.faults.iter().enumerate() {
                let checked = self.0.hub.closures.check(fault);
                let checked = checked.map_err(|error| error.under(&format!("faults[{at}]")));
                checked.map_err(here)?;
            }
        }
        Ok(())
    }

    /// Defines the fault that rules call `{"custom": {"name": …}}`: `closure` is asked for each call
    /// that is hit, on its thread, and says what happens to it. It must not block.
    ///
    /// ```
    /// use chaos_core::{CustomFault, Fault, Injector, Rule, inject};
    ///
    /// let injector = Injector::new();
    /// injector.define("every other customer", |call| {
    ///     call.arguments.contains("true").then(|| Fault::error("no stock"))
    /// });
    /// let fault = Fault::Custom(CustomFault::new("every other customer", r#"{"really": true}"#));
    /// injector.put(Rule::new("no-stock".parse()?, "db.stock".parse()?, fault));
    /// assert!(inject!(injector: &injector, "db.stock").is_err());
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    pub fn define(
        &self,
        name: &str,
        closure: impl Fn(&CustomCall<'_>) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.0.hub.closures.define(name, Arc::new(closure));
    }

    /// The time of day on its clock, which windows and tokens go by.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.0.hub.clock.wall()
    }

    /// Idle, armed or halted, and how much has been injected.
    #[must_use]
    pub fn status(&self) -> Status {
        let book = self.swept_book();
        let now = self.0.hub.clock.now();
        let state = match &book.halt {
            Some(halt) => State::Halted {
                reason: halt.by.reason().unwrap_or_default().to_owned(),
                by: halt.by.clone(),
                ago: now.saturating_sub(halt.since),
            },
            None if book.is_live(now) => State::Armed,
            None => State::Idle,
        };
        Status {
            state,
            generation: book.rules.set.generation,
            rules: book.rules.armed.len(),
            overlays: book.overlays.len(),
            injected: self.0.hub.injected(),
            breaches: book.breaches(),
            active: book.active(),
        }
    }

    /// Tells `observer` of every injection from now on: once each, when it begins, on the thread of
    /// the call and before the fault is felt. It must not block.
    ///
    /// What an observer does is never hit itself: an observer that writes to a database with a site
    /// of its own does not call itself again. An observer lives as long as the injector, so it must
    /// not own one.
    pub fn observe(&self, observer: impl Fn(&Injection) + Send + Sync + 'static) {
        self.0.hub.add(Arc::new(observer));
    }

    /// Whether no rule of this injector is armed: one relaxed load. Rules that expire without a call
    /// or a report to notice still count as armed.
    #[inline(always)]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        crate::COMPILED_OUT || !self.0.armed.load(Ordering::Relaxed)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing under the lock can leave the book half written.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a rule has so many injections.
    #[cfg(feature = "tokio")]
    pub(crate) async fn when(
        &self,
        counts: impl Fn() -> Option<Counts>,
        injections: u64,
    ) -> Option<u64> {
        /// Nobody waits longer at a time, only again.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let listening = self.0.hub.news.listen();
        loop {
            let next = listening.next();
            let Counts {
                injected,
                expires_in,
                ..
            } = counts()?;
            if injected >= injections {
                return Some(injected);
            }
            let left = expires_in.unwrap_or(LONGEST).min(LONGEST);
            if left.is_zero() {
                return None;
            }
            next.wait(left).await;
        }
    }

    /// The same, holding the thread, until a time has passed.
    pub(crate) fn when_blocking(
        &self,
        counts: impl Fn() -> Option<Counts>,
        injections: u64,
        at_most: Duration,
    ) -> Option<u64> {
        let listening = self.0.hub.news.listen();
        let stopwatch = Stopwatch::start();
        loop {
            let next = listening.next();
            let Counts {
                injected,
                expires_in,
                ..
            } = counts()?;
            let left = at_most.saturating_sub(stopwatch.elapsed());
            if injected >= injections || left.is_zero() {
                return Some(injected);
            }
            if expires_in.is_some_and(|left| left.is_zero()) {
                return None;
            }
            next.wait_blocking(left.min(expires_in.unwrap_or(left)));
        }
    }

    /// Which calls a rule has hit since it was armed; `None` if there is no such rule, or chance
    /// decides: it has neither a seed, nor a key, nor anything else that numbers its calls.
    #[must_use]
    pub fn decisions(&self, id: &str) -> Option<Decisions> {
        let book = self.book();
        let rule = Arc::clone(book.rules.find(id)?);
        drop(book);
        rule.arming.log.as_ref().map(Log::decisions)
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.hub.clock.now()
    }

    /// The book, after disarming sites whose rules have expired without a call to notice.
    fn swept_book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book();
        let now = self.now();
        if book.first_deadline.is_some_and(|deadline| now >= deadline) {
            for rule in book.rules.newly_expired(now) {
                let deed = Deed::of(Action::Expire).what(rule.id.as_str());
                self.note(&book, &Who::injector(), deed);
            }
            self.0.aim_all(&mut book, now);
        }
        book
    }

    fn add(&self, book: &mut Book, site: &'static Site) {
        book.sites.push(site);
        let now = self.now();
        for layer in &book.overlays {
            if let Some(rules) = self.0.layered(book, layer, site, now) {
                layer.add(site.address(), rules);
            }
        }
        site.install(self.0.compile(book, site, now));
    }
}

impl Inner {
    /// Gives each site the rules that aim at it, those of overlays included.
    fn aim_all(&self, book: &mut Book, now: Duration) {
        for layer in &book.overlays {
            self.find_aims(book, layer, now);
        }
        self.aim(book, now);
    }

    /// The same, where overlays aim as before.
    fn aim(&self, book: &mut Book, now: Duration) {
        for site in &book.sites {
            site.install(self.compile(book, site, now));
        }
        book.first_deadline = book.soonest_deadline(now);
        self.note_armed(book, now);
    }

    /// The same, where one rule stands in another's place.
    fn swap(&self, book: &mut Book, swapped: &[Arc<Armed>; 2], now: Duration) {
        let [before, after] = swapped;
        for site in &book.sites {
            let aims_here = |rule: &Armed| rule.rule.site.matches(site.name());
            let is_meant = aims_here(before) || aims_here(after);
            let is_swapped = || aims_here(before) && aims_here(after) && site.swap(swapped);
            if is_meant && (self.leaves_alone(book, site) || !is_swapped()) {
                site.install(self.compile(book, site, now));
            }
        }
        // That of the rule before may be the first still: then nothing expires when it comes.
        let deadlines = [book.first_deadline, after.arming.deadline()];
        book.first_deadline = deadlines.into_iter().flatten().min();
        self.note_armed(book, now);
    }

    /// The same, where one overlay has changed.
    fn aim_layer(&self, book: &mut Book, layer: &Layer, now: Duration) {
        let aims_at = |site: &&'static Site| layer.aims_at(site.address());
        let before: Vec<_> = book.sites.iter().copied().filter(aims_at).collect();
        self.find_aims(book, layer, now);
        let after = book.sites.iter().copied().filter(aims_at);
        for site in after.chain(before) {
            let overlaid = book.overlaid_until(site);
            site.overlay(&self.hub, overlaid);
        }
        book.first_deadline = book.soonest_deadline(now);
        self.note_armed(book, now);
    }

    /// Disarms all sites, and leaves the rules whose calls are to be let go.
    fn halt(&self, book: &mut Book, now: Duration) -> Retired {
        self.aim_all(book, now);
        let mut retired = book.rules.halt();
        for layer in &book.overlays {
            retired.0.append(&mut layer.rules().halt().0);
        }
        retired
    }

    fn find_aims(&self, book: &Book, layer: &Layer, now: Duration) {
        let aims = book.sites.iter().filter_map(|site| {
            let rules = self.layered(book, layer, site, now)?;
            Some((site.address(), rules))
        });
        // Asked before it is locked to be written.
        let aims: Vec<_> = aims.collect();
        layer.aim(aims.into_iter());
    }

    /// The rules of an overlay that aim at a site.
    fn layered(&self, book: &Book, layer: &Layer, site: &Site, now: Duration) -> Option<SiteRules> {
        if self.leaves_alone(book, site) {
            return None;
        }
        let rules = layer.rules().aimed_at(site.name(), now);
        SiteRules::of(&self.hub, rules, None, Watched::default())
    }

    fn compile(&self, book: &Book, site: &'static Site, now: Duration) -> Option<SiteRules> {
        if self.leaves_alone(book, site) {
            return None;
        }
        let overlaid = book.overlaid_until(site);
        let rules = book.rules.aimed_at(site.name(), now);
        SiteRules::of(&self.hub, rules, overlaid, self.watched(book, site, now))
    }

    /// The guard rails that watch a site: those of rules that can act, and, while there are such, those of
    /// the policy.
    fn watched(&self, book: &Book, site: &Site, now: Duration) -> Watched {
        let aims = |watch: &&Arc<Watch>| watch.aims_at(site.name());
        let mut until = None;
        let mut watches = Vec::new();
        for (watch, deadline) in book.rules.watches(now).filter(|(watch, _)| aims(watch)) {
            watches.push(Arc::clone(watch));
            until = until.max(Some(deadline.unwrap_or(Duration::MAX)));
        }
        let bounds = self.hub.bounds.load();
        if !bounds.watches.is_empty()
            && let Some(last) = book.rules.last_deadline(now)
        {
            watches.extend(bounds.watches.iter().filter(aims).cloned());
            until = until.max(Some(last));
        }
        let until = until.filter(|_| !watches.is_empty());
        Watched(until.map(|until| (watches.into(), until)))
    }

    /// Whether an edit that puts one rule in another's place changes nothing elsewhere.
    fn is_local(&self, [before, after]: &[Arc<Armed>; 2]) -> bool {
        let has_none = |rule: &Armed| rule.arming.watches.is_empty();
        has_none(before) && has_none(after) && self.hub.bounds.load().watches.is_empty()
    }

    /// Whether no rule reaches a site.
    fn leaves_alone(&self, book: &Book, site: &Site) -> bool {
        book.leaves_alone(site) || !self.hub.bounds.load().policy.reaches(site.name())
    }

    fn note_armed(&self, book: &Book, now: Duration) {
        let is_armed = book.halt.is_none() && book.is_live(now);
        self.armed.store(is_armed, Ordering::Relaxed);
    }
}

impl Book {
    /// Whether no rule reaches a site, whatever the policy says.
    fn leaves_alone(&self, site: &Site) -> bool {
        self.halt.is_some() || self.exempt.iter().any(|exempt| exempt.matches(site.name()))
    }

    /// Until when overlays aim at a site, if any do.
    fn overlaid_until(&self, site: &Site) -> Option<Duration> {
        let layers = self.overlays.iter();
        layers
            .filter_map(|layer| layer.aims_until(site.address()))
            .max()
    }

    /// Whether a change arms nothing that a guard rail has stopped.
    fn admits(&self, change: &Change) -> Result<(), ChangeError> {
        let stopped = |rule: &Rule| self.tripped.get(&rule.id).filter(|_| rule.enabled);
        let stopped = match change {
            Change::Put(rule) | Change::Edit(rule) => stopped(rule),
            Change::Replace(rules) if !self.tripped.is_empty() => rules.iter().find_map(stopped),
            Change::Replace(_) | Change::Remove(_) => None,
        };
        match stopped {
            Some(reason) => Err(ChangeError::Locked {
                reason: Arc::clone(reason),
            }),
            None => Ok(()),
        }
    }

    /// What guard rails have stopped, and nobody has acknowledged.
    fn breaches(&self) -> Vec<Arc<str>> {
        let halt = self.halt.as_ref().and_then(|halt| halt.lock.as_ref());
        let halt = halt.and_then(|lock| match lock {
            Lock::Breach(breach) => Some(breach),
            Lock::Environment(_) => None,
        });
        self.tripped.values().chain(halt).cloned().collect()
    }

    /// Whether any rule can act.
    fn is_live(&self, now: Duration) -> bool {
        self.rules.is_live(now) || self.overlays.iter().any(|layer| layer.rules().is_live(now))
    }

    /// Injections under way.
    fn active(&self) -> u64 {
        let of = |rules: &InForce| {
            rules
                .armed
                .iter()
                .map(|rule| rule.tally.active())
                .sum::<u64>()
        };
        of(&self.rules)
            + self
                .overlays
                .iter()
                .map(|layer| of(&layer.rules()))
                .sum::<u64>()
    }

    fn soonest_deadline(&self, now: Duration) -> Option<Duration> {
        let overlays = self.overlays.iter();
        let in_overlays = overlays.filter_map(|layer| layer.rules().first_deadline(now));
        self.rules
            .first_deadline(now)
            .into_iter()
            .chain(in_overlays)
            .min()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let book = self.book.get_mut().unwrap_or_else(PoisonError::into_inner);
        for site in &book.sites {
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
