//! The tables of costs in the README and in the book, made of the recorded results in `benches/results`.

use std::{fs, path::Path};

use serde_json::Value;

/// The root of the repository: the program may be run in another folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The documents that have tables. A table stands between `<!-- costs: NAME -->` and `<!-- end of costs -->`.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/pages/explanation/cost.md"];

/// A row of a table: its text, and the cases of the bench whose figures it shows. Those of several groups are
/// separated by a slash.
type Line = (&'static str, &'static [&'static [&'static str]]);

/// The table of the README.
const SHORT: &[Line] = &[
    (
        "`inject!` or `inject_async!`, idle, whatever is armed elsewhere",
        &[&[
            "inject!, idle",
            "inject!, 1000 rules elsewhere",
            "inject_async!, idle",
        ]],
    ),
    (
        "layer, idle, around a service / in `Router::layer`",
        &[
            &[
                "layer, idle",
                "layer, idle, over an async fn",
                "layer around the Router, idle",
            ],
            &["Router::layer, idle"],
        ],
    ),
    (
        "`inject!` / layer, one rule armed here, which does not hit",
        &[
            &["inject!, armed, does not fire"],
            &["layer, armed, does not fire"],
        ],
    ),
];

/// The table of the book.
const LONG: &[Line] = &[
    (
        "`inject!`, idle, with or without labels",
        &[&[
            "inject!, idle",
            "inject! with labels, idle",
            "inject! with err, idle",
            "#[site] with err, idle",
            "inject!, idle, in such a one",
        ]],
    ),
    (
        "`inject!`, idle, 1,000 rules armed on other sites",
        &[&["inject!, 1000 rules elsewhere"]],
    ),
    (
        "`inject_async!`, idle",
        &[&[
            "inject_async!, idle",
            "inject_async! with labels, idle",
            "inject_async! with err, idle",
        ]],
    ),
    (
        "`inject!` with an explicit injector, idle",
        &[&["inject! with an injector, idle"]],
    ),
    (
        "`inject!` with an explicit injector, 1,000 rules armed on its other sites",
        &[&["inject! with an injector, 1000 rules elsewhere"]],
    ),
    (
        "layer, idle, around an http service, an `async fn`, an axum `Router`",
        &[&[
            "layer, idle",
            "layer, idle, over an async fn",
            "layer around the Router, idle",
        ]],
    ),
    (
        "layer, idle, 1,000 rules armed on other sites",
        &[&["layer, 1000 rules elsewhere"]],
    ),
    (
        "layer, idle, an open overlay with rules on other sites",
        &[&["layer, an overlay elsewhere"]],
    ),
    (
        "layer, idle, with `Router::layer`, compared with tower's `Identity`",
        &[&["Router::layer, idle"]],
    ),
    (
        "layer, idle, with `.boxed_errors()`",
        &[&["layer, idle, errors boxed"]],
    ),
    (
        "layer, idle, with `.wrapped_bodies()`",
        &[&["layer, idle, bodies wrapped"]],
    ),
    (
        "`TokenLayer`, a request without headers",
        &[&["TokenLayer, no header"]],
    ),
    (
        "`TokenLayer`, six headers without a token",
        &[&["TokenLayer, six headers without a token"]],
    ),
    (
        "`inject!`, armed, one rule, does not hit",
        &[&["inject!, armed, does not fire"]],
    ),
    (
        "`inject!` with an explicit injector, armed, one rule, does not hit",
        &[&["inject! with an injector, armed, does not fire"]],
    ),
    (
        "layer, armed, one rule, does not hit",
        &[&["layer, armed, does not fire"]],
    ),
    (
        "layer, armed, one rule by method, does not match",
        &[&["layer, armed, does not match"]],
    ),
    (
        "layer, armed, method + path + header match, does not hit",
        &[&["layer, method + path + header match, does not fire"]],
    ),
    (
        "layer, 10 rules by path, or by header, one matches and does not hit",
        &[&["layer, 10 rules by path"], &["layer, 10 rules by header"]],
    ),
    (
        "layer, 10,000 rules by path, or by header, one matches and does not hit",
        &[
            &["layer, 10,000 rules by path"],
            &["layer, 10,000 rules by header"],
        ],
    ),
];

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

