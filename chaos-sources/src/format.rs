//! The formats of files, by extension. There is one schema for all: each format is converted to
//! JSON, which the wire format of chaos-core interprets.

use std::path::Path;

use chaos_core::{Rule, wire};

use crate::{
    error::{Place, Problem, SourceError},
    strict::Strict,
};

type Reader = fn(&str) -> Result<Strict, (String, Option<Place>)>;

/// The extensions and their parsers. The error about an unknown extension lists this table.
const FORMATS: &[(&str, Reader)] = &[
    ("json", json),
    #[cfg(feature = "toml")]
    ("toml", toml),
    #[cfg(feature = "yaml")]
    ("yaml", yaml),
    #[cfg(feature = "yaml")]
    ("yml", yaml),
];

/// Parses the rules in `text`, in the format of the extension of `path`.
pub(crate) fn rules(path: &Path, text: &str) -> Result<Vec<Rule>, SourceError> {
    let origin = path.display().to_string();
    let refuse = |problem: Problem| SourceError::new(&origin, problem);
    let extension = path.extension().unwrap_or_default();
    let found = FORMATS
        .iter()
        .find(|(known, _)| extension.eq_ignore_ascii_case(known));
    let Some((_, read)) = found else {
        let known: Vec<_> = FORMATS
            .iter()
            .map(|(known, _)| format!(".{known}"))
            .collect();
        let problem = format!(
            "the extension is not that of a format; allowed: {}",
            known.join(", ")
        );
        return Err(refuse(problem.into()));
    };
    // An empty file may be one that a writer has opened and not filled yet.
    if text.trim().is_empty() {
        let problem =
            "the file is empty; allowed: a document with a list of `rules`, which may be empty";
        return Err(refuse(problem.into()));
    }
    let Strict(document) =
        read(text).map_err(|(problem, place)| refuse(problem.into()).at(place))?;
    let rules = wire::rules_from_json(document.to_string().as_bytes());
    rules.map_err(|error| refuse(error.into()))
}

/// Returns the first line of an error; some parsers quote the text in further lines.
fn one_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().to_owned()
}

fn json(text: &str) -> Result<Strict, (String, Option<Place>)> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        (
            one_line(message),
            (line > 0).then_some(Place { line, column }),
        )
    })
}

#[cfg(feature = "toml")]
fn toml(text: &str) -> Result<Strict, (String, Option<Place>)> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| place_of(text, span.start));
        (one_line(error.message()), place)
    })
}

#[cfg(feature = "yaml")]
fn yaml(text: &str) -> Result<Strict, (String, Option<Place>)> {
    let options = serde_saphyr::options! {
        // `on` and `off` are strings, as in YAML 1.2: `on: request` is a valid field of a rule.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map(|location| Place {
            line: location.line(),
            column: location.column(),
        });
        let error = error.without_snippet();
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let message = message.split(" at line ").next().unwrap_or(&message);
        (one_line(message), place)
    })
}

/// Returns the line and the column of the byte at `at`.
pub(crate) fn place_of(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Place {
        line: before.matches('\n').count() as u64 + 1,
        column: line.chars().count() as u64 + 1,
    }
}
