//! A matcher in the form in which calls are checked: what is common is settled first, and without texts where
//! that can be.
//!
//! It takes the same calls as [`Matcher::matches`], which is the definition, and its twin in tests.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};

use crate::{
    call::{Call, are_few, bytes::same},
    matcher::{Matcher, text::Text},
};

/// A matcher and what is worked out of it once.
#[derive(Clone, Debug)]
pub(crate) struct CompiledMatcher {
    /// A bit for each [`method`] that satisfies the condition on it.
    methods: u16,
    /// The kinds of the conditions that there are.
    has: Kinds,
    matcher: Arc<Matcher>,
}

/// Kinds of conditions, as flags: [`METHOD`] and the others below.
type Kinds = u8;
const METHOD: Kinds = 1;
const PATH: Kinds = 1 << 1;
const HEADERS: Kinds = 1 << 2;
const HOST: Kinds = 1 << 3;
const LABELS: Kinds = 1 << 4;
const QUERY: Kinds = 1 << 5;
const GRPC: Kinds = 1 << 6;

/// The kinds of which all conditions of a matcher are known to hold for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known(Kinds);

impl Known {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const METHOD: Self = Self(METHOD);
    pub(crate) const PATH: Self = Self(PATH);
    pub(crate) const METHOD_AND_PATH: Self = Self(METHOD | PATH);
    pub(crate) const HEADERS: Self = Self(HEADERS);
    pub(crate) const HOST: Self = Self(HOST);
    pub(crate) const LABELS: Self = Self(LABELS);
    pub(crate) const QUERY: Self = Self(QUERY);
}

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
pub(crate) const OTHER_METHOD: u16 = NO_METHOD << 1;

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
        let flag = |is_set, kind| if is_set { kind } else { 0 };
        Self {
            methods: method.as_ref().map_or(u16::MAX, bits),
            has: flag(method.is_some(), METHOD)
                | flag(path.is_some(), PATH)
                | flag(!headers.is_empty(), HEADERS)
                | flag(host.is_some(), HOST)
                | flag(!labels.is_empty(), LABELS)
                | flag(!query.is_empty(), QUERY)
                | flag(grpc.is_some(), GRPC),
            matcher: Arc::clone(matcher),
        }
    }

    /// Returns whether every call matches.
    pub(crate) fn takes_all(&self) -> bool {
        self.has == 0
    }

    /// Returns the matcher that was compiled.
    pub(crate) fn definition(&self) -> &Matcher {
        &self.matcher
    }

    /// Returns whether there is a condition on the method or the path.
    pub(crate) fn reads_method_or_path(&self) -> bool {
        self.has & (METHOD | PATH) != 0
    }

    /// Returns whether there are no other conditions than those that are known to hold.
    #[inline(always)]
    pub(crate) fn is_settled(&self, known: Known) -> bool {
        self.has & !known.0 == 0
    }

    /// Returns whether every condition holds for `call`, of which those of some kinds may be known to hold.
    #[inline(always)]
    pub(crate) fn matches(&self, call: &Call<'_>, known: Known) -> bool {
        let open = self.has & !known.0;
        (open & METHOD == 0 || self.takes_method(call))
            && (open & PATH == 0 || self.takes_path_of(call))
            && (open & HEADERS == 0 || self.takes_headers(call))
            && (open & !(METHOD | PATH | HEADERS) == 0 || self.takes_others(call, open))
    }

    /// Returns whether every condition holds for an HTTP request, if that is known from its method and its path.
    #[inline(always)]
    pub(crate) fn takes_by(&self, method: MethodBit, path: &str) -> Option<bool> {
        let takes_method = self.methods & method != 0;
        if !takes_method && method != OTHER_METHOD || self.has & PATH != 0 && !self.takes_path(path)
        {
            return Some(false);
        }
        (takes_method && self.has & !(METHOD | PATH) == 0).then_some(true)
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
    fn takes_path_of(&self, call: &Call<'_>) -> bool {
        match call.path() {
            Some(path) => self.takes_path(path),
            None => {
                let text = self.matcher.path.as_ref();
                text.is_none_or(|text| text.matches(&|| None::<&str>.into_iter()))
            }
        }
    }

    #[inline(never)]
    fn takes_path(&self, path: &str) -> bool {
        match &self.matcher.path {
            Some(Text::Route(route)) => route.matches(path.as_bytes()),
            Some(Text::Is(wanted)) => same(wanted.as_bytes(), path.as_bytes()),
            Some(text) => takes_text(text, path),
            None => true,
        }
    }

    #[inline(never)]
    fn takes_headers(&self, call: &Call<'_>) -> bool {
        match (call.headers(), &*self.matcher.headers) {
            // Most rules that look at headers want one value of one.
            (Some(headers), [(name, Text::Is(wanted))]) if are_few(headers) => {
                has(headers, name, wanted)
            }
            (headers, conditions) => satisfy(headers, conditions),
        }
    }

    /// Checks those of the conditions of the kinds `open` that are on neither the method nor the path nor
    /// headers. The cheap ones are checked first.
    #[inline(never)]
    fn takes_others(&self, call: &Call<'_>, open: Kinds) -> bool {
        fn holds<'c>(text: &Option<Box<Text>>, value: impl Fn() -> Option<&'c str>) -> bool {
            (text.as_ref()).is_none_or(|text| text.matches(&|| value().into_iter()))
        }
        let matcher = &*self.matcher;
        let (mut labels, mut query) = (matcher.labels.iter(), matcher.query.iter());
        (open & HOST == 0
            || (matcher.host.as_ref()).is_none_or(|text| text.matches(&|| call.host().into_iter())))
            && (open & LABELS == 0
                || labels.all(|(name, text)| text.matches(&|| call.label(name).into_iter())))
            && (open & QUERY == 0 || query.all(|(name, text)| text.matches(&|| call.query(name))))
            && (open & GRPC == 0 || holds(&matcher.grpc, || call.grpc()))
    }
}

