//! The tables of costs in the README and in the book, made of the recorded results in `benches/results`.

mod end_to_end;
mod lines;
mod peers;
mod records;

use std::{fs, path::Path};

use self::{
    lines::{HITS, LONG, Line, SHORT},
    peers::{Show, are_ahead, are_within_budgets, peers, two_threads},
    records::{Record, Size, named, records},
};

/// The root of the repository: the program may be run in another folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The documents that have tables. A table stands between `<!-- costs: NAME -->` and `<!-- end of costs -->`.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/pages/explanation/cost.md"];

/// Writes the tables of all documents.
///
/// # Errors
/// Returns an error if a file cannot be read or written, or lacks what it should have.
pub(crate) fn write() -> Result<(), String> {
    for name in DOCUMENTS {
        let text = with_tables(name)?;
        fs::write(Path::new(ROOT).join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// Checks that each document has the tables that [`write()`] would write, and that the library is ahead of its peers
/// wherever nothing is injected.
///
/// # Errors
/// Returns an error that says which document or which case is wrong.
pub(crate) fn check() -> Result<(), String> {
    for name in DOCUMENTS {
        if with_tables(name)? != read(name)? {
            return Err(format!(
                "{name}: its tables are not those of benches/results; run `cargo xtask costs`"
            ));
        }
    }
    let peers = records("peers.json")?;
    are_ahead(&peers)?;
    are_within_budgets(&peers, &records("overhead.json")?)
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(ROOT).join(name)).map_err(|error| format!("{name}: {error}"))
}

/// Returns the text of a document with its tables as they should be.
fn with_tables(document: &str) -> Result<String, String> {
    const END: &str = "<!-- end of costs -->";
    let text = read(document)?;
    let mut parts = text.split("<!-- costs: ");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(END).map(|(_, rest)| rest);
        let (Some((name, _)), Some(rest)) = (part.split_once(" -->"), rest) else {
            return Err(format!("{document}: `<!-- costs: … -->` without `{END}`"));
        };
        let table = table(name)?;
        written += &format!("<!-- costs: {name} -->\n{table}{END}{rest}");
    }
    Ok(written)
}

fn table(name: &str) -> Result<String, String> {
    match name {
        "short" => lines(SHORT, &[INSTRUCTIONS, NS]),
        "long" => lines(LONG, &[INSTRUCTIONS, NS, FUTURE, BUDGET]),
        "hits" => lines(HITS, &[INSTRUCTIONS, NS, ALLOCATIONS, BUDGET]),
        "points" | "async points" | "layers" | "axum" => {
            peers(&records("peers.json")?, name, Show::Counts)
        }
        "points in ns" | "layers in ns" => {
            let table = name.trim_end_matches(" in ns");
            peers(&records("peers.json")?, table, Show::Nanoseconds)
        }
        "two threads" => two_threads(&records("peers-threads.json")?),
        "sizes" => Ok(sizes(&records("sizes.json")?)),
        "end to end" => Ok(end_to_end::table(&records("end-to-end.json")?)),
        _ => Err(format!("no table is called `{name}`")),
    }
}

/// A column of a table: its head, and its text for the cases of one group.
type Column = (&'static str, fn(&[&Record]) -> String);

const INSTRUCTIONS: Column = ("adds instructions", |group| {
    range(group, |record| Some(record.instructions))
});
const NS: Column = ("ns", |group| {
    range(group, |record| Some(record.ns.max(0.0)))
});
const ALLOCATIONS: Column = ("allocations", |group| {
    range(group, |record| Some(record.allocations))
});
const FUTURE: Column = ("bytes of future", |group| {
    range(group, |record| record.future)
});
const BUDGET: Column = ("budget", budget);

/// Returns the table of these lines with these columns. Only a table with the column of allocations may have lines
/// that allocate: the documents say so of the others.
fn lines(lines: &[Line], columns: &[Column]) -> Result<String, String> {
    let records: Vec<Record> = records("overhead.json")?;
    let heads: Vec<_> = columns.iter().map(|(head, _)| *head).collect();
    let mut rows = Vec::new();
    for (label, groups) in lines {
        let groups = groups.iter().map(|group| named(&records, group));
        let groups: Vec<_> = groups.collect::<Result<_, _>>()?;
        let mut all = groups.iter().flatten();
        if let Some(record) = all.find(|record| record.allocations > 0.0)
            && !heads.contains(&ALLOCATIONS.0)
        {
            return Err(format!("`{}` allocates", record.case));
        }
        let cell = |(_, text): &Column| {
            let texts = groups.iter().map(|group| text(group));
            let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
            texts.join(" / ")
        };
        rows.push((*label, columns.iter().map(cell).collect()));
    }
    Ok(markdown(&heads, &rows))
}

/// Returns the table of the binaries of a small service.
fn sizes(all: &[Size]) -> String {
    let mut rows = Vec::new();
    for Size {
        form,
        bytes,
        seconds,
    } in all
    {
        let cells = vec![format!("{:.2} MB", bytes / 1e6), format!("{seconds:.0} s")];
        rows.push((form.as_str(), cells));
    }
    markdown(
        &["binary, stripped", "processor time of a build from nothing"],
        &rows,
    )
}

/// Returns a table whose first column has the labels of the rows, and no head.
fn markdown(heads: &[&str], rows: &[(&str, Vec<String>)]) -> String {
    let line = "---:|".repeat(heads.len());
    let mut table = format!("| | {} |\n|---|{line}\n", heads.join(" | "));
    for (label, cells) in rows {
        table += &format!("| {label} | {} |\n", cells.join(" | "));
    }
    table
}

/// Returns the budget of a group, and says if it is not met.
fn budget(group: &[&Record]) -> String {
    let Some(budget) = group.iter().find_map(|record| record.budget) else {
        return String::new();
    };
    let met = |record: &&Record| {
        let own = record.budget.unwrap_or(budget);
        record.instructions.round() <= own.round()
    };
    let text = thousands(budget.round() as i64);
    match group.iter().all(met) {
        true => text,
        false => format!("{text}: not met"),
    }
}

/// Returns the least and the most of a figure, rounded: `7`, `3 to 4`, or nothing if no record has it.
fn range(records: &[&Record], figure: fn(&Record) -> Option<f64>) -> String {
    let figures = records.iter().filter_map(|record| figure(record));
    let mut figures: Vec<i64> = figures.map(|figure| figure.round() as i64).collect();
    figures.sort_unstable();
    match (figures.first(), figures.last()) {
        (Some(least), Some(most)) if least == most => thousands(*least),
        (Some(least), Some(most)) => format!("{} to {}", thousands(*least), thousands(*most)),
        _ => String::new(),
    }
}

fn thousands(figure: i64) -> String {
    match figure {
        ..0 => format!("-{}", thousands(-figure)),
        1000.. => format!("{},{:03}", figure / 1000, figure % 1000),
        _ => figure.to_string(),
    }
}
