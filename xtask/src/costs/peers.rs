//! The tables of this library beside other crates.

use super::{
    markdown,
    records::{Record, Two},
    thousands,
};

/// Splits the name of a case of the peers: `fail: points, idle` is the row `idle` of `fail` in the table `points`.
fn parts(case: &str) -> Option<(&str, &str, &str)> {
    let (who, rest) = case.split_once(": ")?;
    let (table, what) = rest.split_once(", ")?;
    Some((who, table, what))
}

/// The library's own name in the table of peers.
const OURS: &str = "chaos";

/// The name of what does nothing, which nobody can be ahead of.
const NOTHING: &str = "tower's Identity";

/// Cases of the program of the peers, each with the case of the table of costs that does the same. The budget of the
/// one holds for the other, too: a function costs more or less in a program in which more call it.
const SAME: [(&str, &str); 9] = [
    ("chaos: points, idle", "inject!, idle"),
    (
        "chaos: points, armed elsewhere",
        "inject!, 1000 rules elsewhere",
    ),
    (
        "chaos: points, armed, does not fire",
        "inject!, armed, does not fire",
    ),
    ("chaos: points, hit by an error", "inject!, hit by an error"),
    (
        "chaos with an injector: points, armed, does not fire",
        "inject! with an injector, armed, does not fire",
    ),
    ("chaos: layers, idle", "layer, idle"),
    (
        "chaos: layers, armed, does not fire",
        "layer, armed, does not fire",
    ),
    ("chaos: layers, hit by a 503", "layer, hit by a status"),
    ("chaos: axum, idle", "Router::layer, idle"),
];

/// What the cells of a table show.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Show {
    /// Instructions and allocations, and in a row of their own the bytes of futures.
    Counts,
    Nanoseconds,
}

/// Returns a table with a column for each peer.
pub(super) fn peers(records: &[Record], table: &str, show: Show) -> Result<String, String> {
    let text = match show {
        Show::Counts => counts,
        Show::Nanoseconds => nanoseconds,
    };
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
            found.map_or("–".to_owned(), |(_, _, record)| text(record))
        };
        (what, columns.iter().copied().map(cell).collect())
    };
    let mut rows: Vec<_> = rows.into_iter().map(row).collect();
    let bytes = |column: &&str| {
        let mut cases = cases.iter().filter(|(who, ..)| who == column);
        cases.find_map(|(.., record)| record.future)
    };
    if show == Show::Counts && columns.iter().any(|column| bytes(column).is_some()) {
        let cell = |column| bytes(column).map_or("–".to_owned(), |bytes| format!("{bytes:+}"));
        rows.push(("bytes of the future", columns.iter().map(cell).collect()));
    }
    Ok(markdown(&columns, &rows))
}

/// Returns the instructions of a case, and its allocations in parentheses, if there are any.
fn counts(record: &Record) -> String {
    let instructions = thousands(record.instructions.round() as i64);
    match record.allocations.round() as i64 {
        0 => instructions,
        allocations => format!("{instructions} ({allocations})"),
    }
}

/// Returns the nanoseconds of a case, and their quartiles in parentheses.
fn nanoseconds(record: &Record) -> String {
    let short = |ns: f64| match ns {
        10.0.. => thousands(ns.round() as i64),
        ns => format!("{ns:.1}"),
    };
    match record.quartiles {
        Some([low, high]) => format!("{} ({} to {})", short(record.ns), short(low), short(high)),
        None => short(record.ns),
    }
}

/// Returns the table of what calls take on two threads.
pub(super) fn two_threads(all: &[Two]) -> Result<String, String> {
    let ns = |ns: f64| format!("{ns:.1}");
    let mut rows = Vec::new();
    for Two { case, one, two } in all {
        let ratio = format!("{:.2}", two / one);
        rows.push((case.as_str(), vec![ns(*one), ns(*two), ratio]));
    }
    let heads = ["one thread, ns", "each of two, ns", "ratio"];
    match rows.is_empty() {
        true => Err("peers-threads.json: it is empty".to_owned()),
        false => Ok(markdown(&heads, &rows)),
    }
}

/// Checks that the cases of the library in the program of the peers keep within the budgets of the table of costs, or
/// cost about as much as there, where a budget is not met or not set.
pub(super) fn are_within_budgets(peers: &[Record], costs: &[Record]) -> Result<(), String> {
    for (theirs, ours) in SAME {
        let find = |records: &[Record], case: &str| {
            let found = records.iter().find(|record| record.case == case);
            let found = found.map(|record| (record.instructions, record.budget));
            found.ok_or_else(|| format!("no result of the case `{case}`"))
        };
        let (is, _) = find(peers, theirs)?;
        let (there, budget) = find(costs, ours)?;
        let most = (there * 1.1 + 5.0).max(budget.unwrap_or_default());
        if is > most {
            return Err(format!(
                "{theirs}: {is} instructions; `{ours}` is {there}, so at most {most:.0}"
            ));
        }
    }
    Ok(())
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
        if who != OURS && who != NOTHING && ours.instructions > record.instructions + 0.5 {
            return Err(format!(
                "{}: {} instructions; {who}: {}",
                ours.case, ours.instructions, record.instructions
            ));
        }
    }
    Ok(())
}