/// Checks that each document has the tables that [`write`] would write.
///
/// # Errors
/// Returns an error that says which document is wrong.
pub(crate) fn check() -> Result<(), String> {
    for name in DOCUMENTS {
        if with_tables(name)? != read(name)? {
            return Err(format!(
                "{name}: its tables are not those of benches/results; run `cargo xtask costs`"
            ));
        }
    }
    Ok(())
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
        "short" => lines(SHORT, false),
        "long" => lines(LONG, true),
        _ => Err(format!("no table is called `{name}`")),
    }
}

/// What is recorded of a case.
struct Record {
    case: String,
    instructions: f64,
    ns: f64,
    allocations: f64,
    future: Option<f64>,
    budget: Option<f64>,
}

fn records(name: &str) -> Result<Vec<Record>, String> {
    let results = results(name)?;
    let results = results.as_array().cloned().unwrap_or_default();
    let record = |value: &Value| {
        let figure = |field: &str| value.get(field).and_then(Value::as_f64);
        Some(Record {
            case: value.get("case")?.as_str()?.to_owned(),
            instructions: figure("instructions")?,
            ns: figure("ns")?,
            allocations: figure("allocations")?,
            future: figure("future"),
            budget: figure("budget"),
        })
    };
    let records: Option<Vec<_>> = results.iter().map(record).collect();
    records.ok_or_else(|| format!("{name}: a record lacks a field"))
}

fn results(name: &str) -> Result<Value, String> {
    let text = read(&format!("benches/results/{name}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

/// Returns the table of these lines, with all columns or with the first two.
fn lines(lines: &[Line], all_columns: bool) -> Result<String, String> {
    let records = records("overhead.json")?;
    let mut table = match all_columns {
        true => {
            "| | adds instructions | ns | bytes of future | budget |\n|---|---:|---:|---:|---:|\n"
        }
        false => "| | adds instructions | ns |\n|---|---:|---:|\n",
    }
    .to_owned();
    for (label, groups) in lines {
        let mut found = Vec::new();
        for group in *groups {
            found.push(named(&records, group)?);
        }
        let shown = |figure: fn(&Record) -> Option<f64>| {
            let ranges = found.iter().map(|group| range(group, figure));
            let ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
            ranges.join(" / ")
        };
        let instructions = shown(|record| Some(record.instructions));
        let ns = shown(|record| Some(record.ns));
        table += &format!("| {label} | {instructions} | {ns} |");
        if all_columns {
            table += &format!(" {} | {} |", shown(|record| record.future), budget(&found));
        }
        table.push('\n');
    }
    Ok(table)
}

/// Returns the records of the cases with these names.
fn named<'r>(records: &'r [Record], cases: &[&str]) -> Result<Vec<&'r Record>, String> {
    let find = |case: &&str| {
        let found = records.iter().find(|record| record.case == *case);
        match found {
            None => Err(format!("no result of the case `{case}`")),
            // The documents say so.
            Some(found) if found.allocations > 0.0 => Err(format!("`{case}` allocates")),
            Some(found) => Ok(found),
        }
    };
    cases.iter().map(find).collect()
}

/// Returns the budgets of some groups, and says if one is not met.
fn budget(groups: &[Vec<&Record>]) -> String {
    let budget = |group: &Vec<&Record>| {
        let budget = group.iter().find_map(|record| record.budget)?;
        let met = |record: &&Record| {
            let own = record.budget.unwrap_or(budget);
            record.instructions.round() <= own.round()
        };
        let text = thousands(budget.round() as i64);
        Some(match group.iter().all(met) {
            true => text,
            false => format!("{text}: not met"),
        })
    };
    let budgets: Vec<_> = groups.iter().filter_map(budget).collect();
    budgets.join(" / ")
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
        1000.. => format!("{},{:03}", figure / 1000, figure % 1000),
        _ => figure.to_string(),
    }
}
