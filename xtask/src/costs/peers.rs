//! The tables of this library beside other crates.

use super::{markdown, records::Record, thousands};

/// Splits the name of a case of the peers: `fail: points, idle` is the row `idle` of `fail` in the table `points`.
fn parts(case: &str) -> Option<(&str, &str, &str)> {
    let (who, rest) = case.split_once(": ")?;
    let (table, what) = rest.split_once(", ")?;
    Some((who, table, what))
}

/// The library's own name in the table of peers.
const OURS: &str = "chaos";

/// Returns a table with a column for each peer.
pub(super) fn peers(records: &[Record], table: &str) -> Result<String, String> {
    let cases = records.iter().filter_map(|record| {
        let (who, of, what) = parts(&record.case)?;
        (of == table).then_some((who, what, record))
    });
    let cases: Vec<_> = cases.collect();
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for (who, what, _) in &cases {
        if !columns.contains(who) {
            columns.push(*who);
        }
        if !rows.contains(what) {
            rows.push(*what);
        }
    }
    if columns.first() != Some(&OURS) {
        return Err(format!(
            "peers.json: the first column of `{table}` is not `{OURS}`"
        ));
    }
    let row = |what| {
        let cell = |column| {
            let mut cases = cases.iter();
            let found = cases.find(|(who, of, _)| *who == column && *of == what);
            found.map_or("–".to_owned(), |(_, _, record)| figures(record))
        };
        (what, columns.iter().copied().map(cell).collect())
    };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    Ok(markdown(&columns, &rows))
}

/// Returns the instructions of a case, and its allocations in parentheses, if there are any.
fn figures(record: &Record) -> String {
    let instructions = thousands(record.instructions.round() as i64);
    match record.allocations.round() as i64 {
        0 => instructions,
        allocations => format!("{instructions} ({allocations})"),
    }
}

/// Checks that the library costs at most what each peer does, wherever nothing is injected.
pub(super) fn are_ahead(records: &[Record]) -> Result<(), String> {
    let idle = |record: &&Record| !record.case.contains(", hit");
    for record in records.iter().filter(idle) {
        let Some((who, table, what)) = parts(&record.case) else {
            continue;
        };
        let ours = format!("{OURS}: {table}, {what}");
        let Some(ours) = records.iter().find(|record| record.case == ours) else {
            return Err(format!("peers.json: no case `{ours}`"));
        };
        if who != OURS && ours.instructions > record.instructions + 0.5 {
            return Err(format!(
                "{}: {} instructions; {who}: {}",
                ours.case, ours.instructions, record.instructions
            ));
        }
    }
    Ok(())
}
