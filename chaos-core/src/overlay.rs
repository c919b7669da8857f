//! `Overlay`: rules that only one task tree or request can see.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    armed::{Armed, status::Counts},
    decision::overlay_rules::{self, EnterGuard, EnteredOverlay, OverlayRules},
    injector::Injector,
    name::RuleId,
    rule::{
        Rule,
        rule_set::{Change, ChangeError, RuleSet},
    },
    site::Site,
};

/// Rules that only the calls made inside the overlay can see.
///
/// Tests that run in parallel on one injector, each in an overlay of its own, do not see each other's
/// faults, and nobody else sees them either. The rules of an overlay are asked before those of the
/// injector; where overlays are nested, the innermost is asked first. [`Injector::halt`] stops them too.
///
/// An overlay follows the future that it runs, through every `.await` and from thread to thread.
/// [`carry`](Self::carry) and [`carry_sync`](Self::carry_sync) take it into tasks and threads that are
/// spawned inside it.
///
/// The guard rails of the [`Policy`](crate::Policy) hold while an overlay has rules. A rule of an
/// overlay has no guard rails of its own, because a guard rail measures the calls of all callers.
///
/// Clones are handles to one overlay. When the last clone and the last future that runs in it are dropped,
/// its rules are gone and the calls that they delay are released. A site at which no overlay aims pays
/// nothing for them.
///
/// ```
/// use chaos_core::{Fault, Injector, Overlay, Rule, inject};
///
/// let injector = Injector::new();
/// let overlay = Overlay::new(&injector);
/// overlay.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
/// let read = || inject!(injector: &injector, "db.read");
///
/// assert!(read().is_ok());
/// assert!(overlay.run_sync(read).is_err());
/// assert!(read().is_ok());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone)]
pub struct Overlay(Arc<Handle>);

/// Keeps an overlay alive. The injector does not hold it.
struct Handle {
    injector: Injector,
    rules: Arc<OverlayRules>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.injector.close(&self.rules);
    }
}

impl Overlay {
    /// Makes an overlay without rules, on the sites of `injector`.
    #[must_use]
    pub fn new(injector: &Injector) -> Self {
        Self::open(injector, None)
    }

    /// Makes an overlay with the rules of a verified token, for as long as the token is valid.
    ///
    /// The `ttl` of a rule (ten minutes by default) counts from this call, and ends with the token at the
    /// latest. `text` is the token as it was sent: [`current_token`](Self::current_token) returns it inside
    /// the overlay, so that it can be passed on.
    ///
    /// # Errors
    /// Returns an error if the [policy](Injector::set_policy) of the injector does not allow the rules.
    #[cfg(feature = "token")]
    pub fn of_token(
        injector: &Injector,
        token: crate::token::Token,
        text: &str,
    ) -> Result<Self, crate::error::RuleError> {
        injector.check(token.rules())?;
        injector.policy().permits_in_token(token.rules())?;
        let remaining = token.remaining();
        let no_longer = |mut rule: Rule| {
            let ttl = rule
                .lifetime
                .ttl()
                .map_or(remaining, |ttl| ttl.min(remaining));
            // A token that expires at this very moment leaves no time for its rules.
            rule.lifetime = crate::rule::lifetime::Lifetime::new(ttl).ok()?;
            Some(rule)
        };
        let rules = token.into_rules().into_iter().filter_map(no_longer);
        let overlay = Self::open(injector, Some(text.into()));
        match overlay.replace(rules.collect()) {
            Err(ChangeError::Rule(error)) => Err(error),
            // Nothing else is refused without an expected generation.
            _ => Ok(overlay),
        }
    }

