//! The values of a query parameter, which are decoded only where they have to be.

use std::borrow::Cow;

use crate::call::bytes::{has_either, position, same};

/// The bytes with which what they stand for begins.
const ENCODED: [u8; 2] = [b'%', b'+'];

/// The values of one parameter of a query, in order.
pub(crate) struct Values<'a, 'n> {
    /// The pairs that are left.
    query: &'a [u8],
    name: &'n [u8],
    /// Whether no part of the query stands for something else.
    is_plain: bool,
}

/// A value of a query parameter, as bytes that matchers can compare. It is UTF-8.
pub(crate) struct QueryValue<'a>(Cow<'a, [u8]>);

impl<'a, 'n> Values<'a, 'n> {
    #[inline(always)]
    pub(super) fn new(query: &'a str, name: &'n str) -> Self {
        Self {
            query: query.as_bytes(),
            name: name.as_bytes(),
            is_plain: !has_either(query.as_bytes(), ENCODED),
        }
    }
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = QueryValue<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<QueryValue<'a>> {
        while !self.query.is_empty() {
            let end = position(self.query, b'&').unwrap_or(self.query.len());
            let (pair, rest) = self.query.split_at(end);
            self.query = rest.get(1..).unwrap_or(&[]);
            let value = match self.is_plain || !has_either(pair, ENCODED) {
                true => plain(pair, self.name).map(Cow::Borrowed),
                false => decoded(pair, self.name),
            };
            if let Some(value) = value {
                return Some(QueryValue(value));
            }
        }
        None
    }
}

/// Returns the value of a pair that stands for itself, if its name is this.
#[inline(always)]
fn plain<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (known, rest) = pair.split_at_checked(name.len())?;
    if !same(known, name) {
        return None;
    }
    match rest {
        [] => (!pair.is_empty() && position(name, b'=').is_none()).then_some(rest),
        [b'=', value @ ..] => position(name, b'=').is_none().then_some(value),
        _ => None,
    }
}

/// Returns the value of a pair, if its name is this.
#[inline(never)]
fn decoded<'a>(pair: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let (known, value) = form_urlencoded::parse(pair).next()?;
    (known.as_bytes() == name).then(|| match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
        Cow::Owned(value) => Cow::Owned(value.into_bytes()),
    })
}

impl<'a> QueryValue<'a> {
    /// Returns the text.
    pub(crate) fn into_text(self) -> Cow<'a, str> {
        match self.0 {
            Cow::Borrowed(value) => String::from_utf8_lossy(value),
            Cow::Owned(value) => String::from_utf8(value).unwrap_or_default().into(),
        }
    }
}

impl AsRef<[u8]> for QueryValue<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_query_is_read_as_a_form_is(
            query in "(&?(a|b|%61|a%|%4|%FF|\\+)?(=(1|%31|\\+|%|=|>)?)?){0,5}",
        ) {
            for name in ["a", "b", "", " ", "a%", "aa", "a=1"] {
                let values = Values::new(&query, name);
                let pairs = form_urlencoded::parse(query.as_bytes());
                let expected = pairs.filter(|(known, _)| known == name).map(|(_, value)| value);
                let values = values.map(QueryValue::into_text);
                let (values, expected): (Vec<_>, Vec<_>) = (values.collect(), expected.collect());
                prop_assert_eq!(values, expected, "{} in {}", name, query);
            }
        }
    }
}
