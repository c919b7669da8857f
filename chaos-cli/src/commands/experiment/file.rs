//! The files of an experiment.

use std::{fs, path::Path};

use chaos_gameday::{Experiment, ExperimentError, Format, Journal, experiment_from};

use crate::{
    config::{shown, unreadable},
    failure::Failure,
};

/// Reads an experiment.
pub(crate) fn experiment(path: &Path) -> Result<Experiment, Failure> {
    let format = Format::of_path(path).map_err(|error| failed(path, &error))?;
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    experiment_from(&text, format).map_err(|error| failed(path, &error))
}

/// Returns the failure for an experiment that is not acceptable.
pub(super) fn failed(path: &Path, error: &ExperimentError) -> Failure {
    let place = error.line_and_column();
    let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let field = match error.field() {
        "" => format!("{}{place}", shown(path)),
        field => format!("{}{place}: {field}", shown(path)),
    };
    match error.allowed() {
        "" => Failure {
            field: Some(field.into()),
            ..Failure::usage(error.problem())
        },
        allowed => Failure::usage(error.problem()).at(field, allowed),
    }
}

/// Reads the journal of a run.
pub(crate) fn journal(path: &Path) -> Result<Journal, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        let problem = format!("the file is no journal: {error}");
        Failure::usage(problem).at(shown(path), "a journal of `chaosctl run`")
    })
}
