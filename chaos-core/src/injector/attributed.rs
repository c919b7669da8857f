//! Edits that carry a name: what every way in from outside makes of what it was asked.

use crate::{
    audit::{action::Action, actor::Actor},
    injector::Injector,
    rule::rule_set::{Change, ChangeError},
};

/// An [`Injector`] in someone's hands: what is done through it stands in the [audit](Injector::audit)
/// under their name.
///
/// ```
/// use chaos_core::{Injector, Actor};
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
}

impl Injector {
    /// This injector in the hands of `who`.
    pub fn as_actor(&self, actor: Actor) -> AttributedInjector<'_> {
        let injector = self;
        AttributedInjector { injector, actor }
    }
}

impl AttributedInjector<'_> {
    /// As [`Injector::apply`].
    ///
    /// # Errors
    /// As there.
    pub fn apply(&self, change: Change, expected: Option<u64>) -> Result<u64, ChangeError> {
        self.injector.apply_by(&self.actor, change, expected)
    }

    /// As [`Injector::halt`]; the reason is theirs.
    pub fn halt(&self) -> bool {
        self.injector.halt_by(&self.actor)
    }

    /// As [`Injector::resume`].
    ///
    /// # Errors
    /// If a guard rail has stopped everything, and nobody has acknowledged it.
    pub fn resume(&self) -> Result<bool, ChangeError> {
        self.injector.resume_by(&self.actor)
    }

    /// As [`Injector::release`].
    pub fn release(&self, id: &str) -> bool {
        self.injector.release_by(&self.actor, id)
    }

    /// As [`Injector::acknowledge`].
    pub fn acknowledge(&self) -> usize {
        self.injector.acknowledge_by(&self.actor)
    }

    /// As [`TokenKey::sign`](crate::TokenKey::sign), by the injector's clock. Nothing changes here: it is
    /// written down because the token arms its rules wherever it is borne.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "token")]
    pub fn sign(
        &self,
        key: &crate::TokenKey,
        subject: &str,
        lifetime: std::time::Duration,
        rules: &[crate::Rule],
    ) -> Result<String, crate::TokenError> {
        let token = key.sign(subject, lifetime, rules, self.injector.wall())?;
        let rules = rules
            .iter()
            .map(|rule| format!("{} on {}", rule.id(), rule.site()));
        let rules = rules.collect::<Vec<_>>().join(", ");
        let what = format!("a token of {lifetime:?} for {subject}: {rules}");
        self.injector.note_by(&self.actor, Action::Sign, &what);
        Ok(token)
    }

    /// Writes down that they were not allowed to do something: a login, a request, a file. Of a text, the
    /// first thousand characters.
    pub fn refuse(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.injector.note_by(&self.actor, Action::Refuse, what);
    }
}
