//! A matcher in the form in which calls are checked: what is common is settled first, and without texts where
//! that can be.
//!
//! It takes the same calls as [`Matcher::matches`], which is the definition, and its twin in tests.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};

use crate::{
    call::Call,
    matcher::{Matcher, text::Text},
};

/// A matcher and what is worked out of it once.
#[derive(Clone, Debug)]
pub(crate) struct CompiledMatcher {
    /// A bit for each [`method`] that satisfies the condition on it.
    methods: u16,
    /// Flags: [`PATH`], [`HEADERS`] and [`OTHERS`].
    has: u8,
    matcher: Arc<Matcher>,
}

/// There is a condition on the path.
const PATH: u8 = 1;
/// There are conditions on headers.
const HEADERS: u8 = 2;
/// There are conditions of other kinds than the method, the path and headers.
const OTHERS: u8 = 4;

/// The methods that have a bit each, in the order of their bits.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::HEAD,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
];
/// The bit of a call that has no method.
const NO_METHOD: u16 = 1 << METHODS.len();
/// The bit of all other methods. It is set only without a condition; with one, they are checked one by one.
const OTHER_METHOD: u16 = NO_METHOD << 1;

/// A number with one bit: that of a method.
pub(crate) type MethodBit = u16;

/// Returns the bit of a method.
#[inline(always)]
pub(crate) fn bit(method: Option<&Method>) -> MethodBit {
    match method {
        Some(&Method::GET) => 1,
        Some(&Method::POST) => 1 << 1,
        Some(&Method::PUT) => 1 << 2,
        Some(&Method::DELETE) => 1 << 3,
        Some(&Method::PATCH) => 1 << 4,
        Some(&Method::HEAD) => 1 << 5,
        Some(&Method::OPTIONS) => 1 << 6,
        Some(&Method::CONNECT) => 1 << 7,
        Some(&Method::TRACE) => 1 << 8,
        Some(_) => OTHER_METHOD,
        None => NO_METHOD,
    }
}

/// A condition that is known to hold for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    Path,
}

impl CompiledMatcher {
    pub(crate) fn new(matcher: &Arc<Matcher>) -> Self {
        let Matcher {
            method,
            path,
            host,
            grpc,
            headers,
            query,
            labels,
        } = &**matcher;
        let others = host.is_some() || grpc.is_some() || !query.is_empty() || !labels.is_empty();
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        Self {
            methods: method.as_ref().map_or(u16::MAX, bits),
            has: flag(path.is_some(), PATH)
                | flag(!headers.is_empty(), HEADERS)
                | flag(others, OTHERS),
            matcher: Arc::clone(matcher),
        }
    }

    /// Returns whether every call matches.
    pub(crate) fn takes_all(&self) -> bool {
        self.methods == u16::MAX && self.has == 0
    }

    /// Returns whether every condition holds for `call`, one of which may be known to hold.
    #[inline]
    pub(crate) fn matches(&self, call: &Call<'_>, known: Known) -> bool {
        self.takes_method(call)
            && (self.has & PATH == 0 || known == Known::Path || self.takes_path(call.path()))
            && (self.has & HEADERS == 0 || self.takes_headers(call))
            && (self.has & OTHERS == 0 || self.matcher.takes_others(call))
    }

    /// Returns whether every condition holds for an HTTP request, if that is known from its method and its path.
    #[inline(always)]
    pub(crate) fn takes_by(&self, method: MethodBit, path: &str) -> Option<bool> {
        let takes_method = self.methods & method != 0;
        if !takes_method && method != OTHER_METHOD
            || self.has & PATH != 0 && !self.takes_path(Some(path))
        {
            return Some(false);
        }
        (takes_method && self.has & (HEADERS | OTHERS) == 0).then_some(true)
    }

    #[inline(always)]
    fn takes_method(&self, call: &Call<'_>) -> bool {
        let bit = bit(call.http_method());
        self.methods & bit != 0 || bit == OTHER_METHOD && self.takes_other_method(call)
    }

