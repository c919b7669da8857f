//! The gate: which rows fail a run with `--check`, and what is said of them.

use crate::{
    results::Record,
    table::{Row, Verdict},
};

/// Returns a line of text for each row that misses its budget, and for which that is not known.
#[must_use]
pub fn over_budget(rows: &[Row<'_>]) -> Vec<String> {
    let missed = rows.iter().filter(|row| row.verdict() == Verdict::Missed);
    let line = |row: &Row<'_>| {
        let instructions = row.instructions.map_or("?".to_owned(), figure);
        format!(
            "{}: misses its budget: is {instructions} instructions, {} allocations, {} more bytes of future; may be {}",
            row.case.name,
            figure(row.allocations),
            figure(row.future_over_base()),
            row.target(),
        )
    };
    missed.map(line).collect()
}

/// Returns a line of text for each row that costs more than it did, for each that is new, and for each that is gone.
#[must_use]
pub fn worse(known: &[Record], rows: &[Row<'_>]) -> Vec<String> {
    let is_row = |record: &&Record| rows.iter().any(|row| row.case.name == record.case);
    let gone = known.iter().filter(|record| !is_row(record));
    let gone = gone.map(|record| format!("{}: is recorded, and is no row", record.case));
    let lines = rows.iter().flat_map(|row| lines_of(known, row));
    lines.chain(gone).collect()
}

fn lines_of(known: &[Record], row: &Row<'_>) -> Vec<String> {
    let name = row.case.name;
    let Some(is) = Record::of(row) else {
        // Not counted, which is said once for all rows.
        return Vec::new();
    };
    let Some(was) = known.iter().find(|record| record.case == name) else {
        return vec![format!(
            "{name}: no result is recorded; `cargo xtask costs` records it"
        )];
    };
    // The build's directory and the other code of the program move a count by a few.
    let most = was.instructions.max(0.0) * 1.02 + 2.0 + f64::from(row.case.noise);
    let bytes = |record: &Record| record.future.unwrap_or_default();
    let figures = [
        ("instructions", was.instructions, is.instructions, most),
        (
            "allocations",
            was.allocations,
            is.allocations,
            was.allocations + 0.05,
        ),
        ("more bytes of future", bytes(was), bytes(&is), bytes(was)),
    ];
    let worse = figures.iter().filter(|(_, _, is, most)| is > most);
    let budget = match row.target() {
        budget if budget.is_empty() => String::new(),
        budget => format!("; the budget is {budget}"),
    };
    let line = |(what, was, is, _): &(&str, f64, f64, f64)| {
        let (was, is) = (figure(*was), figure(*is));
        format!("{name}: was {was} {what}, is {is}{budget}")
    };
    worse.map(line).collect()
}

/// Returns a figure with a digit after the point, if that is not zero.
fn figure(figure: f64) -> String {
    let tenths = (figure * 10.0).round() / 10.0;
    format!("{}", tenths + 0.0)
}

#[cfg(test)]
mod tests;
