//! A document of any format as the JSON that it stands for, or an error where it stands for none.
//!
//! `serde_json::Value` would take more: the last of two fields of one name, and `null` where a number
//! is not finite, which in a rule is a rate of 1.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Below these, what stands there is the user's own, and `null` is a value like others.
const FREE: [&str; 4] = ["value", "json", "custom", "stats"];

/// What a TOML date arrives as.
const TOML_DATE: &str = "$__toml_private_datetime";

pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seed = Seed {
            name: None,
            free: false,
        };
        seed.deserialize(deserializer).map(Self)
    }
}

/// Reads the value of one field, or of none.
#[derive(Clone, Copy)]
struct Seed<'n> {
    name: Option<&'n str>,
    free: bool,
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

    /// A field without a value is not taken for one that was left out: it may be half of one.
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        match self.name {
            _ if self.free => Ok(Value::Null),
            Some(name) => Err(E::custom(format_args!("`{name}` has no value"))),
            None => Err(E::custom("there is no value")),
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
                let problem = "a date or a time of day; write it as a text, in quotes";
                return Err(A::Error::custom(problem));
            }
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` stands twice")));
            }
            let seed = Seed {
                name: Some(&name),
                free: self.free || FREE.contains(&&*name),
            };
            let value = map.next_value_seed(seed)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}
