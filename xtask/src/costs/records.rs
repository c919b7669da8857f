//! The recorded results of a bench.

use serde::Deserialize;

use super::read;

/// What is recorded of a case.
#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) case: String,
    pub(super) instructions: f64,
    pub(super) ns: f64,
    pub(super) allocations: f64,
    pub(super) future: Option<f64>,
    pub(super) budget: Option<f64>,
}

/// Returns the records of a file in `benches/results`.
pub(super) fn records(name: &str) -> Result<Vec<Record>, String> {
    let text = read(&format!("benches/results/{name}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

/// Returns the records of the cases with these names.
pub(super) fn named<'r>(records: &'r [Record], cases: &[&str]) -> Result<Vec<&'r Record>, String> {
    let find = |case: &&str| {
        let found = records.iter().find(|record| record.case == *case);
        found.ok_or_else(|| format!("no result of the case `{case}`"))
    };
    cases.iter().map(find).collect()
}
