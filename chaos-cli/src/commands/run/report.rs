//! The reports of a run.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use chaos_gameday::{Journal, report_html, report_markdown};

use crate::{commands::run::record::unwritable, config::shown, failure::Failure};

/// Where the reports of a run are written at its end.
pub(super) struct Reports(Vec<PathBuf>);

impl Reports {
    /// Makes sure that each can be written, before anything is injected.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, Failure> {
        for path in paths {
            format(path)?;
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map_err(|error| unwritable(path, &error))?;
        }
        Ok(Self(paths.to_vec()))
    }

    /// Writes all, and returns which were written, and what has failed.
    pub(super) fn write(&self, journal: &Journal) -> (Vec<String>, Vec<Failure>) {
        let (mut written, mut failures) = (Vec::new(), Vec::new());
        for path in &self.0 {
            match write(path, journal) {
                Ok(()) => written.push(shown(path)),
                Err(failure) => failures.push(failure),
            }
        }
        (written, failures)
    }
}

/// Writes the report of a journal, in the format that the extension names.
pub(crate) fn write(path: &Path, journal: &Journal) -> Result<(), Failure> {
    let text = format(path)?(journal);
    fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn format(path: &Path) -> Result<fn(&Journal) -> String, Failure> {
    match path.extension().and_then(|it| it.to_str()) {
        Some("html" | "htm") => Ok(report_html),
        Some("md") => Ok(report_markdown),
        _ => {
            let failure = Failure::usage("the extension is not that of a report");
            Err(failure.at(shown(path), ".html, .md"))
        }
    }
}
