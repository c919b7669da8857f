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
#[non_exhaustive]
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
    ///
    /// A value that is no text (a header may be anything) is there, and matches no expression.
    pub(crate) fn matches<V, I>(&self, values: &impl Fn() -> I) -> bool
    where
        V: AsRef<[u8]>,
        I: Iterator<Item = V>,
    {
        match self {
            Self::Is(wanted) => values().any(|value| *value.as_ref() == *wanted.as_bytes()),
            Self::Route(route) => values().any(|value| route.matches(value.as_ref())),
            Self::Prefix(prefix) => {
                values().any(|value| value.as_ref().starts_with(prefix.as_bytes()))
            }
            Self::Suffix(suffix) => {
                values().any(|value| value.as_ref().ends_with(suffix.as_bytes()))
            }
            Self::Regex(pattern) => values().any(|value| {
                str::from_utf8(value.as_ref()).is_ok_and(|text| pattern.0.is_match(text))
            }),
            Self::Present(wanted) => values().next().is_some() == *wanted,
            Self::Not(text) => !text.matches(values),
            Self::AnyOf(texts) => texts.iter().any(|text| text.matches(values)),
        }
    }
}

impl Text {
    /// The value of a path's parameter, of the first route that has it and fits.
    pub(crate) fn parameter<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        match self {
            Self::Route(route) => route.parameter(path, name),
            Self::AnyOf(texts) => texts.iter().find_map(|text| text.parameter(path, name)),
            _ => None,
        }
    }

    /// Whether every path that fits has that parameter.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        match self {
            Self::Route(route) => {
                // What is doubled is a brace, and no parameter.
                let source = route.source.replace("{{", "").replace("}}", "");
                let named = [format!("{{{name}}}"), format!("{{*{name}}}")];
                named.iter().any(|parameter| source.contains(&**parameter))
            }
            Self::AnyOf(texts) => texts.iter().all(|text| text.has_parameter(name)),
            _ => false,
        }
    }
}

/// A compiled regular expression that remembers how it was written.
#[derive(Clone)]
pub struct Pattern(regex_lite::Regex);

impl Pattern {
    /// What a compiled expression may weigh: `(a{1000}){1000}` is refused, not built.
    const SIZE_LIMIT: usize = 32 * 1024;
    const MAX_LENGTH: usize = 1024;

    fn new(pattern: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a regular expression of at most 1024 characters, without look-around \
                           or back references, that compiles to at most 32 KiB";
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

/// A path in axum's syntax. axum's own matcher says what is a route.
#[derive(Clone)]
pub struct Route {
    source: Box<str>,
    shape: Shape,
}

#[derive(Clone)]
enum Shape {
    /// Every parameter is a whole segment: what stands between them. This is most routes, and
    /// several times quicker than asking a router that was made for many.
    Between(Box<[Box<str>]>),
    Any(matchit::Router<()>),
}

impl Route {
    /// matchit panics on the 26th parameter.
    const MAX_BRACES: usize = 25;

    fn new(path: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a path as it is sent, from `/` on and without a query, with axum's \
                           `{param}` for one segment (25 at most) and `{*rest}` for the rest";
            RuleError::new("path", problem, allowed)
        };
        let is_old = |segment: &str| segment.starts_with([':', '*']);
        let problem = if !path.starts_with('/') {
            "does not start with `/`"
        } else if path.split('/').any(is_old) {
            // axum refuses these too: they are parameters in its older syntax.
            "has a segment that starts with `:` or `*`"
        } else if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains(['?', '#']) {
            "is no path as it is sent"
        } else if path.matches('{').count() > Self::MAX_BRACES {
            "has too many parameters"
        } else {
            ""
        };
        if !problem.is_empty() {
            return Err(refuse(format!("{path:?} {problem}")));
        }
        let mut router = matchit::Router::new();
        router
            .insert(path, ())
            .map_err(|error| refuse(error.to_string()))?;
        let is_plain = |segment: &str| !segment.contains(['{', '}']);
        let is_parameter = |segment: &str| {
            let name = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            name.is_some_and(|name| is_plain(name) && !name.starts_with('*'))
        };
        let shape = if path
            .split('/')
            .all(|part| is_plain(part) || is_parameter(part))
        {
            let between = path
                .split('{')
                .map(|part| part.split_once('}').map_or(part, |p| p.1));
            Shape::Between(between.map(Box::from).collect())
        } else {
            Shape::Any(router)
        };
        Ok(Self {
            source: path.into(),
            shape,
        })
    }

    fn matches(&self, path: &[u8]) -> bool {
        match &self.shape {
            Shape::Between(between) => matches_between(between, path),
            Shape::Any(router) => str::from_utf8(path).is_ok_and(|path| router.at(path).is_ok()),
        }
    }

    /// The value of a parameter in a path that fits.
    fn parameter<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        match &self.shape {
            Shape::Any(router) => router.at(path).ok()?.params.get(name),
            Shape::Between(between) => {
                let names = self.source.split('{').skip(1);
                let mut names = names.filter_map(|part| part.split('}').next());
                let wanted = names.position(|known| known == name)?;
                let mut found = None;
                let each = |at, value| {
                    if at == wanted {
                        found = Some(value);
                    }
                };
                passes_between(between, path.as_bytes(), each).then_some(())?;
                str::from_utf8(found?).ok()
            }
        }
    }

    /// The one path that it matches, if it has no parameter. (Or an escape: that is none either,
    /// but then it is not matched as it was written.)
    pub(crate) fn literal(&self) -> Option<&str> {
        let source = &*self.source;
        (!source.contains(['{', '}'])).then_some(source)
    }

    /// What every path begins with that it matches, up to a `/`.
    pub(crate) fn literal_prefix(&self) -> &str {
        let literal = self.source.find(['{', '}']).unwrap_or(self.source.len());
        let slash = self.source[..literal].rfind('/');
        slash.map_or("", |slash| &self.source[..=slash])
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

fn matches_between(between: &[Box<str>], path: &[u8]) -> bool {
    passes_between(between, path, |_, _| ())
}

/// Whether `path` is these literals with one segment between each two of them, and what those are.
/// As in axum, a segment may be empty where a `/` follows it, and only there.
#[inline(always)]
fn passes_between<'p>(
    between: &[Box<str>],
    mut path: &'p [u8],
    mut segment: impl FnMut(usize, &'p [u8]),
) -> bool {
    for (at, literal) in between.iter().enumerate() {
        if at > 0 {
            if path.is_empty() {
                return false;
            }
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            let (value, rest) = path.split_at(end);
            segment(at - 1, value);
            path = rest;
        }
        match path.strip_prefix(literal.as_bytes()) {
            Some(rest) => path = rest,
            None => return false,
        }
    }
    path.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The quick way says what axum's matcher says.
        #[test]
        fn a_route_matches_what_axum_matches(
            route in "(/(a|bc|\\{x[0-9]{4}\\}|x\\{y[0-9]{4}\\})?){1,4}(/\\{\\*rest\\})?",
            paths in prop::collection::vec("(/(a|bc|d|xd)?){0,5}", 1..20),
        ) {
            let mut router = matchit::Router::new();
            prop_assume!(router.insert(&route, ()).is_ok());
            let Ok(Text::Route(ours)) = Text::route(&route) else {
                return Err(TestCaseError::fail(route));
            };
            for path in paths {
                let expected = router.at(&path).is_ok();
                prop_assert_eq!(ours.matches(path.as_bytes()), expected, "{} over {}", route, path);
            }
        }
    }
}
