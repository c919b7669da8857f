//! A text matcher in JSON.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{error::RuleError, matcher::text::Text};

/// What a text matcher accepts, wherever one stands.
pub(super) const TEXT_MATCHER: &str = "a text, a list of matchers, or one of {\"prefix\"}, {\"suffix\"}, \
                            {\"regex\"}, {\"present\"}, {\"not\"}";

/// A text matcher as it is written.
#[derive(PartialEq)]
pub(super) enum TextDoc {
    Plain(String),
    Any(Vec<TextDoc>),
    Form(Box<TextForm>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormName {
    Prefix,
    Suffix,
    Regex,
    Present,
    Not,
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TextForm {
    Prefix(String),
    Suffix(String),
    Regex(String),
    Present(bool),
    Not(TextDoc),
}

/// Names and what each must be like; no name stands twice.
#[derive(Default, PartialEq)]
pub(super) struct TextsDoc(pub(super) BTreeMap<String, TextDoc>);

impl Serialize for TextsDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TextsDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = TextsDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and text matchers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextsDoc, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, TextDoc>()? {
                    if texts.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("{name:?} stands twice")));
                    }
                    texts.insert(name, text);
                }
                Ok(TextsDoc(texts))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

impl TextDoc {
    /// How many expressions it would have compiled.
    pub(super) fn expressions(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Any(docs) => docs.iter().map(Self::expressions).sum(),
            Self::Form(form) => match &**form {
                TextForm::Regex(_) => 1,
                TextForm::Not(doc) => doc.expressions(),
                TextForm::Prefix(_) | TextForm::Suffix(_) | TextForm::Present(_) => 0,
            },
        }
    }

    /// Hosts are compared in lower case.
    pub(super) fn in_lower_case(self) -> Self {
        match self {
            Self::Plain(text) => Self::Plain(text.to_ascii_lowercase()),
            Self::Any(docs) => Self::Any(docs.into_iter().map(Self::in_lower_case).collect()),
            Self::Form(form) => Self::Form(Box::new(match *form {
                TextForm::Prefix(text) => TextForm::Prefix(text.to_ascii_lowercase()),
                TextForm::Suffix(text) => TextForm::Suffix(text.to_ascii_lowercase()),
                TextForm::Not(doc) => TextForm::Not(doc.in_lower_case()),
                form @ (TextForm::Regex(_) | TextForm::Present(_)) => form,
            })),
        }
    }

    /// `plain` says what a text on its own means here: equality, a route.
    pub(super) fn into_text(
        self,
        plain: &dyn Fn(&str) -> Result<Text, RuleError>,
    ) -> Result<Text, RuleError> {
        match self {
            Self::Plain(text) => plain(&text),
            Self::Any(docs) if docs.is_empty() => Err(RuleError::new(
                "",
                "an empty list matches nothing",
                TEXT_MATCHER,
            )),
            Self::Any(docs) => {
                let texts: Result<_, _> =
                    docs.into_iter().map(|doc| doc.into_text(plain)).collect();
                Ok(Text::AnyOf(texts?))
            }
            Self::Form(form) => match *form {
                TextForm::Prefix(text) => Ok(Text::prefix(&text)),
                TextForm::Suffix(text) => Ok(Text::suffix(&text)),
                TextForm::Regex(pattern) => Text::regex(&pattern),
                TextForm::Present(wanted) => Ok(Text::Present(wanted)),
                TextForm::Not(doc) => Ok(Text::Not(Box::new(doc.into_text(plain)?))),
            },
        }
    }
}

impl From<&Text> for TextDoc {
    fn from(text: &Text) -> Self {
        let form = |form| Self::Form(Box::new(form));
        match text {
            Text::Is(text) => Self::Plain(text.to_string()),
            Text::Route(route) => Self::Plain(route.as_str().to_owned()),
            Text::Prefix(text) => form(TextForm::Prefix(text.to_string())),
            Text::Suffix(text) => form(TextForm::Suffix(text.to_string())),
            Text::Regex(pattern) => form(TextForm::Regex(pattern.as_str().to_owned())),
            Text::Present(wanted) => form(TextForm::Present(*wanted)),
            Text::Not(text) => form(TextForm::Not(Self::from(&**text))),
            Text::AnyOf(texts) => Self::Any(texts.iter().map(Self::from).collect()),
        }
    }
}

impl Serialize for TextDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Any(docs) => docs.serialize(serializer),
            Self::Form(form) => form.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TextDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = TextDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(TEXT_MATCHER)
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

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextDoc, A::Error> {
                let form = match map.next_key::<FormName>()? {
                    Some(FormName::Prefix) => TextForm::Prefix(map.next_value()?),
                    Some(FormName::Suffix) => TextForm::Suffix(map.next_value()?),
                    Some(FormName::Regex) => TextForm::Regex(map.next_value()?),
                    Some(FormName::Present) => TextForm::Present(map.next_value()?),
                    Some(FormName::Not) => TextForm::Not(map.next_value()?),
                    None => return Err(A::Error::custom("an empty matcher says nothing")),
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(TextDoc::Form(Box::new(form))),
                    Some(_) => Err(A::Error::custom("several forms in one matcher")),
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}
