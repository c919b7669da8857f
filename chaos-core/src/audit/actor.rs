//! Who does something to an injector, from where, and why: what an audit asks first.

use std::{fmt, sync::Arc};

/// Someone who changes rules, halts or resumes: a name, and as much as is known besides.
///
/// ```
/// use chaos_core::Actor;
///
/// let actor = Actor::new("alice").at("10.0.0.7:51234").because("GameDay 12");
/// assert_eq!(actor.to_string(), "alice at 10.0.0.7:51234");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: Arc<str>,
    address: Option<Arc<str>>,
    reason: Option<Arc<str>>,
}

impl Actor {
    /// Someone by name: a person, a token, a file.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            name: name.as_ref().into(),
            address: None,
            reason: None,
        }
    }

    /// The program itself: what is done without a [signature](crate::Injector::as_actor).
    #[must_use]
    pub fn code() -> Self {
        Self::new("code")
    }

    /// The injector: what ends by itself.
    pub(crate) fn injector() -> Self {
        Self::new("chaos")
    }

    /// From where: an address, a file.
    #[must_use]
    pub fn at(mut self, address: impl AsRef<str>) -> Self {
        self.address = Some(address.as_ref().into());
        self
    }

    /// Why.
    #[must_use]
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.reason = Some(reason.as_ref().into());
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From where, if that is known.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Why, if anyone said.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.address {
            Some(address) => write!(f, " at {address}"),
            None => Ok(()),
        }
    }
}
