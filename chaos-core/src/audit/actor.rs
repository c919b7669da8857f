//! Who acts on an injector, from where, and why.

use std::{fmt, sync::Arc};

use crate::error::OneLine;

/// Who changes rules, halts or resumes: a name, with an address and a reason where they are known.
///
/// Entries of the [`Audit`](crate::audit::Audit) carry it.
/// [`Injector::as_actor`](crate::Injector::as_actor) returns an injector whose edits are recorded
/// under an actor's name.
///
/// ```
/// use chaos_core::audit::Actor;
///
/// let actor = Actor::new("alice").at("10.0.0.7:51234").because("GameDay 12");
/// assert_eq!(actor.to_string(), "alice at 10.0.0.7:51234");
///
/// let injector = chaos_core::Injector::new();
/// injector.as_actor(actor).halt();
/// assert_eq!(injector.audit().after(0).entries[0].actor.name(), "alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: Arc<str>,
    address: Option<Arc<str>>,
    reason: Option<Arc<str>>,
}

impl Actor {
    /// Creates an actor from a name: of a person, a token or a file.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            name: name.as_ref().into(),
            address: None,
            reason: None,
        }
    }

    /// Returns the actor named `code`, under which the program's own edits are recorded unless
    /// [`Injector::as_actor`](crate::Injector::as_actor) names another.
    #[must_use]
    pub fn code() -> Self {
        Self::new("code")
    }

    /// Returns the actor named `chaos`: the injector itself, which expires rules and trips guard
    /// rails.
    pub(crate) fn injector() -> Self {
        Self::new("chaos")
    }

    /// Sets where the actor comes from: a network address, or the path of a file.
    #[must_use]
    pub fn at(mut self, address: impl AsRef<str>) -> Self {
        self.address = Some(address.as_ref().into());
        self
    }

    /// Sets why the actor acts, in free text.
    #[must_use]
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.reason = Some(reason.as_ref().into());
        self
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address, if one was set.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Returns the reason, if one was set.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Writes the name and, if there is one, the address, on one line; not the reason.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", OneLine(&self.name))?;
        match &self.address {
            Some(address) => write!(f, " at {}", OneLine(address)),
            None => Ok(()),
        }
    }
}