    /// Makes another overlay without rules, on the same injector. If this overlay was made from a token, the
    /// other one belongs to that token, too: [`current_token`](Self::current_token) returns the token in it,
    /// and its rules count as those of a token.
    ///
    /// Only chaos-tower uses it, for Envoy's headers.
    #[doc(hidden)]
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::open(self.injector(), self.0.rules.token())
    }

    fn open(injector: &Injector, token: Option<Arc<str>>) -> Self {
        let rules = Arc::new(OverlayRules::new(token));
        injector.open(&rules);
        let injector = injector.clone();
        Self(Arc::new(Handle { injector, rules }))
    }

    /// Returns what a thread puts on its stack to enter this overlay.
    fn entered(&self) -> EnteredOverlay {
        let keeper = Arc::clone(&self.0);
        EnteredOverlay::new(&self.0.rules, keeper)
    }

    /// Returns the token of the innermost overlay around this call that was made from one.
    #[must_use]
    pub fn current_token() -> Option<String> {
        overlay_rules::current_token()
    }

    /// Returns the injector on whose sites the overlay is.
    #[must_use]
    pub fn injector(&self) -> &Injector {
        &self.0.injector
    }

    /// Returns a future that runs `future` inside the overlay, on each poll.
    ///
    /// Code that runs when `future` is dropped before it completes is outside the overlay. Cancel-safe:
    /// dropping the future leaves the overlay as it was.
    pub fn run<F>(&self, future: F) -> InOverlay<F> {
        InOverlay::entering([self.entered()].into(), future)
    }

    /// Runs a closure inside the overlay.
    pub fn run_sync<T>(&self, closure: impl FnOnce() -> T) -> T {
        let _entered = EnterGuard::new(&[self.entered()]);
        closure()
    }

    /// Returns a future that runs `future` inside the overlays around this call, to be spawned as a task:
    ///
    /// ```
    /// # use chaos_core::Overlay;
    /// # async fn work() {}
    /// # async fn example() {
    /// tokio::spawn(Overlay::carry(work()));
    /// # }
    /// ```
    pub fn carry<F>(future: F) -> InOverlay<F> {
        InOverlay::entering(overlay_rules::all_entered(), future)
    }

    /// Returns a closure that runs `closure` inside the overlays around this call, for a thread or
    /// `spawn_blocking`.
    pub fn carry_sync<T>(closure: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let overlays = overlay_rules::all_entered();
        move || {
            let _entered = EnterGuard::new(&overlays);
            closure()
        }
    }

    /// Adds a rule, or replaces the one with its id. Returns the overlay's new generation.
    ///
    /// # Panics
    /// Panics if the rule has a guard rail, or the [policy](Injector::set_policy) allows no more rules.
    /// [`apply`](Self::apply) returns an error instead.
    pub fn put(&self, rule: Rule) -> u64 {
        let put = self.apply(Change::Put(rule), None);
        put.expect("the rule has no guard rail, and the policy has room for it")
    }

    /// Deletes a rule, and releases the calls that it delays. Returns `false` if there was none.
    pub fn remove(&self, id: &RuleId) -> bool {
        self.apply(Change::Remove(id.clone()), None).is_ok()
    }

    /// Replaces all rules of the overlay at once. Returns its new generation.
    ///
    /// # Errors
    /// Returns an error if two of them have the same id, one has a guard rail, or the policy does not allow so many.
    pub fn replace(&self, rules: Vec<Rule>) -> Result<u64, ChangeError> {
        self.apply(Change::Replace(rules), None)
    }

    /// Applies one edit to the rules of the overlay, all or nothing, and returns its new generation. If
    /// `expected` is given, the edit is applied only if that is the overlay's generation.
    ///
    /// # Errors
    /// Returns an error if the edit is refused: the rules stay as they are, and the error says why.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        self.injector().apply_in(&self.0.rules, change, expected)
    }

    /// Returns the rules of the overlay as they were written.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.0.rules.rules().set)
    }

    /// Returns what one of its rules has counted; `None` if there is no such rule.
    #[must_use]
    pub fn counts(&self, id: &str) -> Option<Counts> {
        let rule = self.armed(id)?;
        Some(Counts::of(&rule, self.injector().now()))
    }

    /// Returns whether a call in the overlay is known to have passed a site since the overlay was last edited.
    pub(crate) fn has_passed(&self, site: &Site) -> bool {
        self.0.rules.has_passed(site.address())
    }

    /// Returns the overlay's rule `id` in force.
    pub(crate) fn armed(&self, id: &str) -> Option<Arc<Armed>> {
        self.0.rules.rules().find(id).cloned()
    }

    /// Stops the rules of this overlay only, as [`Injector::halt`] stops all rules. So a test can halt
    /// injection without an effect on other tests.
    ///
    /// When it returns, no call in the overlay that begins is hit by its rules, and calls that they delayed
    /// have been released. Returns `false` if the overlay was halted already. The audit has no entry.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Overlay, Rule, inject};
    ///
    /// let injector = Injector::new();
    /// let overlay = Overlay::new(&injector);
    /// overlay.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
    /// let read = || overlay.run_sync(|| inject!(injector: &injector, "db.read"));
    ///
    /// assert!(overlay.halt());
    /// assert!(read().is_ok());
    /// assert!(overlay.resume());
    /// assert!(read().is_err());
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    pub fn halt(&self) -> bool {
        self.injector().halt_in(&self.0.rules)
    }

    /// Undoes [`halt`](Self::halt). Returns `false` if the overlay was not halted. While the injector is halted,
    /// its rules stay stopped.
    pub fn resume(&self) -> bool {
        self.injector().resume_in(&self.0.rules)
    }

    /// Returns whether the overlay is [halted](Self::halt).
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.0.rules.is_halted()
    }

    /// Releases the calls that a rule's `pause` holds now. Returns `false` if there is no such rule.
    pub fn release(&self, id: &str) -> bool {
        let found = self.armed(id);
        if let Some(rule) = &found {
            rule.arming.pauses.release();
        }
        found.is_some()
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("rules", &self.rules())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs inside overlays: what [`Overlay::run`] and [`Overlay::carry`] return.
    ///
    /// It is eight bytes larger than the future inside.
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct InOverlay<F> {
        // The first field, so that it is dropped while its overlays live.
        #[pin]
        future: F,
        overlays: Overlays,
    }
}

