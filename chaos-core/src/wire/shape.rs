//! The form of a document as data: which fields it has, what each one means and what it accepts. The
//! texts of errors and the JSON Schema are made of it.
//!
//! This file knows no document: each describes itself, by the macro of `document.rs`.

use std::{borrow::Cow, fmt};

use serde_json::{Map, Value, json};

use crate::error::RuleError;

/// An object with known fields.
pub(super) struct Document {
    /// The name of its definition in the schema.
    pub(super) name: &'static str,
    /// What it means: the lines of its doc comment.
    pub(super) about: &'static [&'static str],
    pub(super) fields: &'static [Field],
    /// Which fields exclude or need each other.
    pub(super) note: &'static str,
    /// What names that are no fields stand for, if there may be any.
    pub(super) rest: Option<Shape>,
    /// A JSON array.
    pub(super) examples: &'static str,
}

/// A field of a document.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What it means: the lines of its doc comment.
    pub(super) about: &'static [&'static str],
    pub(super) shape: Shape,
    pub(super) presence: Presence,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Presence {
    Required,
    Optional,
    /// Accepted with any value, and not read.
    Ignored,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// In words, for errors and descriptions. Derived from the kind if it is empty.
    allowed: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Any,
    /// Anything but null.
    Json,
    Flag,
    /// From 0, or above it, to a bound.
    Number(Above0, f64),
    Whole(u64, u64),
    /// A format that only readers of the description know, and a pattern, either of which may be empty; and the
    /// most characters.
    Text(&'static str, &'static str, usize),
    /// One of these texts.
    Word(fn() -> Vec<&'static str>),
    /// A list with bounds on its length.
    List(&'static Shape, usize, usize),
    /// An object with names that match a pattern, unless that is empty.
    Map(&'static str, &'static Shape),
    Object(fn() -> &'static Document),
    Either(&'static [Shape]),
}

type Above0 = bool;

/// The definitions of a schema, by name.
pub(super) type Definitions = Map<String, Value>;

impl Shape {
    pub(super) const ANY: Self = Self::of(Kind::Any);
    /// Any JSON but null.
    pub(super) const JSON: Self = Self::of(Kind::Json);
    pub(super) const FLAG: Self = Self::of(Kind::Flag);
    /// A share, from 0 to 1.
    pub(super) const SHARE: Self = Self::of(Kind::Number(false, 1.0));
    /// A whole number, 1 or more.
    pub(super) const COUNT: Self = Self::whole(1, u64::MAX);
    /// A whole number of 32 bits, 1 or more.
    pub(super) const COUNT_32: Self = Self::whole(1, u32::MAX as u64);
    /// Any text.
    pub(super) const TEXT: Self = Self::text("a text", "", "");

    const fn of(kind: Kind) -> Self {
        Self { allowed: "", kind }
    }

    /// Says in other words what is accepted.
    pub(super) const fn allowing(self, allowed: &'static str) -> Self {
        Self { allowed, ..self }
    }

    pub(super) const fn number(max: f64) -> Self {
        Self::of(Kind::Number(false, max))
    }

    pub(super) const fn above_0(max: f64) -> Self {
        Self::of(Kind::Number(true, max))
    }

    pub(super) const fn whole(min: u64, max: u64) -> Self {
        Self::of(Kind::Whole(min, max))
    }

    pub(super) const fn text(
        allowed: &'static str,
        format: &'static str,
        pattern: &'static str,
    ) -> Self {
        Self::of(Kind::Text(format, pattern, usize::MAX)).allowing(allowed)
    }

    /// Bounds the length of a text. A bound in bytes holds for its characters too, which are no more.
    pub(super) const fn at_most(self, most: usize) -> Self {
        match self.kind {
            Kind::Text(format, pattern, _) => Self {
                kind: Kind::Text(format, pattern, most),
                ..self
            },
            _ => self,
        }
    }

    pub(super) const fn word(words: fn() -> Vec<&'static str>) -> Self {
        Self::of(Kind::Word(words))
    }

    pub(super) const fn list(of: &'static Self, least: usize, most: usize) -> Self {
        Self::of(Kind::List(of, least, most))
    }

    pub(super) const fn map(names: &'static str, of: &'static Self) -> Self {
        Self::of(Kind::Map(names, of))
    }

    pub(super) const fn object(document: fn() -> &'static Document) -> Self {
        Self::of(Kind::Object(document))
    }

    pub(super) const fn either(shapes: &'static [Self]) -> Self {
        Self::of(Kind::Either(shapes))
    }

    /// Returns what is accepted, in words.
    pub(super) fn allowed(&self) -> Cow<'static, str> {
        if !self.allowed.is_empty() {
            return self.allowed.into();
        }
        match self.kind {
            Kind::Any => "any JSON".into(),
            Kind::Json => "any JSON but null".into(),
            Kind::Flag => "true or false".into(),
            Kind::Number(false, max) => format!("a number from 0 to {max}").into(),
            Kind::Number(true, max) => format!("a number above 0 and at most {max}").into(),
            // Whatever the type of the number can hold.
            Kind::Whole(min, max) if max >= u64::from(u32::MAX) => {
                format!("a whole number, {min} or more").into()
            }
            Kind::Whole(min, max) => format!("a whole number, {min} to {max}").into(),
            Kind::Text(..) => "a text".into(),
            Kind::Word(words) => {
                let words: Vec<_> = words().iter().map(|word| format!("{word:?}")).collect();
                words.join(", ").into()
            }
            Kind::List(of, ..) => format!("a list, each of it {}", of.allowed()).into(),
            Kind::Map(_, of) => format!("an object of names, each with {}", of.allowed()).into(),
            Kind::Object(document) => document().allowed().into(),
            Kind::Either(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(Self::allowed).collect();
                shapes.join(", or ").into()
            }
        }
    }

    /// Returns the shape of a part: of a field or a name, or of any element where `name` is none.
    pub(super) fn part(&self, name: Option<&str>) -> Option<&'static Self> {
        match self.kind {
            Kind::List(of, ..) if name.is_none() => Some(of),
            Kind::Map(_, of) if name.is_some() => Some(of),
            Kind::Object(document) => match document().field(name?) {
                Some(field) => Some(&field.shape),
                None => document().rest.as_ref(),
            },
            Kind::Either(shapes) => shapes.iter().find_map(|shape| shape.part(name)),
            _ => None,
        }
    }

    /// Returns the names of its fields that have a field `name` within them.
    pub(super) fn fields_that_have(&self, name: &str) -> Vec<&'static str> {
        let Kind::Object(document) = self.kind else {
            return Vec::new();
        };
        let fields = document().fields.iter();
        let fields = fields.filter(|field| field.shape.has_field(name));
        fields.map(|field| field.name).collect()
    }

    fn has_field(&self, name: &str) -> bool {
        match self.kind {
            Kind::List(of, ..) => of.has_field(name),
            Kind::Object(document) => document().field(name).is_some(),
            Kind::Either(shapes) => shapes.iter().any(|shape| shape.has_field(name)),
            _ => false,
        }
    }

    /// Returns the schemas of what it is one of. Their types differ: of several forms, clients that are
    /// generated tell apart a text, a number, a list and an object, and no more.
    fn options(&self, definitions: &mut Definitions) -> Vec<Value> {
        match self.kind {
            Kind::Either(shapes) => {
                let options = shapes.iter().map(|shape| shape.options(definitions));
                options.flatten().collect()
            }
            _ => vec![self.schema(definitions)],
        }
    }

    /// Returns the JSON Schema of it. Documents are put among the definitions, and referred to.
    pub(super) fn schema(&self, definitions: &mut Definitions) -> Value {
        match self.kind {
            Kind::Any => json!({}),
            // Generated clients write null for what is left out wherever a schema allows it.
            Kind::Json => json!({ "oneOf": [
                { "type": "string" },
                { "type": "number" },
                { "type": "boolean" },
                { "type": "array", "items": {} },
                { "type": "object" },
            ] }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Number(above, max) => {
                let least = if above { "exclusiveMinimum" } else { "minimum" };
                json!({ "type": "number", (least): 0, "maximum": max })
            }
            Kind::Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Kind::Text(format, pattern, most) => {
                let mut schema = json!({ "type": "string" });
                for (key, value) in [("format", format), ("pattern", pattern)] {
                    if !value.is_empty() {
                        schema[key] = value.into();
                    }
                }
                if most < usize::MAX {
                    schema["maxLength"] = most.into();
                }
                schema
            }
            Kind::Word(words) => json!({ "type": "string", "enum": words() }),
            Kind::List(of, least, most) => {
                let mut schema = json!({ "type": "array", "items": of.schema(definitions) });
                if least > 0 {
                    schema["minItems"] = least.into();
                }
                if most < usize::MAX {
                    schema["maxItems"] = most.into();
                }
                schema
            }
            Kind::Map(names, of) => {
                let of = of.schema(definitions);
                let mut schema = json!({ "type": "object", "additionalProperties": of });
                if !names.is_empty() {
                    schema["propertyNames"] = json!({ "pattern": names });
                }
                schema
            }
            Kind::Object(document) => document().reference(definitions),
            Kind::Either(_) => json!({ "oneOf": self.options(definitions) }),
        }
    }
}

impl Document {
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns what a field accepts, in words.
    fn allowed_of(&self, field: &str) -> Cow<'static, str> {
        match self.field(field) {
            Some(field) => field.shape.allowed(),
            None => self.allowed().into(),
        }
    }

    fn names(&self, presence: Presence) -> Vec<&'static str> {
        let fields = self.fields.iter();
        let fields = fields.filter(|field| field.presence == presence);
        fields.map(|field| field.name).collect()
    }

    fn allowed(&self) -> String {
        let required = self.names(Presence::Required).join(", ");
        let optional = self.names(Presence::Optional).join(", ");
        let mut allowed = match (&*required, &*optional) {
            (required, "") => format!("an object with {required}"),
            ("", optional) => format!("an object with any of {optional}"),
            (required, optional) => {
                format!("an object with {required}, and optionally {optional}")
            }
        };
        if !self.note.is_empty() {
            allowed.push_str("; ");
            allowed.push_str(self.note);
        }
        allowed
    }

    /// Puts the schema among the definitions, once, and returns a reference to it.
    pub(super) fn reference(&self, definitions: &mut Definitions) -> Value {
        if !definitions.contains_key(self.name) {
            // It may refer to itself.
            definitions.insert(self.name.to_owned(), Value::Null);
            let schema = self.schema(definitions);
            definitions.insert(self.name.to_owned(), schema);
        }
        json!({ "$ref": format!("#/$defs/{}", self.name) })
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut properties = Map::new();
        for field in self.fields {
            let mut schema = field.shape.schema(definitions);
            // What stands beside a reference is lost on many who read it.
            if schema.get("$ref").is_none() {
                let allowed = field.shape.allowed();
                schema["description"] = sentence(field.about, &allowed).into();
            }
            properties.insert(field.name.to_owned(), schema);
        }
        let mut about = joined(self.about);
        if !self.note.is_empty() {
            about = format!("{about} It has {}.", self.note);
        }
        let rest = self.rest.map(|rest| rest.schema(definitions));
        let mut schema = json!({
            "description": about,
            "type": "object",
            "additionalProperties": rest.unwrap_or(Value::Bool(false)),
            "properties": properties,
        });
        let required = self.names(Presence::Required);
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if !self.examples.is_empty() {
            let examples: Value = serde_json::from_str(self.examples)
                .expect("the examples are JSON: a test reads them");
            schema["examples"] = examples;
        }
        schema
    }
}

fn joined(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

fn sentence(about: &[&str], allowed: &str) -> String {
    format!("{} Accepts {allowed}.", joined(about))
        .trim_start()
        .to_owned()
}

/// A struct that the macro `document!` has made.
pub(super) trait Documented: Sized {
    /// The shape of the whole document.
    const SHAPE: Shape = Shape::object(Self::document);

    fn document() -> &'static Document;

    /// Returns an error at a field, with what the field accepts.
    fn refuse(field: &'static str, problem: impl fmt::Display) -> RuleError {
        RuleError::new(field, problem, Self::document().allowed_of(field))
    }

    /// Moves an error to a field, wherever it was before.
    fn at(field: &'static str) -> impl Fn(RuleError) -> RuleError {
        move |error| Self::refuse(field, error.problem())
    }

    /// Moves an error of the value of a field under that field.
    fn within(field: &'static str) -> impl Fn(RuleError) -> RuleError {
        move |error| match error.field() {
            "" => Self::refuse(field, error.problem()),
            _ => error.under(field),
        }
    }
}
