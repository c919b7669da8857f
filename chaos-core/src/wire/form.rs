//! The types that fields share, and how serde reads them: an object and nothing else, a short form or an
//! object, names of the user's own, a whole number.

use std::{collections::BTreeMap, fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

/// A struct that is read from an object alone: serde would take a list of its fields, too.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// A text or a number as a short form, or an object with all fields.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Form<T> {
    Text(String),
    Number(u64),
    Object(T),
}

impl<T> Default for Form<T> {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Forms<T> {
            type Value = Form<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a short form or an object")
            }

            fn visit_str<E>(self, text: &str) -> Result<Form<T>, E> {
                Ok(Form::Text(text.to_owned()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Form<T>, E> {
                Ok(Form::Number(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Form<T>, E> {
                let whole = whole_of(number).map(Form::Number);
                whole.ok_or_else(|| E::invalid_type(Unexpected::Float(number), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Form::Object)
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

/// An object with names of the user's own; none occurs twice.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Names<V>(pub(super) BTreeMap<String, V>);

impl<V> Default for Names<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Names<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Names<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names<V>, A::Error> {
                let mut names = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if names.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("{name:?} occurs twice")));
                    }
                    names.insert(name, value);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

/// Reads a value that is there: `null` is not taken for a field that is left out.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A size, as a text with a unit or as a number of bytes.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct SizeDoc(String);

impl From<String> for SizeDoc {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for SizeDoc {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SizeDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;

        impl Visitor<'_> for Sizes {
            type Value = SizeDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size or a number of bytes")
            }

            fn visit_str<E>(self, text: &str) -> Result<SizeDoc, E> {
                Ok(SizeDoc(text.to_owned()))
            }

            fn visit_u64<E>(self, bytes: u64) -> Result<SizeDoc, E> {
                Ok(SizeDoc(format!("{bytes}B")))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<SizeDoc, E> {
                let bytes = whole_of(number);
                let bytes =
                    bytes.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))?;
                self.visit_u64(bytes)
            }
        }

        deserializer.deserialize_any(Sizes)
    }
}

/// A whole number. JSON has one kind of number: `1.0` is a whole number, too.
#[derive(Clone, Copy, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Whole<N>(pub(super) N);

impl<'de, N: TryFrom<u64>> Deserialize<'de> for Whole<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers<N>(PhantomData<N>);

        impl<N: TryFrom<u64>> Visitor<'_> for Numbers<N> {
            type Value = Whole<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole<N>, E> {
                let fits = N::try_from(number).map(Whole);
                fits.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole<N>, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole<N>, E> {
                match whole_of(number) {
                    Some(number) => self.visit_u64(number),
                    None => Err(E::invalid_type(Unexpected::Float(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(Numbers(PhantomData))
    }
}

fn whole_of(number: f64) -> Option<u64> {
    // The bound is 2^64, the first number that does not fit.
    let fits = (0.0..u64::MAX as f64).contains(&number) && number.fract() == 0.0;
    fits.then_some(number as u64)
}
