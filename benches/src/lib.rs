//! Measures what the library costs. `cargo bench` prints one table, in which each row has its target.
//!
//! ```text
//! cargo bench -p benches                                   # the table
//! cargo bench -p benches -- --check                        # the table; fails if a target is missed, or a row grew
//! cargo bench -p benches --bench overhead -- --write       # the table, and the file of results (`cargo xtask costs`)
//! cargo bench -p benches --features compile-out -- --check # compiled out: each row must be +0
//! cargo bench -p benches --bench release                   # how soon a halt releases waiting calls
//! cargo bench -p benches --bench edits                     # how long edits take, of 10,000 rules or at 2,000 sites
//! cargo bench -p benches --bench edits -- --check          # fails if their cost grows faster than it may
//! cargo bench -p benches --bench growth -- --write         # how cost grows, and the file of it (`cargo xtask growth`)
//! ```
//!
//! A row is a [`Case`]: it compares an opaque caller that contains a site with an equal caller without
//! one. Three things are measured, and the row shows what the site adds.
//!
//! - **Instructions** have the targets, because their counts are reproducible, while times vary with
//!   the machine's clock frequency. They are counted under valgrind's callgrind ([`callgrind`]).
//! - **Allocations** are counted by a wrapper around the system's allocator. The wrapper is present in
//!   every row, so it adds a little to the absolute figure of a row that allocates, and nothing to what
//!   a site adds.
//! - **Nanoseconds** are the median of many short rounds, in which a case and its base alternate
//!   ([`clock`]). They give the scale and have no target: the layout of the code alone changes them by
//!   about a nanosecond in either direction.
//!
//! With `--check`, a row fails if it misses its budget, or costs more than `benches/results/overhead.json` has, a few
//! instructions apart ([`gate`]). That file is the one table of what each row was and may be: a row that got better is
//! written there by `cargo xtask costs`, and may not fall back.
//!
//! Without valgrind, the table has no instruction counts and says so; with `--check`, that is a failure.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod case;
pub mod cases;
pub mod clock;
pub mod edits;
pub mod gate;
pub mod growth;
pub mod release;
pub mod results;
mod rules;
pub mod service;
pub mod table;
pub mod threads;

use std::process::ExitCode;

use crate::{
    case::Case,
    table::{Row, Verdict},
};

/// The file of the results of this program.
const RESULTS: &str = "overhead.json";

/// Runs the bench. `arguments` is its command line without the program's name.
///
/// # Panics
/// Panics as [`run`] does.
#[expect(clippy::print_stdout, reason = "a program: this is its output")]
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    run(arguments, &cases::all(), RESULTS, || {
        if !chaos_core::COMPILED_OUT {
            println!("{}\n{}", threads::report(), sizes());
        }
    })
}

/// Runs a bench of `cases`, whose recorded results are in the file called `results`. `more` prints what is
/// measured besides the table.
///
/// # Panics
/// Panics if a case doesn't complete at once, which every case should, or if the internal arguments after
/// [`callgrind::COUNT`] are invalid.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: this is its output"
)]
pub fn run(
    arguments: impl Iterator<Item = String>,
    cases: &[Case],
    results: &str,
    more: impl FnOnce(),
) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();

    if let [callgrind::COUNT, name, calls, shift] = arguments[..] {
        let case = cases.iter().find(|case| case.name == name);
        let _shifts_the_heap = vec![0_u8; shift.parse().expect("a number of bytes")];
        let calls = calls.parse().expect("a number of calls");
        case.expect("a case of the table").start()(calls);
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` only checks that it runs.
    if !arguments.contains(&"--bench") {
        for case in cases {
            case.start()(2);
        }
        return ExitCode::SUCCESS;
    }

    let mut rows: Vec<Row<'_>> = cases.iter().map(|case| measure(case, cases)).collect();
    let counted = count(cases, &mut rows);
    if let Err(problem) = &counted {
        eprintln!("cannot count instructions: {problem}");
    }
    println!("{}", table::render(&rows));
    println!("{}", table::LEGEND);
    more();

    let mut problems = Vec::new();
    if arguments.contains(&"--check") {
        problems.extend(counted.err().map(|_| "--check needs valgrind".to_owned()));
        match check(results, &rows) {
            Ok(failed) => problems.extend(failed),
            Err(error) => problems.push(error),
        }
    }
    if arguments.contains(&"--write") {
        problems.extend(results::write(results, &rows).err());
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Returns a line of text for each row that fails the check. Compiled out, the rows have no recorded results, only
/// budgets of 0.
fn check(results: &str, rows: &[Row<'_>]) -> Result<Vec<String>, String> {
    if chaos_core::COMPILED_OUT {
        return Ok(gate::over_budget(rows));
    }
    let mut failed = gate::over_budget(rows);
    failed.extend(gate::worse(&results::read(results)?, rows));
    Ok(failed)
}

/// Counts the instructions of all rows, and those of rows that miss a target once more: a hash seed can add a
/// few to the count of one process.
fn count(cases: &[Case], rows: &mut [Row<'_>]) -> Result<(), String> {
    let mut counts = callgrind::count_all(cases.iter())?;
    table::fill_in(rows, &counts);
    let missed = rows.iter().filter(|row| row.verdict() == Verdict::Missed);
    let again: Vec<_> = missed
        .flat_map(|row| [Some(row.case), row.base])
        .flatten()
        .collect();
    for (name, count) in callgrind::count_all(again.into_iter())? {
        let least = counts.entry(name).or_insert(count);
        *least = least.min(count);
    }
    table::fill_in(rows, &counts);
    Ok(())
}

/// Measures everything in a row except the instructions.
fn measure<'c>(case: &'c Case, cases: &'c [Case]) -> Row<'c> {
    let base = case.base_in(cases);
    let mut run = case.start();
    let mut run_base = base.map(Case::start);
    let allocations = allocations_of(&mut run);
    let base_allocations = run_base.as_mut().map_or(0.0, allocations_of);
    let times = clock::take_turns(&mut run, run_base.as_mut());
    Row {
        case,
        base,
        times,
        allocations: allocations - base_allocations,
        instructions: None,
        limit: None,
    }
}

fn allocations_of(run: &mut case::Run) -> f64 {
    const CALLS: u32 = 1000;
    let counted = allocation_counter::measure(|| run(CALLS.into()));
    counted.count_total as f64 / f64::from(CALLS)
}

/// Returns the sizes of the types that users hold in signatures and futures.
fn sizes() -> String {
    use chaos_core::{Decision, Injected};
    format!(
        "bytes: {} Injected, {} Result<(), Injected>, {} Option<Decision>, {} InjectLayer",
        size_of::<Injected>(),
        size_of::<Result<(), Injected>>(),
        size_of::<Option<Decision>>(),
        size_of::<chaos_tower::InjectLayer>(),
    )
}
