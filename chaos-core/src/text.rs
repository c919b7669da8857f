//! Matching one piece of text: equality, a route, a prefix, a suffix, a regular expression,
//! presence, and their negations and unions.

use std::fmt;

use crate::error::RuleError;

/// What a method, path, host, header, query parameter or label must be like.
///
/// A call may have several values of a kind (a header sent twice): a positive form holds if any of
/// them fits, [`Text::Not`] if none does. So a missing value satisfies `Not` and
/// `Present(false)`, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// Equal, byte for byte.
    Is(Box<str>),
    /// A path in axum's syntax.
    Route(Route),
    /// Begins with.
    Prefix(Box<str>),
    /// Ends with.
    Suffix(Box<str>),
    /// Matches somewhere; anchor it with `^` and `$`.
    Regex(Pattern),
    /// There (`true`) or not there (`false`).
    Present(bool),
    /// The opposite.
    Not(Box<Text>),
    /// At least one of these.
    AnyOf(Box<[Text]>),
}

impl Text {
    /// Equality.
    #[must_use]
    pub fn is(value: &str) -> Self {
        Self::Is(value.into())
    }

    /// A prefix.
    #[must_use]
    pub fn prefix(value: &str) -> Self {
        Self::Prefix(value.into())
    }

    /// A suffix.
    #[must_use]
    pub fn suffix(value: &str) -> Self {
        Self::Suffix(value.into())
    }

    /// A path with axum's `{param}` and `{*rest}`.
    ///
    /// # Errors
    /// If axum's router would refuse it.
    pub fn route(path: &str) -> Result<Self, RuleError> {
        Route::new(path).map(Self::Route)
    }

    /// A regular expression; matching takes linear time. `\d`, `\s` and `\w` are ASCII.
    ///
    /// # Errors
    /// If it does not parse, or would compile to something large.
    pub fn regex(pattern: &str) -> Result<Self, RuleError> {
        Pattern::new(pattern).map(Self::Regex)
    }

    /// Whether the values of one call satisfy it; `values` is asked anew for each form.
    pub(crate) fn matches<V, I>(&self, values: &impl Fn() -> I) -> bool
    where
        V: AsRef<str>,
        I: Iterator<Item = V>,
    {
        match self {
            Self::Is(wanted) => values().any(|value| *value.as_ref() == **wanted),
            Self::Route(route) => values().any(|value| route.matches(value.as_ref())),
            Self::Prefix(prefix) => values().any(|value| value.as_ref().starts_with(&**prefix)),
            Self::Suffix(suffix) => values().any(|value| value.as_ref().ends_with(&**suffix)),
            Self::Regex(pattern) => values().any(|value| pattern.0.is_match(value.as_ref())),
            Self::Present(wanted) => values().next().is_some() == *wanted,
            Self::Not(text) => !text.matches(values),
            Self::AnyOf(texts) => texts.iter().any(|text| text.matches(values)),
        }
    }
}

/// A compiled regular expression that remembers how it was written.
#[derive(Clone)]
pub struct Pattern(regex_lite::Regex);

impl Pattern {
    /// What a compiled expression may weigh: `(a{1000}){1000}` is refused, not built.
    const SIZE_LIMIT: usize = 256 * 1024;
    const MAX_LENGTH: usize = 1024;

    fn new(pattern: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a regular expression of at most 1024 characters, without look-around \
                           or back references, that compiles to at most 256 KiB";
            RuleError::new("regex", problem, allowed)
        };
        if pattern.len() > Self::MAX_LENGTH {
            return Err(refuse(format!("{} characters are too many", pattern.len())));
        }
        regex_lite::RegexBuilder::new(pattern)
            .size_limit(Self::SIZE_LIMIT)
            .build()
            .map(Self)
            .map_err(|error| refuse(error.to_string()))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A path in axum's syntax, matched by axum's own matcher.
#[derive(Clone)]
pub struct Route {
    source: Box<str>,
    /// `None` where there is no parameter, and equality says it all.
    router: Option<matchit::Router<()>>,
}

impl Route {
    fn new(path: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a path that starts with `/`, with axum's `{param}` for one segment \
                           and `{*rest}` for the rest";
            RuleError::new("path", problem, allowed)
        };
        if !path.starts_with('/') {
            return Err(refuse(format!("{path:?} does not start with `/`")));
        }
        let router = if path.contains(['{', '}']) {
            let mut router = matchit::Router::new();
            router
                .insert(path, ())
                .map_err(|error| refuse(error.to_string()))?;
            Some(router)
        } else {
            None
        };
        Ok(Self {
            source: path.into(),
            router,
        })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.router {
            None => *path == *self.source,
            Some(router) => router.at(path).is_ok(),
        }
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}
