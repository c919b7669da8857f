//! The formats of files, by extension.

use std::path::Path;

use serde::de::DeserializeSeed;

use super::{document::ExperimentDoc, place};
use crate::{error::ExperimentError, objects::Object};

/// The format of a text.
///
/// This enum is closed: a new format is a breaking change.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// JSON.
    Json,
    /// TOML 1.
    Toml,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// Returns the format of a file by its extension: `.json`, `.toml`, `.yaml` or `.yml`.
    ///
    /// # Errors
    /// Returns an error for any other extension; it lists those that are known.
    pub fn of_path(path: &Path) -> Result<Self, ExperimentError> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("json") => Ok(Self::Json),
            Some("toml") => Ok(Self::Toml),
            Some("yaml" | "yml") => Ok(Self::Yaml),
            _ => Err(ExperimentError::new(
                "",
                "the extension is not that of a format",
                ".json, .toml, .yaml, .yml",
            )),
        }
    }

    pub(super) fn read(self, text: &str) -> Result<ExperimentDoc, ExperimentError> {
        let read = match self {
            Self::Json => json(text),
            Self::Toml => toml(text),
            Self::Yaml => yaml(text),
        };
        read.map(|Object(doc)| doc).map_err(|(problem, place)| {
            // Some parsers quote the text in further lines.
            let first = problem.lines().next().unwrap_or_default();
            ExperimentError::unreadable(first.to_owned(), place)
        })
    }
}

impl Format {
    /// Returns the line and the column of a field of a text that can be read.
    pub(super) fn place_of(self, text: &str, field: &str) -> Option<(u64, u64)> {
        place::find(field, |probe| match self {
            Self::Json => {
                let mut reader = serde_json::Deserializer::from_str(text);
                let error = probe.deserialize(&mut reader).err()?;
                Some((error.line() as u64, error.column() as u64))
            }
            Self::Toml => {
                let reader = toml::Deserializer::parse(text).ok()?;
                let span = probe.deserialize(reader).err()?.span()?;
                Some(place_of(text, span.start))
            }
            Self::Yaml => {
                let read = |reader: serde_saphyr::Deserializer<'_, '_>| probe.deserialize(reader);
                let read = serde_saphyr::with_deserializer_from_str_with_options(
                    text,
                    yaml_options(),
                    read,
                );
                let place = read.err()?.location()?;
                Some((place.line(), place.column()))
            }
        })
    }
}

type Unreadable = (String, Option<(u64, u64)>);

fn without_place(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    message.to_owned()
}

fn json(text: &str) -> Result<Object<ExperimentDoc>, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        let place = (error.line() as u64, error.column() as u64);
        (
            without_place(&error.to_string()),
            (place.0 > 0).then_some(place),
        )
    })
}

fn toml(text: &str) -> Result<Object<ExperimentDoc>, Unreadable> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let place = error.span().map(|span| place_of(text, span.start));
        (error.message().to_owned(), place)
    })
}

fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // `on` and `off` are strings, as in YAML 1.2: `on: request` is a valid field of a rule.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn yaml(text: &str) -> Result<Object<ExperimentDoc>, Unreadable> {
    serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| {
        let place = error.location();
        let place = place.map(|location| (location.line(), location.column()));
        let error = error.without_snippet();
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        (without_place(&message), place)
    })
}

/// Returns the line and the column of the byte at `at`.
fn place_of(text: &str, at: usize) -> (u64, u64) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (
        before.matches('\n').count() as u64 + 1,
        line.chars().count() as u64 + 1,
    )
}
