//! A text matcher in JSON.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    document::document,
    form::Names,
    scalar::refuse,
    shape::{Documented, Shape},
};
use crate::{
    error::RuleError,
    matcher::text::{Pattern, Text},
};

/// What a text matcher accepts, wherever one stands.
pub(super) const TEXT_MATCHER: Shape = Shape::either(&[
    Shape::TEXT,
    // Generators of clients stumble over a choice within the elements.
    Shape::list(&Shape::ANY.allowing(ALLOWED), 1, usize::MAX),
    FormDoc::SHAPE,
])
.allowing(ALLOWED);

const ALLOWED: &str = "a text, a list of matchers, or one of {\"prefix\"}, {\"suffix\"}, {\"regex\"}, \
                       {\"full_regex\"}, {\"present\"}, {\"not\"}";

const REGEX: Shape = Shape::text(
    "a regular expression of at most 1024 bytes, without look-around or back references",
    "regex",
    "",
)
.at_most(Pattern::MAX_LENGTH);

/// A text matcher as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum TextDoc {
    Plain(String),
    Any(Vec<TextDoc>),
    Form(Box<FormDoc>),
}

/// Writes a text matcher as it would be read.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "texts, numbers and string keys are always JSON"
)]
pub fn text_to_value(text: &Text) -> serde_json::Value {
    serde_json::to_value(TextDoc::from(text)).expect("texts and lists of them are JSON")
}

/// Names and what each must be like.
pub(super) type TextsDoc = Names<TextDoc>;

document! {
    /// One form of a text matcher.
    FormDoc as "TextForm", "one of them";
    optional {
        /// The text begins with this.
        prefix: String = Shape::TEXT;
        /// The text ends with this.
        suffix: String = Shape::TEXT;
        /// This regular expression matches somewhere in the text: `/products/[0-9]+` matches in
        /// `/x/products/1/picture`.
        regex: String = REGEX;
        /// This regular expression matches the whole text, as `safe_regex` of Envoy and `regex` of
        /// Istio do.
        full_regex: String = REGEX;
        /// The call has such a text (`true`), or has none (`false`).
        present: bool = Shape::FLAG;
        /// This condition does not hold.
        not: TextDoc = TEXT_MATCHER;
    }
}

impl TextDoc {
    /// Returns how many regular expressions it would have compiled.
    pub(super) fn expressions(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Any(docs) => docs.iter().map(Self::expressions).sum(),
            Self::Form(form) => {
                let not = form.not.as_ref().map_or(0, Self::expressions);
                let regexes = [&form.regex, &form.full_regex];
                regexes.into_iter().flatten().count() + not
            }
        }
    }

    /// Makes the matcher. A text on its own is not yet what it means for its field.
    pub(super) fn into_text(self) -> Result<Text, RuleError> {
        match self {
            Self::Plain(text) => Ok(Text::Plain(text.into())),
            Self::Any(docs) if docs.is_empty() => Err(refuse("an empty list matches nothing")),
            Self::Any(docs) => {
                let texts = docs.into_iter().map(Self::into_text);
                Ok(Text::AnyOf(texts.collect::<Result<_, _>>()?))
            }
            Self::Form(form) => form.into_text(),
        }
    }
}

impl FormDoc {
    fn into_text(self) -> Result<Text, RuleError> {
        let mut given: Vec<(&str, Result<Text, RuleError>)> = Vec::with_capacity(1);
        given.extend(self.prefix.map(|text| ("prefix", Ok(Text::prefix(&text)))));
        given.extend(self.suffix.map(|text| ("suffix", Ok(Text::suffix(&text)))));
        given.extend(self.regex.map(|pattern| ("regex", Text::regex(&pattern))));
        let full = self.full_regex;
        given.extend(full.map(|pattern| ("full_regex", Text::full_regex(&pattern))));
        given.extend(
            self.present
                .map(|wanted| ("present", Ok(Text::Present(wanted)))),
        );
        let not = |doc: TextDoc| Ok(Text::Not(Box::new(doc.into_text()?)));
        given.extend(self.not.map(|doc| ("not", not(doc))));

        let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
        let mut given = given.into_iter();
        let (_, text) = given
            .next()
            .ok_or_else(|| refuse("an empty matcher says nothing"))?;
        if given.next().is_some() {
            let names = names.join(" and ");
            return Err(refuse(format_args!(
                "several forms in one matcher: {names}"
            )));
        }
        text
    }
}

impl From<&Text> for TextDoc {
    fn from(text: &Text) -> Self {
        let mut form = FormDoc::default();
        match text {
            Text::Is(text) | Text::Plain(text) => return Self::Plain(text.to_string()),
            Text::Route(route) => return Self::Plain(route.as_str().to_owned()),
            Text::AnyOf(texts) => return Self::Any(texts.iter().map(Self::from).collect()),
            Text::Prefix(text) => form.prefix = Some(text.to_string()),
            Text::Suffix(text) => form.suffix = Some(text.to_string()),
            Text::Regex(pattern) => {
                let written = Some(pattern.as_str().to_owned());
                match pattern.is_full() {
                    true => form.full_regex = written,
                    false => form.regex = written,
                }
            }
            Text::Present(wanted) => form.present = Some(*wanted),
            Text::Not(text) => form.not = Some(Self::from(&**text)),
        }
        Self::Form(Box::new(form))
    }
}

impl<'de> Deserialize<'de> for TextDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = TextDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text matcher")
            }

            fn visit_str<E>(self, text: &str) -> Result<TextDoc, E> {
                Ok(TextDoc::Plain(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TextDoc, A::Error> {
                let mut docs = Vec::new();
                while let Some(doc) = seq.next_element()? {
                    docs.push(doc);
                }
                Ok(TextDoc::Any(docs))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextDoc, A::Error> {
                let form = FormDoc::deserialize(MapAccessDeserializer::new(map))?;
                Ok(TextDoc::Form(Box::new(form)))
            }
        }

        deserializer.deserialize_any(Forms)
    }
}
