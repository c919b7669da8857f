//! Rules that only one task tree or request can see.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    armed::status::Counts,
    decision::overlay_rules::{self, Around, Entered, OverlayRules},
    injector::Injector,
    name::RuleId,
    rule::{
        Rule,
        rule_set::{Change, ChangeError, RuleSet},
    },
};

/// Rules that only the calls made in it can see.
///
/// Two tests that run in parallel on one injector, each in an overlay of its own, do not see each
/// other's faults; nor does anyone else. The rules of an overlay come before those of the injector, and
/// of overlays within each other, the innermost comes first. [`Injector::halt`] stops them, too.
///
/// It follows the future it runs, through every `.await` and from thread to thread. Into tasks and
/// threads that are spawned in it, [`carry`](Self::carry) and [`carry_sync`](Self::carry_sync) take it.
///
/// Clones are the same overlay. Its rules are gone, and calls that they delay are let go, when the last
/// clone and the last future that runs in it are dropped. Where no overlay aims, a site pays nothing.
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

/// What keeps an overlay alive. The injector does not, so it does not hold this.
struct Handle {
    injector: Injector,
    layer: Arc<OverlayRules>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.injector.close(&self.layer);
    }
}

impl Overlay {
    /// An overlay without rules, on that injector's sites.
    #[must_use]
    pub fn new(injector: &Injector) -> Self {
        Self::open(injector, None)
    }

    /// The rules of a verified token, for as long as it is valid: a rule's `ttl` (ten minutes, unless it says
    /// otherwise) counts from this call, and ends with the token at the latest. `text` is the token as it was sent: what
    /// is called in the overlay can [pass it on](Self::current_token).
    ///
    /// # Errors
    /// If the [policy](Injector::set_policy) of the injector does not allow the rules.
    #[cfg(feature = "token")]
    pub fn of_token(
        injector: &Injector,
        token: crate::token::Token,
        text: &str,
    ) -> Result<Self, crate::error::RuleError> {
        injector.check(token.rules())?;
        let remaining = token.remaining();
        let no_longer = |mut rule: Rule| {
            let ttl = rule
                .lifetime
                .ttl()
                .map_or(remaining, |ttl| ttl.min(remaining));
            // Of a token that expires this very moment, nothing is left.
            rule.lifetime = crate::rule::lifetime::Lifetime::new(ttl).ok()?;
            Some(rule)
        };
        let rules = token.into_rules().into_iter().filter_map(no_longer);
        let overlay = Self::open(injector, Some(text.into()));
        let replaced = overlay.replace(rules.collect());
        replaced.expect("the ids of a token differ");
        Ok(overlay)
    }

    fn open(injector: &Injector, token: Option<Box<str>>) -> Self {
        let layer = Arc::new(OverlayRules::new(token));
        injector.open(&layer);
        let injector = injector.clone();
        Self(Arc::new(Handle { injector, layer }))
    }

    fn around(&self) -> Around {
        let keeper = Arc::clone(&self.0);
        Around::new(&self.0.layer, keeper)
    }

    /// The token that the innermost overlay around this call came with.
    #[must_use]
    pub fn current_token() -> Option<String> {
        overlay_rules::token_around()
    }

    /// The injector whose sites it is on.
    #[must_use]
    pub fn injector(&self) -> &Injector {
        &self.0.injector
    }

    /// Runs a future in it, on each poll. What the future does when it is dropped half-way is outside of
    /// it. Cancel-safe: dropping the future leaves the overlay as it was.
    pub fn run<F>(&self, future: F) -> InOverlay<F> {
        InOverlay {
            overlays: [self.around()].into(),
            future,
        }
    }

    /// Runs a closure in it.
    pub fn run_sync<T>(&self, closure: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(&[self.around()]);
        closure()
    }

    /// Takes the overlays around this call into a task:
    ///
    /// ```
    /// # use chaos_core::Overlay;
    /// # async fn work() {}
    /// # async fn example() {
    /// tokio::spawn(Overlay::carry(work()));
    /// # }
    /// ```
    pub fn carry<F>(future: F) -> InOverlay<F> {
        let overlays = overlay_rules::all_around();
        InOverlay { overlays, future }
    }

    /// The same into a thread, or `spawn_blocking`.
    pub fn carry_sync<T>(closure: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let overlays = overlay_rules::all_around();
        move || {
            let _entered = Entered::new(&overlays);
            closure()
        }
    }

    /// Adds a rule, or replaces the one with its id; returns the overlay's new generation.
    pub fn put(&self, rule: Rule) -> u64 {
        let put = self.apply(Change::Put(rule), None);
        put.expect("without an expected generation, a put is always accepted")
    }

    /// Takes a rule out and frees the calls it delays; `false` if there was none.
    pub fn remove(&self, id: &RuleId) -> bool {
        self.apply(Change::Remove(id.clone()), None).is_ok()
    }

    /// Replaces all its rules at once.
    ///
    /// # Errors
    /// If two of them have the same id.
    pub fn replace(&self, rules: Vec<Rule>) -> Result<u64, ChangeError> {
        self.apply(Change::Replace(rules), None)
    }

    /// Applies one edit, as [`Injector::apply`] does.
    ///
    /// # Errors
    /// As there.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        self.injector().apply_in(&self.0.layer, change, expected)
    }

    /// Its rules as they were written.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.0.layer.rules().set)
    }

    /// What one of its rules has counted.
    #[must_use]
    pub fn counts(&self, id: &str) -> Option<Counts> {
        let now = self.injector().now();
        let rules = self.0.layer.rules();
        rules.find(id).map(|rule| Counts::of(rule, now))
    }

    /// Lets go the calls that a rule's `pause` holds now; `false` if there is no such rule.
    pub fn release(&self, id: &str) -> bool {
        let found = self.0.layer.rules().find(id).cloned();
        found.is_some_and(|rule| {
            rule.arming.pauses.release();
            true
        })
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
    /// A future that runs in overlays.
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct InOverlay<F> {
        // First, so that it is dropped while its overlays live.
        #[pin]
        future: F,
        overlays: Box<[Around]>,
    }
}

impl<F: Future> Future for InOverlay<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.overlays);
        this.future.poll(cx)
    }
}