#[inline(never)]
fn takes_text(text: &Text, value: &str) -> bool {
    text.matches(&|| Some(value).into_iter())
}

/// Returns whether a header has this value, by a look at each.
#[inline(always)]
fn has(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let (name, wanted) = (name.as_str().as_bytes(), wanted.as_bytes());
    for (other, value) in headers {
        // The value first: most others have another length.
        if same(value.as_bytes(), wanted) && same(other.as_str().as_bytes(), name) {
            return true;
        }
    }
    false
}

/// Returns whether headers, if there are any, satisfy all conditions.
#[inline(never)]
fn satisfy(headers: Option<&HeaderMap>, conditions: &[(HeaderName, Text)]) -> bool {
    conditions.iter().all(|(name, text)| match (headers, text) {
        (Some(headers), Text::Is(wanted)) if are_few(headers) => has(headers, name, wanted),
        (Some(headers), Text::Is(wanted)) if headers.len() == headers.keys_len() => {
            let value = headers.get(name);
            value.is_some_and(|value| same(value.as_bytes(), wanted.as_bytes()))
        }
        (headers, text) => text.matches(&|| {
            headers
                .into_iter()
                .flat_map(|headers| headers.get_all(name))
        }),
    })
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
                    let matches = compiled.matches(&call, Known::NOTHING);
                    prop_assert_eq!(matches, expected, "{:?} on {:?}", matcher, facts);
                    let Some(path) = call.path() else {
                        continue;
                    };
                    match compiled.takes_by(bit(call.http_method()), path) {
                        Some(takes) => prop_assert_eq!(takes, expected),
                        None => {
                            let known = match bit(call.http_method()) {
                                OTHER_METHOD => Known::PATH,
                                _ => Known::METHOD_AND_PATH,
                            };
                            prop_assert_eq!(compiled.matches(&call, known), expected);
                        }
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
