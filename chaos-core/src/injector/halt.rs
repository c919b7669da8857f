//! The kill switch, by hand and by guard rail: halt, resume, acknowledge, release.

mod fleet;

use std::sync::{Arc, MutexGuard, PoisonError, atomic::Ordering};

use crate::{
    armed::rules::Retired,
    audit::{EntryDraft, action::Action, actor::Actor},
    guard_rail::breach::{Breach, OpenBreach},
    injector::{
        Book, Injector, Inner,
        holders::{Halter, Holders},
    },
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
    /// Each halt has a holder, so what two people have halted is held by both:
    /// [`Status::holders`](crate::Status::holders) lists them. Returns `false` if the injector was
    /// halted already.
    ///
    /// ```
    /// use chaos_core::{Injector, audit::Actor};
    ///
    /// let injector = Injector::new();
    /// assert!(injector.as_actor(Actor::new("alice").because("enough seen")).halt());
    /// assert!(!injector.as_actor(Actor::new("bob").because("an incident")).halt());
    /// let holders = injector.status().holders;
    /// let names: Vec<_> = holders.iter().map(|holder| holder.by.name()).collect();
    /// assert_eq!(names, ["alice", "bob"]);
    ///
    /// assert!(injector.resume());
    /// let entries = injector.audit().after(0).entries;
    /// assert_eq!(entries[1].what.as_deref(), Some("already held by alice"));
    /// assert_eq!(entries[2].what.as_deref(), Some("ended the holds of alice, bob"));
    /// ```
    pub fn halt(&self, reason: impl AsRef<str>) -> bool {
        self.halt_by(&Actor::code().because(reason))
    }

    /// Halts in the name of `actor`, whose reason becomes that of the hold.
    ///
    /// It does not take the lock that an edit holds while it works.
    pub(crate) fn halt_by(&self, actor: &Actor) -> bool {
        let is_first = self.halt_for_this_process(actor);
        self.0.halt_hooks.halted(actor);
        is_first
    }

    /// Halts without a word to those who keep a halt outside the process.
    fn halt_for_this_process(&self, actor: &Actor) -> bool {
        let held = self.hold(actor, &Halter::Person);
        let mut draft = EntryDraft::of(Action::Halt);
        if let Some(names) = &held {
            draft = draft.what(format!("already held by {names}"));
        }
        self.note_at(self.0.rules.load().generation, actor, draft);
        self.notify();
        held.is_none()
    }

    /// Adds a holder, and returns the names of those who held already. The first halts.
    pub(super) fn hold(&self, by: &Actor, halter: &Halter<'_>) -> Option<String> {
        let (held, gates) = {
            let mut holders = self.0.holders();
            let held = holders.names();
            holders.add(halter, by.clone(), self.now());
            self.0.hub.set_halted(true);
            // Taken under this lock, which a resume takes, too: the gates that it makes are not for this halt to open.
            (held, self.0.hub.take_held())
        };
        // Before the sites are disarmed: that may have to wait for an edit.
        gates.open_all();
        if held.is_none() {
            self.0.armed.store(false, Ordering::Relaxed);
            self.0.disarm();
        }
        held
    }

    /// Undoes [`halt`](Self::halt), and ends the holds of all people, not only those of the caller.
    /// Rules whose deadline has passed meanwhile stay expired. All guard rails measure anew: calls from
    /// before do not count.
    ///
    /// The audit has an entry that names whose holds were ended, and one without names if the
    /// injector was not halted.
    ///
    /// Returns `false` if the injector was not halted, or if a guard rail, a fleet, the environment or a
    /// [`HaltHook`](crate::HaltHook) keeps it halted: nothing changes then.
    pub fn resume(&self) -> bool {
        self.resume_by(&Actor::code()).unwrap_or(false)
    }

    /// Resumes in the name of `actor`; an error says what keeps the halt from being undone.
    pub(crate) fn resume_by(&self, actor: &Actor) -> Result<bool, ChangeError> {
        let halts = {
            let holders = self.0.holders();
            holders.check_unlocked()?;
            holders.halts()
        };
        let first = || self.0.holders().first();
        self.0.halt_hooks.resume(
            |hook| hook.before_resume(),
            || self.end_holds(actor, halts, false),
            first,
        )
    }

    /// Ends the holds of all people, or that of a fleet that holds alone if it is `for_fleet`, unless someone has halted since there
    /// were so many `halts`: who was told that injection is halted must be able to rely on it.
    pub(super) fn end_holds(
        &self,
        actor: &Actor,
        halts: u64,
        for_fleet: bool,
    ) -> Result<bool, ChangeError> {
        let mut book = self.swept_book();
        if self.0.hub.is_halted() {
            // A call from before the halt must find its rule over. The halt has released those that wait.
            book.put_behind_new_gates().mark_over();
        }
        let ended = {
            let mut holders = self.0.holders();
            // A fleet that held alone does so unless someone has halted since.
            if !for_fleet {
                holders.check_unlocked()?;
            }
            if holders.halts() != halts {
                let reason = "someone has halted meanwhile".into();
                return Err(ChangeError::ResumeRefused { reason });
            }
            self.0.hub.set_halted(false);
            holders.end()
        };
        let mut draft = EntryDraft::of(Action::Resume);
        if let Some(names) = &ended {
            // What was seen before the halt says nothing of what comes.
            let bounds = self.0.hub.bounds.load();
            let monitors = book.monitors().chain(&bounds.monitors);
            monitors.for_each(|monitor| monitor.reset());
            draft = draft.what(format!("ended the holds of {names}"));
        }
        self.0.install_all(&mut book, self.now());
        self.note(&book, actor, draft);
        drop(book);
        self.notify();
        Ok(ended.is_some())
    }

    /// Waits for `signal`, halts, and returns what the signal returned.
    ///
    /// Wrap the future that tells a server to stop: otherwise a graceful shutdown waits for calls
    /// that a `hang` or a delay holds. The halt ends with the process: a [`HaltHook`](crate::HaltHook) is
    /// not called. Cancel-safe if `signal` is: dropping the future halts nothing.
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
        self.halt_for_this_process(&Actor::code().because(reason));
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
        breaches.append(&mut self.0.holders().acknowledge());
        let bounds = self.0.hub.bounds.load();
        let monitors = book.monitors().chain(&bounds.monitors);
        monitors.for_each(|monitor| monitor.reset_tripped());
        if !breaches.is_empty() {
            let sentences: Vec<_> = breaches.iter().map(ToString::to_string).collect();
            let draft = EntryDraft::of(Action::Acknowledge).what(sentences.join("; "));
            self.note(&book, actor, draft);
        }
        drop(book);
        self.notify();
        breaches.len()
    }

    /// Stops what broke a bound: the rule given, or everything if there is none.
    pub(super) fn stop(&self, breach: &Breach, rule: Option<&RuleId>) {
        let open = Arc::new(OpenBreach {
            breach: breach.clone(),
            at: self.wall(),
        });
        match rule {
            None => self.stop_all(&open),
            Some(id) => {
                let mut book = self.swept_book();
                let retired = self.stop_rule(&mut book, id, &open);
                drop(book);
                retired.open();
                self.notify();
            }
        }
        // Last, because a subscriber may block.
        tracing::warn!(target: "chaos", %breach, "a guard rail has tripped");
    }

    /// Disables one rule, and locks its id until someone acknowledges the breach.
    fn stop_rule(&self, book: &mut Book, id: &RuleId, breach: &Arc<OpenBreach>) -> Retired {
        // Even if the rule has been edited or deleted meanwhile, its id is locked.
        book.tripped.insert(id.clone(), Arc::clone(breach));
        let mut draft = EntryDraft::of(Action::Breach).what(breach.to_string());
        let mut retired = Retired::default();
        let on = book.rules.set.find(id.as_str());
        if let Some(rule) = on.filter(|rule| rule.enabled).cloned() {
            let off = Change::Edit(Rule::clone(&rule).enabled(false));
            let bounds = self.0.hub.bounds.load();
            let by = self.armed_by(&Actor::injector(), None, false);
            let edited = book.rules.apply(off, None, &bounds.policy, &by);
            let edited = edited.expect("without an expected generation, the rule is there");
            self.0.publish(book);
            self.0.install_own(book, by.since);
            draft = draft.changed(edited.changed);
            retired = edited.retired;
        }
        self.note(book, &Actor::injector(), draft);
        retired
    }

    /// Halts, and locks the halt until someone acknowledges the breach.
    fn stop_all(&self, breach: &Arc<OpenBreach>) {
        let reason = breach.to_string();
        let by = Actor::injector().because(&reason);
        self.hold(&by, &Halter::GuardRail(breach));
        let draft = EntryDraft::of(Action::Breach).what(reason);
        self.note_at(self.0.rules.load().generation, &Actor::injector(), draft);
        self.notify();
        self.0.halt_hooks.halted(&by);
    }
}

impl Inner {
    /// Locks the holders of a halt.
    pub(super) fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
