//! The recorded results of a bench.

use serde::{Deserialize, de::DeserializeOwned};

use super::read;

/// What is recorded of a case.
#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) case: String,
    pub(super) instructions: f64,
    pub(super) ns: f64,
    pub(super) quartiles: Option<[f64; 2]>,
    pub(super) allocations: f64,
    pub(super) future: Option<f64>,
    pub(super) budget: Option<f64>,
}

/// What a call takes on one thread, and on each of two at once.
#[derive(Deserialize)]
pub(super) struct Two {
    pub(super) case: String,
    pub(super) one: f64,
    pub(super) two: f64,
}

/// What the layer adds to a request of a program under load.
#[derive(Deserialize)]
pub(super) struct EndToEnd {
    pub(super) program: String,
    pub(super) load: String,
    pub(super) form: String,
    pub(super) without: f64,
    pub(super) added: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) rounds: usize,
}

/// The binary of a small service, and the processor time of its build from nothing.
#[derive(Deserialize)]
pub(super) struct Size {
    pub(super) form: String,
    pub(super) bytes: f64,
    pub(super) seconds: f64,
}

/// Returns the records of a file in `benches/results`.
pub(super) fn records<R: DeserializeOwned>(name: &str) -> Result<Vec<R>, String> {
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