    /// Checks the condition on the method for a method without a bit.
    #[cold]
    #[inline(never)]
    fn takes_other_method(&self, call: &Call<'_>) -> bool {
        let text = self.matcher.method.as_ref();
        text.is_none_or(|text| text.matches(&|| call.method().into_iter()))
    }

    #[inline(never)]
    fn takes_path(&self, path: Option<&str>) -> bool {
        match (&self.matcher.path, path) {
            (None, _) => true,
            (Some(Text::Route(route)), Some(path)) => route.matches(path.as_bytes()),
            (Some(Text::Is(wanted)), Some(path)) => same(wanted.as_bytes(), path.as_bytes()),
            (Some(text), path) => text.matches(&|| path.into_iter()),
        }
    }

    #[inline(never)]
    fn takes_headers(&self, call: &Call<'_>) -> bool {
        let mut conditions = self.matcher.headers.iter();
        let Some(headers) = call.headers() else {
            let none = || std::iter::empty::<&[u8]>();
            return conditions.all(|(_, text)| text.matches(&none));
        };
        conditions.all(|(name, text)| match text {
            Text::Is(wanted) if headers.len() == headers.keys_len() => {
                has(headers, name, wanted.as_bytes())
            }
            text => is_satisfied(text, headers, name),
        })
    }
}

#[inline(never)]
fn is_satisfied(text: &Text, headers: &HeaderMap, name: &HeaderName) -> bool {
    text.matches(&|| headers.get_all(name).iter())
}

/// Returns whether two values are equal. Short ones are compared sooner than by a call of `memcmp`.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() > 32 {
        return a == b;
    }
    let ((words_a, rest_a), (words_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    (words_a.iter().zip(words_b)).all(|(a, b)| word(a) == word(b))
        && (rest_a.iter().zip(rest_b)).all(|(a, b)| a == b)
}

/// Returns the bits of the methods that satisfy a condition.
fn bits(text: &Text) -> u16 {
    let is_taken = |method: Option<&str>| text.matches(&|| method.into_iter());
    let taken = METHODS
        .iter()
        .filter(|method| is_taken(Some(method.as_str())));
    let taken = taken.fold(0, |bits, method| bits | bit(Some(method)));
    taken | if is_taken(None) { NO_METHOD } else { 0 }
}

/// Returns whether a header's value is `wanted`, where no header has several values.
#[inline(always)]
fn has(headers: &HeaderMap, name: &HeaderName, wanted: &[u8]) -> bool {
    let value = headers.get(name);
    value.is_some_and(|value| same(value.as_bytes(), wanted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matcher::strategies::{facts, matcher};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn a_compiled_matcher_takes_the_calls_that_the_matcher_takes(
            matchers in prop::collection::vec(matcher(), 1..8),
            calls in prop::collection::vec(facts(), 1..8),
        ) {
            for matcher in matchers {
                let matcher = Arc::new(matcher);
                let compiled = CompiledMatcher::new(&matcher);
                for facts in &calls {
                    let call = facts.call();
                    let expected = matcher.matches(&call);
                    let matches = compiled.matches(&call, Known::Nothing);
                    prop_assert_eq!(matches, expected, "{:?} on {:?}", matcher, facts);
                    let Some(path) = call.path() else {
                        continue;
                    };
                    match compiled.takes_by(bit(call.http_method()), path) {
                        Some(takes) => prop_assert_eq!(takes, expected),
                        None => prop_assert_eq!(compiled.matches(&call, Known::Path), expected),
                    }
                }
            }
        }
    }

    #[test]
    fn each_method_has_a_bit() {
        for (at, method) in METHODS.iter().enumerate() {
            assert_eq!(bit(Some(method)), 1 << at);
        }
        let other = Method::from_bytes(b"PURGE").unwrap();
        assert_eq!(bit(Some(&other)), OTHER_METHOD);
    }
}
