//! The fault as application code sees it: an error that stays recognizable however it is wrapped.

use std::{error::Error, fmt, io, ptr, sync::Arc};

use http::StatusCode;

use crate::{name::RuleId, plan::answer::HttpAnswer};

/// The error that a fault fails a call with at a site in code.
///
/// It converts into [`std::io::Error`], with the kind that the rule names, and into boxed errors.
/// [`Injected::find`] recognizes it later, however deep it is wrapped.
///
/// ```
/// use chaos_core::{Fault, Injected, Injector, Rule, inject};
///
/// let injector = Injector::new();
/// injector.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("the disk is full")));
///
/// let read = || -> std::io::Result<()> { Ok(inject!(injector: &injector, "db.read")?) };
/// let error = read().unwrap_err();
/// let injected = Injected::find(&error).expect("no real error");
/// assert_eq!((injected.rule().as_str(), injected.site()), ("lost", "db.read"));
/// assert_eq!(error.to_string(), "the disk is full (injected at db.read by rule lost)");
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone)]
pub struct Injected(Box<Contents>);

#[derive(Clone)]
struct Contents {
    rule: RuleId,
    site: &'static str,
    kind: io::ErrorKind,
    message: Arc<str>,
    answer: Option<Arc<HttpAnswer>>,
    /// The value of a `value` fault, in JSON.
    value: Option<Arc<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Injected {
    /// Creates the error of a fault, without a response, a value or a source.
    pub(crate) fn new(
        rule: RuleId,
        site: &'static str,
        kind: io::ErrorKind,
        message: Arc<str>,
    ) -> Self {
        Self(Box::new(Contents {
            rule,
            site,
            kind,
            message,
            answer: None,
            value: None,
            source: None,
        }))
    }

    /// Sets the HTTP response.
    pub(crate) fn with_answer(mut self, answer: Arc<HttpAnswer>) -> Self {
        self.0.answer = Some(answer);
        self
    }

    /// Sets the value, in JSON.
    pub(crate) fn with_value(mut self, json: Arc<str>) -> Self {
        self.0.value = Some(json);
        self
    }

    /// Sets the cause that [`source`](Error::source) returns, for a library around the site that reads
    /// it. hyper, for example, looks there for the reason to reset a stream.
    #[must_use]
    pub fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the rule that injected the fault.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.rule
    }

    /// Returns the name of the site.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.0.site
    }

    /// Returns the io error kind that the rule named; `Other` if it named none.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind
    }

    /// Returns the message of the rule, without the site and the rule's id, which `Display` adds.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the HTTP status, if a `status` or `grpc` fault hit code that returns no responses.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.answer().map(HttpAnswer::status)
    }

    /// Returns the HTTP response, if a `status` or `grpc` fault hit code that returns no responses of its own. A
    /// client's middleware, for example, can return it in place of a call.
    #[must_use]
    pub fn answer(&self) -> Option<&HttpAnswer> {
        self.0.answer.as_deref()
    }

    /// Returns the value of a `value` fault, in JSON: what the code at the site is to use in place
    /// of its own result (failpoints: `return(x)`).
    #[must_use]
    pub fn value_json(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// Returns the value of a `value` fault, deserialized to a `T`; `None` for any other fault.
    ///
    /// ```
    /// use chaos_core::{Injected, inject};
    ///
    /// fn stock(product: u64) -> Result<u32, Injected> {
    ///     if let Err(injected) = inject!("db.stock", product = %product) {
    ///         // A rule with `{"value": 0}` gives a stock of 0; any other fault fails the call.
    ///         return injected.value().and_then(Result::ok).ok_or(injected);
    ///     }
    ///     Ok(42)
    /// }
    /// # assert_eq!(stock(1).unwrap(), 42);
    /// ```
    ///
    /// # Errors
    /// Contains an error if the JSON is not a `T`, as when the rule was written for another site.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn value<T: serde::de::DeserializeOwned>(&self) -> Option<serde_json::Result<T>> {
        self.value_json().map(serde_json::from_str)
    }

    /// Returns the value of a `value` fault, deserialized to a `T`.
    ///
    /// # Errors
    /// Returns `self` if the fault has no value. If the value is not a `T`, as when the rule was
    /// written for another site, the message says so, and the source is serde's error.
    #[cfg(feature = "serde")]
    pub fn into_value<T: serde::de::DeserializeOwned>(mut self) -> Result<T, Self> {
        match self.value() {
            None => Err(self),
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => {
                let message = format!("the value of the rule does not fit the site: {error}");
                self.0.message = message.into();
                Err(self.with_source(error.into()))
            }
        }
    }

    /// Returns the text that `Display` writes, and a line break.
    #[must_use]
    pub fn to_line(&self) -> String {
        let [message, at, site, by, rule, end] = self.texts();
        [message, at, site, by, rule, end, "\n"].concat()
    }

    /// Returns whether `Display` writes the same, as far as that is seen at once: both are one error of a rule at one
    /// site.
    pub(crate) fn has_the_texts_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.message, &other.0.message)
            && ptr::eq(self.0.site, other.0.site)
            && ptr::eq(self.rule().as_str(), other.rule().as_str())
    }

    /// Returns what `Display` writes.
    fn texts(&self) -> [&str; 6] {
        let (site, rule) = (self.0.site, self.0.rule.as_str());
        [
            &self.0.message,
            " (injected at ",
            site,
            " by rule ",
            rule,
            ")",
        ]
    }

    /// Returns the injected fault in `error` or in any of its sources, if there is one.
    ///
    /// It looks inside [`std::io::Error`] too, whose own `source` skips the error it holds.
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

/// Writes the message, the site and the rule's id.
impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts().iter().try_for_each(|text| f.write_str(text))
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected")
            .field("rule", &self.0.rule)
            .field("site", &self.0.site)
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("answer", &self.0.answer)
            .field("value", &self.0.value)
            .finish()
    }
}

impl Error for Injected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl From<Injected> for io::Error {
    fn from(injected: Injected) -> Self {
        io::Error::new(injected.kind(), injected)
    }
}
