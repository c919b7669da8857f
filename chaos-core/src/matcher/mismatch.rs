//! Which conditions of a matcher a call does not satisfy. It is beside the path of calls, which ask
//! [`CompiledMatcher`](super::compiled::CompiledMatcher) and learn no more than yes or no.

use crate::{
    call::{Call, cut},
    matcher::{Matcher, text::Text},
};

/// How many values of a call a mismatch keeps.
const MOST_VALUES: usize = 8;

/// A condition of a matcher that does not hold for a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The path of the field in the JSON of the rule, such as `match.headers.x-user-id`.
    pub field: String,
    /// The condition.
    pub wanted: Text,
    /// The values that the call has; empty if it has none. Bytes that are no UTF-8 are replaced. The first 256 bytes of the
    /// first eight values are kept.
    pub got: Vec<String>,
}

impl Matcher {
    /// Returns the conditions that do not hold for `call`, in the order of the fields of this type.
    pub(crate) fn mismatches(&self, call: &Call<'_>) -> Vec<Mismatch> {
        let mut found = Mismatches(Vec::new());
        let rare = |text: &Option<Box<Text>>| text.as_deref().cloned();
        let request = [
            ("method", self.method.clone(), call.method().map(Vec::from)),
            ("path", self.path.clone(), call.path().map(Vec::from)),
            (
                "host",
                rare(&self.host),
                call.host().map(|host| host.as_ref().to_vec()),
            ),
            ("grpc", rare(&self.grpc), call.grpc().map(Vec::from)),
        ];
        for (name, text, value) in request {
            if let Some(text) = text {
                found.check(name, &text, value.into_iter().collect());
            }
        }
        for (name, text) in &self.headers {
            let values = call.header(name).map(|value| value.as_bytes().to_vec());
            found.check(&format!("headers.{name}"), text, values.collect());
        }
        for (name, text) in &self.query {
            let values = call.query(name).map(|value| value.as_ref().to_vec());
            found.check(&format!("query.{name}"), text, values.collect());
        }
        for (name, text) in &self.labels {
            let values = call.label(name).map(Vec::from);
            found.check(
                &format!("labels.{name}"),
                text,
                values.into_iter().collect(),
            );
        }
        found.0
    }
}

struct Mismatches(Vec<Mismatch>);

impl Mismatches {
    fn check(&mut self, name: &str, text: &Text, values: Vec<Vec<u8>>) {
        if text.matches(&|| values.iter()) {
            return;
        }
        let got = values.iter().take(MOST_VALUES);
        let got = got.map(|value| cut(String::from_utf8_lossy(value)).into_owned());
        self.0.push(Mismatch {
            field: format!("match.{name}"),
            wanted: text.clone(),
            got: got.collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::matcher::strategies::{facts, matcher};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn a_call_that_does_not_match_has_a_mismatch(
            matchers in prop::collection::vec(matcher(), 1..8),
            calls in prop::collection::vec(facts(), 1..8),
        ) {
            for matcher in &matchers {
                for facts in &calls {
                    let (call, mismatches) = (facts.call(), matcher.mismatches(&facts.call()));
                    let matches = matcher.matches(&call);
                    prop_assert_eq!(matches, mismatches.is_empty(), "{:?}", mismatches);
                }
            }
        }
    }
}
