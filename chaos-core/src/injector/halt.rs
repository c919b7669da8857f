//! The kill switch, by hand and by guard rail: halt, resume, acknowledge, release.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::{
        rules::Retired,
        status::{Halt, Lock},
    },
    audit::{EntryDraft, action::Action, actor::Actor},
    guard_rail::breach::Breach,
    injector::{Book, Injector, Inner},
    name::RuleId,
    rule::{
        Rule,
        rule_set::{Change, ChangeError},
    },
};

impl Injector {
    /// Stops all injection: the kill switch.
    ///
    /// When it returns, no call that begins is hit, calls that were being delayed have been released,
    /// and calls under way get no further fault. The rules stay, and none of them fires until
    /// [`resume`](Self::resume), even if they are edited meanwhile. A fault that another thread
    /// begins at this very moment may still happen, once.
    ///
    /// Returns `false` if the injector was halted already: nothing changes then, and the first
    /// reason is kept.
    pub fn halt(&self, reason: impl AsRef<str>) -> bool {
        self.halt_by(&Actor::code().because(reason))
    }

    /// Halts in the name of `actor`, whose reason becomes that of the halt.
    pub(crate) fn halt_by(&self, actor: &Actor) -> bool {
        let mut book = self.swept_book();
        if book.halt.is_some() {
            return false;
        }
        book.halt = Some(Halt {
            by: actor.clone(),
            since: self.0.hub.clock.now(),
            lock: None,
        });
        self.note(&book, actor, EntryDraft::of(Action::Halt));
        let retired = self.0.halt(&mut book, self.now());
        // The lock is released first: a task that is woken may ask the injector something.
        drop(book);
        retired.open();
        self.notify();
        true
    }

    /// Undoes [`halt`](Self::halt). Rules whose deadline has passed meanwhile stay expired. All guard
    /// rails measure anew: calls from before do not count.
    ///
    /// Returns `false` if the injector was not halted, or if a guard rail or the environment keeps
    /// it halted.
    pub fn resume(&self) -> bool {
        self.resume_by(&Actor::code()).unwrap_or(false)
    }

    /// Resumes in the name of `actor`; an error says what keeps the halt from being undone.
    pub(crate) fn resume_by(&self, actor: &Actor) -> Result<bool, ChangeError> {
        let mut book = self.swept_book();
        if let Some(lock) = book.halt.as_ref().and_then(|halt| halt.lock.as_ref()) {
            let reason = Arc::clone(lock.reason());
            return Err(ChangeError::Locked { reason });
        }
        let halted = book.halt.take().is_some();
        if halted {
            // What was seen before the halt says nothing of what comes.
            let bounds = self.0.hub.bounds.load();
            let monitors = book.monitors().chain(&bounds.monitors);
            monitors.for_each(|monitor| monitor.reset());
        }
        self.0.install_all(&mut book, self.now());
        if halted {
            self.note(&book, actor, EntryDraft::of(Action::Resume));
        }
        drop(book);
        self.notify();
        Ok(halted)
    }

    /// Waits for `signal`, halts, and returns what the signal returned.
    ///
    /// Wrap the future that tells a server to stop: otherwise a graceful shutdown waits for calls
    /// that a `hang` or a delay holds. Cancel-safe if `signal` is: dropping the future halts nothing.
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

    /// Releases the calls that a rule's `pause` holds now. Returns `false` if there is no such rule.
    pub fn release(&self, id: &str) -> bool {
        self.release_by(&Actor::code(), id)
    }

    /// Releases paused calls in the name of `actor`.
    pub(crate) fn release_by(&self, actor: &Actor, id: &str) -> bool {
        let book = self.swept_book();
        let found = book.rules.find(id).cloned();
        if found.is_some() {
            self.note(&book, actor, EntryDraft::of(Action::Release).what(id));
        }
        // The lock is released first: a task that is woken may ask the injector something.
        drop(book);
        found.is_some_and(|rule| {
            rule.arming.pauses.release();
            self.notify();
            true
        })
    }

