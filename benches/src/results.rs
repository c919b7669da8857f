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
    fn of(row: &Row<'_>) -> Option<Self> {
        Some(Self {
            case: row.case.name.to_owned(),
            over: row.base.map(|base| base.name.to_owned()),
            instructions: tenths(row.instructions?),
            ns: tenths(row.times.over_base.unwrap_or(row.times.case)),
            allocations: tenths(row.allocations),
            future: row.case.future.map(|_| row.future_over_base()),
            budget: row.limit.map(tenths),
        })
    }

    /// Returns the most instructions that a row may have now: the build's directory and the other code of the program
    /// move a count by a few.
    fn most_now(&self, noise: u32) -> f64 {
        self.instructions.max(0.0) * 1.02 + 2.0 + f64::from(noise)
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
    let lines: Result<Vec<_>, _> = records.iter().map(serde_json::to_string).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    fs::write(path(name), text).map_err(|error| format!("{name}: {error}"))
}

/// Returns a line of text for each row that costs more than the file called `name` says.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn grown(name: &str, rows: &[Row<'_>]) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path(name)).map_err(|error| format!("{name}: {error}"))?;
    let known: Vec<Record> =
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let grown = rows.iter().filter_map(|row| {
        let was = known.iter().find(|record| record.case == row.case.name)?;
        let is = Record::of(row)?;
        let costs_more = is.instructions > was.most_now(row.case.noise)
            || is.allocations > was.allocations + 0.05
            || is.future > was.future;
        costs_more.then(|| {
            format!(
                "{}: was {} instructions, {} allocations and {} bytes of future; is {}, {} and {}",
                is.case,
                was.instructions,
                was.allocations,
                was.future.unwrap_or_default(),
                is.instructions,
                is.allocations,
                is.future.unwrap_or_default(),
            )
        })
    });
    Ok(grown.collect())
}
