//! Edits in the name of an actor, for the ways in from outside: the admin API, files, the environment.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::ties::Ties,
    audit::{Entry, action::Action, actor::Actor, undo_error::UndoError},
    gate::leash::Leash,
    injector::Injector,
    policy::allowance::Allowance,
    rule::{
        extend_error::ExtendError,
        rule_set::{Change, ChangeError},
    },
};

/// An [`Injector`] that records the changes made through it in the [audit](Injector::audit) under the
/// name of an [`Actor`].
///
/// ```
/// use chaos_core::{Injector, audit::Actor};
///
/// let injector = Injector::new();
/// injector.as_actor(Actor::new("alice").because("enough seen")).halt();
/// let entry = &injector.audit().after(0).entries[0];
/// assert_eq!((entry.actor.name(), entry.action.as_str()), ("alice", "halt"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing by itself"]
pub struct AttributedInjector<'i> {
    injector: &'i Injector,
    actor: Actor,
    /// What the rules hang on that are armed through this handle.
    ties: Option<Arc<Ties>>,
}

impl Injector {
    /// Returns a handle to this injector that records changes under the name of `actor`.
    pub fn as_actor(&self, actor: Actor) -> AttributedInjector<'_> {
        AttributedInjector {
            injector: self,
            actor,
            ties: None,
        }
    }

    /// Makes a leash, which ends `hold` from now on the injector's clock unless it is [extended](Leash::extend). Rules hang
    /// on it that are put through [`AttributedInjector::on_leash`]. A `hold` of zero is over at once.
    #[must_use]
    pub fn leash(&self, hold: Duration) -> Leash {
        Leash::new(self.0.hub.clock.clone(), hold)
    }
}

