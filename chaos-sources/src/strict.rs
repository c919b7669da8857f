//! Conversion of a document in any format to JSON, with an error for anything that JSON cannot
//! express.
//!
//! `serde_json::Value` accepts more: of two fields with one name it keeps the last, and a number
//! that is not finite becomes `null`, which in a rule means a rate of 1.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// The fields whose contents are free-form, so that `null` is a value in them.
const FREE_FORM: [&str; 4] = ["value", "json", "custom", "stats"];

/// The name of the field in which the TOML parser passes a date.
const TOML_DATE: &str = "$__toml_private_datetime";

/// The JSON of a document.
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seed = Seed {
            name: None,
            is_free_form: false,
        };
        seed.deserialize(deserializer).map(Self)
    }
}

/// Deserializes the value of a field, or of an element of a list.
#[derive(Clone, Copy)]
struct Seed<'n> {
    /// The name of the field, for errors.
    name: Option<&'n str>,
    /// Whether an enclosing field is one of [`FREE_FORM`].
    is_free_form: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::custom(format_args!("the number {value} is not finite")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    /// A field without a value is not treated as absent: the file may have been written in part.
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        match self.name {
            _ if self.is_free_form => Ok(Value::Null),
            Some(name) => Err(E::custom(format_args!("the field `{name}` has no value"))),
            None => Err(E::custom("a list element or the document has no value")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == TOML_DATE {
                let problem = "a date or a time is not allowed; allowed: a text, in quotes";
                return Err(A::Error::custom(problem));
            }
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "the field `{name}` occurs twice"
                )));
            }
            let seed = Seed {
                name: Some(&name),
                is_free_form: self.is_free_form || FREE_FORM.contains(&&*name),
            };
            let value = map.next_value_seed(seed)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}