    /// Acknowledges all breaches of guard rails, so that what they stopped may be armed again.
    ///
    /// An injector that a guard rail halted stays halted until [`resume`](Self::resume). The guard
    /// rails that have tripped measure anew, and trip again. Returns the number of breaches
    /// acknowledged.
    pub fn acknowledge(&self) -> usize {
        self.acknowledge_by(&Actor::code())
    }

    /// Acknowledges breaches in the name of `actor`.
    pub(crate) fn acknowledge_by(&self, actor: &Actor) -> usize {
        let mut book = self.swept_book();
        let mut breaches: Vec<_> = std::mem::take(&mut book.tripped).into_values().collect();
        if let Some(halt) = &mut book.halt {
            match halt.lock.take() {
                Some(Lock::Breach(breach)) => breaches.push(breach),
                // Only a restart undoes what the environment says.
                lock => halt.lock = lock,
            }
        }
        let bounds = self.0.hub.bounds.load();
        let monitors = book.monitors().chain(&bounds.monitors);
        monitors.for_each(|monitor| monitor.reset_tripped());
        if !breaches.is_empty() {
            let draft = EntryDraft::of(Action::Acknowledge).what(breaches.join("; "));
            self.note(&book, actor, draft);
        }
        drop(book);
        self.notify();
        breaches.len()
    }

    /// Stops what broke a bound: the rule given, or everything if there is none.
    pub(super) fn stop(&self, breach: &Breach, rule: Option<&RuleId>) {
        let reason: Arc<str> = breach.to_string().into();
        let mut book = self.swept_book();
        let retired = match rule {
            Some(id) => self.stop_rule(&mut book, id, &reason),
            None => self.stop_all(&mut book, &reason),
        };
        drop(book);
        tracing::warn!(target: "chaos", %breach, "a guard rail has tripped");
        retired.open();
        self.notify();
    }

    /// Disables one rule, and locks its id until someone acknowledges the breach.
    pub(super) fn stop_rule(&self, book: &mut Book, id: &RuleId, reason: &Arc<str>) -> Retired {
        // Even if the rule has been edited or deleted meanwhile, its id is locked.
        book.tripped.insert(id.clone(), Arc::clone(reason));
        let mut draft = EntryDraft::of(Action::Breach).what(Arc::clone(reason));
        let mut retired = Retired::default();
        let on = book.rules.set.find(id.as_str());
        if let Some(rule) = on.filter(|rule| rule.enabled).cloned() {
            let off = Change::Edit(Rule::clone(&rule).enabled(false));
            let bounds = self.0.hub.bounds.load();
            let edited = book.rules.apply(off, None, &bounds.policy, self.now());
            let edited = edited.expect("without an expected generation, the rule is there");
            self.0.install_own(book, self.now());
            draft = draft.changed(edited.changed);
            retired = edited.retired;
        }
        self.note(book, &Actor::injector(), draft);
        retired
    }

    /// Halts, and locks the halt until someone acknowledges the breach.
    pub(super) fn stop_all(&self, book: &mut Book, reason: &Arc<str>) -> Retired {
        let was_halted = book.halt.is_some();
        let halt = book.halt.get_or_insert_with(|| Halt {
            by: Actor::injector().because(reason),
            since: self.now(),
            lock: None,
        });
        halt.lock
            .get_or_insert_with(|| Lock::Breach(Arc::clone(reason)));
        let draft = EntryDraft::of(Action::Breach).what(Arc::clone(reason));
        self.note(book, &Actor::injector(), draft);
        if was_halted {
            return Retired::default();
        }
        self.0.halt(book, self.now())
    }
}

impl Inner {
    /// Disarms all sites, and returns the rules whose calls are to be released.
    pub(super) fn halt(&self, book: &mut Book, now: Duration) -> Retired {
        self.install_all(book, now);
        let mut retired = book.rules.halt();
        for overlay in &book.overlays {
            retired.0.append(&mut overlay.rules().halt().0);
        }
        retired
    }
}