impl AttributedInjector<'_> {
    /// Hangs the rules on a leash that are armed through this handle: they act until their own deadline, and no longer than
    /// the leash.
    ///
    /// - A rule that is *put* hangs on what the handle of the last put has: on its leash, or on none. The rest of an
    ///   unchanged rule goes on: its counts, its limit and its own deadline.
    /// - If all rules are *replaced*, those hang on the handle's leash that are new or changed. An unchanged rule stays on
    ///   what it hung on, so that whoever writes a list with the rules of others neither takes nor frees them.
    /// - A rule that is *edited* through a handle without a leash stays on the one that it hung on.
    /// - A rule that comes back by an undo hangs on none.
    ///
    /// A call that the rule delays keeps the leash, or the lack of one, with which it began to wait.
    pub fn on_leash(mut self, leash: &Leash) -> Self {
        let ties = Arc::make_mut(self.ties.get_or_insert_default());
        ties.leash = Some(leash.clone());
        self
    }

    /// Feeds the rules that are armed through this handle: each injection of any of them takes a permit from `allowance`, and
    /// while that is dry, none of them injects. Which rules it feeds is as [`on_leash`](Self::on_leash) says which hang on
    /// the leash: a handle with one of the two alone takes the other away from a rule that is put.
    pub fn fed_by(mut self, allowance: &Allowance) -> Self {
        let ties = Arc::make_mut(self.ties.get_or_insert_default());
        ties.allowance = Some(allowance.clone());
        self
    }

    /// Applies one edit, like [`Injector::apply`].
    ///
    /// # Errors
    /// Returns an error if the edit is refused: the rules in force stay as they are, and the error says why.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        let ties = self.ties.as_ref();
        self.injector.apply_by(&self.actor, ties, change, expected)
    }

    /// Moves the deadline of a rule by `by`, like [`Injector::extend`], and returns the time until the new one. If
    /// `expected` is given, the deadline is moved only if that is the generation in force.
    ///
    /// # Errors
    /// Returns an error in the cases of [`Injector::extend`], and if the rules have changed since `expected`.
    pub fn extend(
        &self,
        id: &str,
        by: Duration,
        expected: Option<u64>,
    ) -> Result<Duration, ExtendError> {
        self.injector.extend_by(&self.actor, id, by, expected)
    }

    /// Undoes the changes of an entry of the audit, like [`Injector::undo`], and returns the entry that records this. If
    /// `expected` is given, they are undone only if that is the generation in force.
    ///
    /// # Errors
    /// Returns an error in the cases of [`Injector::undo`], and if the rules have changed since `expected`.
    pub fn undo(&self, entry: u64, expected: Option<u64>) -> Result<Arc<Entry>, UndoError> {
        self.injector.undo_by(&self.actor, entry, expected)
    }

    /// Halts, like [`Injector::halt`], for the actor's reason. Returns `false` if the injector was halted
    /// already: the actor is one more holder then.
    pub fn halt(&self) -> bool {
        self.injector.halt_by(&self.actor)
    }

    /// Halts, as [`halt`](Self::halt) does, for a fleet of which the process is a part. Returns `false` if the injector was
    /// halted already: the fleet is one more holder then.
    ///
    /// Only [`resume_for_fleet`](Self::resume_for_fleet) ends the fleet's hold. A resume by a person is refused meanwhile,
    /// and an acknowledgement does not unlock it. A fleet that halts again stays one holder, with the actor and the reason of
    /// its last halt. A [`HaltHook`](crate::HaltHook) is not called: whoever halts a fleet keeps that outside the process.
    ///
    /// ```
    /// use chaos_core::{HolderKind, Injector, audit::Actor};
    ///
    /// let injector = Injector::new();
    /// let alice = injector.as_actor(Actor::new("alice").because("an incident"));
    /// assert!(alice.halt_for_fleet("shop-prod"));
    /// assert_eq!(injector.status().holders[0].kind, HolderKind::Fleet);
    /// let refused = alice.resume().unwrap_err();
    /// let said = "injection stays halted until the fleet `shop-prod` resumes it: an incident";
    /// assert_eq!(refused.to_string(), said);
    /// assert_eq!(alice.resume_for_fleet("shop-prod"), Ok(true));
    /// assert!(injector.status().holders.is_empty());
    /// ```
    pub fn halt_for_fleet(&self, fleet: &str) -> bool {
        self.injector.halt_for_fleet_by(&self.actor, fleet)
    }

    /// Ends the hold of a fleet, and resumes injection if nobody else holds. It frees nobody whom a person, a guard rail,
    /// the environment or another fleet has stopped: the injector stays halted by them. Returns `false`, and does nothing, if
    /// the fleet does not hold.
    ///
    /// # Errors
    /// Returns an error, and the fleet holds on, if a [`HaltHook`](crate::HaltHook) refuses that injection is resumed, or
    /// someone else halts meanwhile. In that case, the next attempt ends the fleet's hold.
    pub fn resume_for_fleet(&self, fleet: &str) -> Result<bool, ChangeError> {
        self.injector.resume_for_fleet_by(&self.actor, fleet)
    }

    /// Resumes injection and ends the holds of all people, like [`Injector::resume`]. Returns `false`
    /// if the injector was not halted.
    ///
    /// # Errors
    /// Returns an error if a guard rail has halted the injector and nobody has acknowledged it, or a fleet or the environment
    /// has.
    pub fn resume(&self) -> Result<bool, ChangeError> {
        self.injector.resume_by(&self.actor)
    }

    /// Releases the calls that a rule's `pause` holds, like [`Injector::release`].
    pub fn release(&self, id: &str) -> bool {
        self.injector.release_by(&self.actor, id)
    }

    /// Acknowledges all breaches, like [`Injector::acknowledge`], and returns their number.
    pub fn acknowledge(&self) -> usize {
        self.injector.acknowledge_by(&self.actor)
    }

    /// Signs a token, like [`TokenKey::sign`](crate::token::TokenKey::sign), by the injector's clock.
    ///
    /// No rule of this injector changes. The audit records it, because the token arms its rules wherever
    /// it is sent.
    ///
    /// # Errors
    /// Returns an error if the token cannot be signed: the subject, the lifetime or a rule is not acceptable.
    #[cfg(feature = "token")]
    pub fn sign(
        &self,
        key: &crate::token::TokenKey,
        subject: &str,
        lifetime: Duration,
        rules: &[crate::rule::Rule],
    ) -> Result<String, crate::token::TokenError> {
        let permitted = self.injector.policy().permits_in_token(rules);
        permitted.map_err(crate::token::TokenError::Refused)?;
        let token = key.sign(subject, lifetime, rules, self.injector.wall())?;
        let rules = rules
            .iter()
            .map(|rule| format!("{} on {}", rule.id(), rule.site()));
        let rules = rules.collect::<Vec<_>>().join(", ");
        let what = format!("a token of {lifetime:?} for {subject}: {rules}");
        self.injector.note_by(&self.actor, Action::Sign, &what);
        Ok(token)
    }

    /// Records that a file of the admin port, of access tokens or certificates, was read again because it
    /// had changed. No rule of this injector changes. The audit keeps the first thousand characters of
    /// `what`, which says what has changed.
    pub fn reload(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.injector.note_by(&self.actor, Action::Reload, what);
    }

    /// Records that something of the actor's was refused: a login, a request or a file. The audit keeps
    /// the first thousand characters of `what`.
    pub fn refuse(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.injector.note_by(&self.actor, Action::Refuse, what);
    }
}
