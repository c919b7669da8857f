//! The recorded results: a file of the repository that a run with `--write` writes. The tables of the book are made of
//! it, and a run with `--check` compares its counts with it.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::table::Row;

/// What is recorded of a row. The figures are those that the table shows, relative to the row's base.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The name of the case.
    pub case: String,
    /// The name of the case that is subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Instructions per call.
    pub instructions: f64,
    /// Nanoseconds per call.
    pub ns: f64,
    /// The quartiles of the nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quartiles: Option<[f64; 2]>,
    /// Allocations per call.
    pub allocations: f64,
    /// Bytes of the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future: Option<f64>,
    /// The most instructions that the row should cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
}

impl Record {
    /// Returns what is recorded of a row, or `None` if its instructions were not counted.
    pub(crate) fn of(row: &Row<'_>) -> Option<Self> {
        Some(Self {
            case: row.case.name.to_owned(),
            over: row.base.map(|base| base.name.to_owned()),
            instructions: tenths(row.instructions?),
            ns: tenths(row.times.over_base.unwrap_or(row.times.case)),
            quartiles: Some(row.times.quartiles.map(tenths)),
            allocations: tenths(row.allocations),
            future: row.case.future.map(|_| row.future_over_base()),
            budget: row.limit.map(tenths),
        })
    }
}

fn tenths(figure: f64) -> f64 {
    // Adding zero turns a negative zero into zero.
    (figure * 10.0).round() / 10.0 + 0.0
}

/// Returns the path of the file called `name`.
fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "results", name]
        .iter()
        .collect()
}

/// Writes the rows to the file called `name`, one per line.
///
/// # Errors
/// Returns an error if a row has no count, or if the file cannot be written.
pub fn write(name: &str, rows: &[Row<'_>]) -> Result<(), String> {
    let records: Option<Vec<_>> = rows.iter().map(Record::of).collect();
    let records = records.ok_or("instructions were not counted")?;
    write_lines(name, &records)
}

/// Writes a file of JSON called `name`: a list with a line for each item.
pub(crate) fn write_lines<T: Serialize>(name: &str, items: &[T]) -> Result<(), String> {
    let lines: Result<Vec<_>, _> = items.iter().map(serde_json::to_string).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    fs::write(path(name), text).map_err(|error| format!("{name}: {error}"))
}

/// Reads the records in the file called `name`.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn read(name: &str) -> Result<Vec<Record>, String> {
    let text = fs::read_to_string(path(name)).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}