/// The overlays that a future enters; `None` outside of all, where most calls of a service are.
///
/// They are in a box of their own, because a slice takes two words of the future.
#[derive(Debug)]
struct Overlays(Option<Box<Entered>>);

#[derive(Debug)]
struct Entered(Box<[EnteredOverlay]>);

/// Out of line, so that nothing is saved for it outside of all overlays.
impl Drop for Overlays {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn drop(entered: Box<Entered>) {
            std::mem::drop(entered);
        }
        if let Some(entered) = self.0.take() {
            drop(entered);
        }
    }
}

impl<F> InOverlay<F> {
    /// Returns a future that enters no overlay.
    ///
    /// For chaos-tower alone, whose layers return one type whether a request has an overlay or not.
    #[doc(hidden)]
    #[inline(always)]
    pub const fn nowhere(future: F) -> Self {
        let overlays = Overlays(None);
        Self { future, overlays }
    }

    fn entering(overlays: Box<[EnteredOverlay]>, future: F) -> Self {
        let entered = (!overlays.is_empty()).then(|| Box::new(Entered(overlays)));
        let overlays = Overlays(entered);
        Self { future, overlays }
    }
}

impl<F: Future> Future for InOverlay<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match &this.overlays.0 {
            None => this.future.poll(cx),
            Some(entered) => poll_inside(entered, this.future, cx),
        }
    }
}

/// Polls a future inside of overlays. Cold, so that outside of them nothing is saved for the guard.
#[cold]
#[inline(never)]
fn poll_inside<F: Future>(
    entered: &Entered,
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let _entered = EnterGuard::new(&entered.0);
    future.poll(cx)
}
