//! Where in a text a field stands.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A step to a field.
enum Step<'f> {
    Name(&'f str),
    Index(usize),
}

/// Returns the way to a field such as `phases[0].rules[1].rate`.
fn steps(field: &str) -> Vec<Step<'_>> {
    let parts = field.split(['.', '[']).filter(|part| !part.is_empty());
    let step = |part: &'_ str| match part.strip_suffix(']') {
        Some(index) => index.parse().ok().map(Step::Index),
        None => None,
    };
    parts
        .map(|part| step(part).unwrap_or(Step::Name(part)))
        .collect()
}

/// Finds the place of a field, or if it is not there the place of what it should be in. `fail` reads the text with a
/// probe, which fails where the field stands, and returns the place of the failure.
pub(super) fn find(
    field: &str,
    fail: impl Fn(FieldProbe<'_>) -> Option<(u64, u64)>,
) -> Option<(u64, u64)> {
    let steps = steps(field);
    let shorter = (1..=steps.len()).rev();
    shorter
        .map(|length| FieldProbe(&steps[..length]))
        .find_map(fail)
}

/// Reads a text up to a field, and fails there; succeeds if there is no such field.
#[derive(Clone, Copy)]
pub(super) struct FieldProbe<'f>(&'f [Step<'f>]);

impl<'de> DeserializeSeed<'de> for FieldProbe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            [] => deserializer.deserialize_any(Nothing),
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// Accepts nothing, so that the parser fails at the value, and says where that is.
struct Nothing;

impl Visitor<'_> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

impl<'de> Visitor<'de> for FieldProbe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match self.0 {
                [Step::Name(wanted), rest @ ..] if name == *wanted => {
                    map.next_value_seed(FieldProbe(rest))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let [Step::Index(index), rest @ ..] = self.0 {
            for _ in 0..*index {
                list.next_element::<IgnoredAny>()?;
            }
            list.next_element_seed(FieldProbe(rest))?;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
