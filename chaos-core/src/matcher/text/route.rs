//! A route in axum's syntax: parsing it, and matching paths with it.

use std::fmt;

use crate::{call::bytes::same, error::RuleError};

/// A path in axum's syntax, which `matchit`, axum's own matcher, has accepted.
#[derive(Clone)]
pub struct Route {
    source: Box<str>,
    shape: RouteShape,
}

#[derive(Clone)]
enum RouteShape {
    /// There is no parameter: the route is the only path that it matches.
    Literal,
    /// Every parameter is a whole segment: the literals between them. Most routes are like this,
    /// and matching them is several times faster than asking a router that is made for many routes.
    Between(Box<[Box<str>]>),
    /// Any other route, matched by axum's router.
    Any(Box<matchit::Router<()>>),
}

impl Route {
    /// matchit panics on the 26th parameter of a route.
    const MAX_BRACES: usize = 25;

    /// Parses a route. axum's own matcher has the last word on what is one.
    pub(super) fn new(path: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a path as it is sent, from `/` on and without a query, with axum's \
                           `{param}` for one segment (25 at most) and `{*rest}` for the rest";
            RuleError::new("path", problem, allowed)
        };
        let is_old = |segment: &str| segment.starts_with([':', '*']);
        let problem = if !path.starts_with('/') {
            "does not start with `/`"
        } else if path.split('/').any(is_old) {
            // axum refuses these too: they are parameters in its earlier syntax.
            "has a segment that starts with `:` or `*`"
        } else if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains(['?', '#']) {
            "is not a path as it is sent"
        } else if path.matches('{').count() > Self::MAX_BRACES {
            "has too many parameters"
        } else {
            ""
        };
        if !problem.is_empty() {
            return Err(refuse(format!("{path:?} {problem}")));
        }
        if !path.contains(['{', '}']) {
            // axum's matcher refuses none of these, and making it costs more than all of the rest.
            return Ok(Self {
                source: path.into(),
                shape: RouteShape::Literal,
            });
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
            RouteShape::Between(between.map(Box::from).collect())
        } else {
            RouteShape::Any(Box::new(router))
        };
        Ok(Self {
            source: path.into(),
            shape,
        })
    }

    /// Returns whether `path` matches.
    #[inline(always)]
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        match &self.shape {
            RouteShape::Literal => same(self.source.as_bytes(), path),
            RouteShape::Between(between) => match &**between {
                // Most routes with a parameter end in it.
                [start, end] if end.is_empty() => is_child(path, start.as_bytes()),
                between => matches_between(between, path),
            },
            RouteShape::Any(router) => routes(router, path),
        }
    }

    /// Returns the value of a parameter in a path that matches.
    pub(super) fn parameter<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        match &self.shape {
            RouteShape::Literal => None,
            RouteShape::Any(router) => router.at(path).ok()?.params.get(name),
            RouteShape::Between(between) => {
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

    /// Returns whether the route has a parameter of this name.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        // A doubled brace is an escaped brace, not a parameter.
        let source = self.source.replace("{{", "").replace("}}", "");
        let named = [format!("{{{name}}}"), format!("{{*{name}}}")];
        named.iter().any(|parameter| source.contains(&**parameter))
    }

    /// Returns the only path that it matches, if it has no parameter and no escaped brace. (A route
    /// with an escaped brace matches one path too, but not the one it is written as.)
    pub(crate) fn literal(&self) -> Option<&str> {
        matches!(self.shape, RouteShape::Literal).then_some(&*self.source)
    }

    /// Returns what every path that it matches begins with, up to and including a `/`.
    pub(crate) fn literal_prefix(&self) -> &str {
        let source = self.source.as_bytes();
        let is_brace = |b: &u8| matches!(b, b'{' | b'}');
        let literal = source.iter().position(is_brace).unwrap_or(source.len());
        let slash = source[..literal].iter().rposition(|b| *b == b'/');
        slash.map_or("", |slash| &self.source[..=slash])
    }

    /// Returns the path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

#[inline(never)]
fn matches_between(between: &[Box<str>], path: &[u8]) -> bool {
    passes_between(between, path, |_, _| ())
}

/// Returns whether `path` is these literals with one segment between each two of them, and passes
/// each segment to `segment`. As in axum, a segment may be empty only where a `/` follows it.
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
        let Some((start, rest)) = path.split_at_checked(literal.len()) else {
            return false;
        };
        if !same(start, literal.as_bytes()) {
            return false;
        }
        path = rest;
    }
    path.is_empty()
}

/// Returns whether `path` is `start` and one segment.
#[inline(always)]
fn is_child(path: &[u8], start: &[u8]) -> bool {
    let Some((begin, segment)) = path.split_at_checked(start.len()) else {
        return false;
    };
    if segment.is_empty() || !same(begin, start) {
        return false;
    }
    for byte in segment {
        if *byte == b'/' {
            return false;
        }
    }
    true
}

#[cold]
#[inline(never)]
fn routes(router: &matchit::Router<()>, path: &[u8]) -> bool {
    str::from_utf8(path).is_ok_and(|path| router.at(path).is_ok())
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
        /// The fast path gives the same result as axum's matcher.
        #[test]
        fn a_route_matches_what_axum_matches(
            route in "(/(a|bc|\\{x[0-9]{4}\\}|x\\{y[0-9]{4}\\})?){1,4}(/\\{\\*rest\\})?",
            paths in prop::collection::vec("(/(a|bc|d|xd)?){0,5}", 1..20),
        ) {
            let mut router = matchit::Router::new();
            prop_assume!(router.insert(&route, ()).is_ok());
            let Ok(ours) = Route::new(&route) else {
                return Err(TestCaseError::fail(route));
            };
            for path in paths {
                let expected = router.at(&path).is_ok();
                prop_assert_eq!(ours.matches(path.as_bytes()), expected, "{} over {}", route, path);
            }
        }
    }
}
