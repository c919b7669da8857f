//! A condition on one text: equality, a route, a prefix, a suffix, a regular expression, presence,
//! and negations and unions of these.

mod pattern;
mod route;

use crate::error::RuleError;

pub use self::{pattern::Pattern, route::Route};

/// A condition on a method, path, host, header, query parameter or label of a call.
///
/// A call may have several values of one name, such as a header that was sent twice. A positive
/// condition holds if any of the values satisfies it, and [`Text::Not`] if none does. A missing
/// value therefore satisfies `Not` and `Present(false)`, and nothing else.
///
/// ```
/// use chaos_core::{Matcher, Text};
///
/// // Every tenant but the two that pay for it.
/// let paying = Text::AnyOf(["acme".into(), "globex".into()].into());
/// let matcher = Matcher::new().label("tenant", Text::Not(Box::new(paying)));
/// # drop(matcher);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Text {
    /// The value equals this, byte for byte.
    Is(Box<str>),
    /// The value is a path that matches this route, in axum's syntax.
    Route(Route),
    /// The value begins with this.
    Prefix(Box<str>),
    /// The value ends with this.
    Suffix(Box<str>),
    /// The regular expression matches somewhere in the value, or [the whole](Pattern::is_full) of it.
    Regex(Pattern),
    /// There is a value (`true`), or there is none (`false`).
    Present(bool),
    /// The condition does not hold.
    Not(Box<Text>),
    /// At least one of the conditions holds.
    AnyOf(Box<[Text]>),
    /// A text alone, as `Text::from` makes it. It means what it means in the JSON of a rule: a [`Matcher`]
    /// replaces it with what it is for the field that it is on, such as a route for a path.
    ///
    /// [`Matcher`]: crate::Matcher
    Plain(Box<str>),
}

impl Text {
    /// Creates a condition that the value equals `value`, byte for byte.
    #[must_use]
    pub fn is(value: &str) -> Self {
        Self::Is(value.into())
    }

    /// Creates a condition that the value begins with `value`.
    #[must_use]
    pub fn prefix(value: &str) -> Self {
        Self::Prefix(value.into())
    }

    /// Creates a condition that the value ends with `value`.
    #[must_use]
    pub fn suffix(value: &str) -> Self {
        Self::Suffix(value.into())
    }

    /// Creates a condition that the value is a path that matches `path`, a route with axum's
    /// `{param}` for one segment and `{*rest}` for the rest.
    ///
    /// # Errors
    /// Returns an error if axum's router would refuse the route.
    pub fn route(path: &str) -> Result<Self, RuleError> {
        Route::new(path).map(Self::Route)
    }

    /// Creates a condition that `pattern` matches somewhere in the value: `/products/[0-9]+` also matches
    /// `/x/products/1/picture`. [`Text::full_regex`] matches the whole. Matching takes time linear in the
    /// length of the value. `\d`, `\s` and `\w` match ASCII only.
    ///
    /// # Errors
    /// Returns an error if the pattern does not parse, is longer than 1024 bytes, or compiles to more
    /// than 32 KiB.
    pub fn regex(pattern: &str) -> Result<Self, RuleError> {
        Pattern::search(pattern).map(Self::Regex)
    }

    /// Creates a condition that `pattern` matches the whole value, as Envoy's `safe_regex` and Istio's
    /// `regex` do. [`Text::regex`] searches for a part.
    ///
    /// ```
    /// use chaos_core::{Matcher, Text};
    ///
    /// // One product, and neither its picture nor the list of all.
    /// let product = Matcher::new().path(Text::full_regex("/products/[0-9]+")?);
    /// # drop(product);
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error in the cases of [`Text::regex`].
    pub fn full_regex(pattern: &str) -> Result<Self, RuleError> {
        Pattern::full(pattern).map(Self::Regex)
    }

    /// Returns whether the values of one call satisfy the condition. `values` is called anew for
    /// each nested condition.
    ///
    /// A value that is not UTF-8 (a header may hold any bytes), or longer than 2 KiB, is present, and
    /// matches no expression.
    pub(crate) fn matches<V, I>(&self, values: &impl Fn() -> I) -> bool
    where
        V: AsRef<[u8]>,
        I: Iterator<Item = V>,
    {
        match self {
            Self::Is(wanted) | Self::Plain(wanted) => {
                values().any(|value| *value.as_ref() == *wanted.as_bytes())
            }
            Self::Route(route) => values().any(|value| route.matches(value.as_ref())),
            Self::Prefix(prefix) => {
                values().any(|value| value.as_ref().starts_with(prefix.as_bytes()))
            }
            Self::Suffix(suffix) => {
                values().any(|value| value.as_ref().ends_with(suffix.as_bytes()))
            }
            Self::Regex(pattern) => values().any(|value| pattern.is_match(value.as_ref())),
            Self::Present(wanted) => values().next().is_some() == *wanted,
            Self::Not(text) => !text.matches(values),
            Self::AnyOf(texts) => texts.iter().any(|text| text.matches(values)),
        }
    }
}

impl From<&str> for Text {
    /// Creates a condition that means what `text` alone means in the JSON of a rule.
    ///
    /// A path is a route in axum's syntax, such as `/orders/{id}`; `shop.v1.Orders/*` is every method of a gRPC
    /// service; a host is compared in lower case; anything else is compared byte for byte. [`Text::is`] compares
    /// byte for byte wherever it is.
    ///
    /// ```
    /// use chaos_core::{Matcher, Text};
    ///
    /// // Every order and every cart, each a route.
    /// let both = Text::AnyOf(["/orders/{id}".into(), "/carts/{id}".into()].into());
    /// let matcher = Matcher::new().path(both);
    /// # drop(matcher);
    /// ```
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

impl From<&String> for Text {
    /// Creates a condition that means what `text` alone means in the JSON of a rule.
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl Text {
    /// Returns the size of all compiled regular expressions, in bytes.
    pub(crate) fn expressions(&self) -> u64 {
        match self {
            Self::Regex(pattern) => pattern.size() as u64,
            Self::Not(text) => text.expressions(),
            Self::AnyOf(texts) => texts.iter().map(Self::expressions).sum(),
            _ => 0,
        }
    }

    /// Returns the value of a path's parameter, in the first route that has it and matches.
    pub(crate) fn parameter<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        match self {
            Self::Route(route) => route.parameter(path, name),
            Self::AnyOf(texts) => texts.iter().find_map(|text| text.parameter(path, name)),
            _ => None,
        }
    }

    /// Returns whether every path that satisfies the condition has a parameter of this name.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        match self {
            Self::Route(route) => route.has_parameter(name),
            Self::AnyOf(texts) => texts.iter().all(|text| text.has_parameter(name)),
            _ => false,
        }
    }
}
