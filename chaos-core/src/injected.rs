//! The fault as application code sees it: an error that stays recognisable.

use std::{error::Error, fmt, io, sync::Arc};

use http::StatusCode;

use crate::name::RuleId;

/// The error that a fault makes at a site in code.
///
/// It converts into [`std::io::Error`] with the kind the rule asked for, and into boxed errors.
/// [`Injected::find`] recognises it afterwards, however deep it was wrapped.
///
/// ```
/// use chaos_core::Injected;
///
/// fn is_real(error: &(dyn std::error::Error + 'static)) -> bool {
///     Injected::find(error).is_none()
/// }
/// # assert!(is_real(&std::fmt::Error));
/// ```
#[derive(Clone)]
pub struct Injected(Box<Parts>);

#[derive(Clone)]
struct Parts {
    rule: RuleId,
    site: &'static str,
    kind: io::ErrorKind,
    message: Arc<str>,
    status: Option<StatusCode>,
}

impl Injected {
    pub(crate) fn new(
        rule: RuleId,
        site: &'static str,
        kind: io::ErrorKind,
        message: Arc<str>,
        status: Option<StatusCode>,
    ) -> Self {
        Self(Box::new(Parts {
            rule,
            site,
            kind,
            message,
            status,
        }))
    }

    /// The rule that did it.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.rule
    }

    /// Where it was done.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.0.site
    }

    /// The io kind that the rule named; `Other` if it named none.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind
    }

    /// The message of the rule.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The status, where a `status` fault hit code that has no answer to give.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Finds an injected fault in `error` or in any of its sources.
    ///
    /// Looks inside [`std::io::Error`] too, whose own `source` skips the error it holds.
    #[must_use]
    pub fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(injected) = error.downcast_ref::<Self>() {
                return Some(injected);
            }
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(held) => Some(held),
                None => error.source(),
            };
        }
        None
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            rule,
            site,
            message,
            ..
        } = &*self.0;
        write!(f, "{message} (injected at {site} by rule {rule})")
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("rule", &self.0.rule)
            .field("site", &self.0.site)
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .finish()
    }
}

impl Error for Injected {}

impl From<Injected> for io::Error {
    fn from(injected: Injected) -> Self {
        io::Error::new(injected.kind(), injected)
    }
}
