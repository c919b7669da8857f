//! What the library costs: `cargo bench` prints one table, with the target of each row beside it.
//!
//! ```text
//! cargo bench -p benches                                   # the table
//! cargo bench -p benches -- --check                        # and fail if a target is missed
//! cargo bench -p benches --features compile-out -- --check # the library compiled out: +0
//! cargo bench -p benches --bench release                   # how soon a halt lets everyone go
//! cargo bench -p benches --bench edits                     # how long an edit of 10,000 rules takes
//! ```
//!
//! A row is a [`Case`]: a caller that a compiler cannot see through, with a site in it,
//! beside the same caller without. Three things are measured, and the row shows what the site adds.
//!
//! - **Instructions** are what the targets are about: they repeat on any machine, while nanoseconds
//!   wander with its clock. They are counted under valgrind's callgrind ([`callgrind`]).
//! - **Allocations** are counted by a wrapper around the system's allocator. It is there in every
//!   row, so it adds a little to the bare figure of a row that allocates, and nothing to what a
//!   site adds.
//! - **Nanoseconds** are the median of many short rounds, in which a case and its bare case take
//!   turns ([`clock`]). For scale, not for judging: where the code happens to be laid out is worth
//!   about a nanosecond either way.
//!
//! Without valgrind the table has no instructions and says so; with `--check` that is a failure.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod case;
pub mod cases;
pub mod clock;
pub mod edits;
pub mod release;
mod rules;
mod service;
pub mod table;
pub mod threads;

use std::process::ExitCode;

use crate::{
    case::Case,
    table::{Row, Verdict},
};

/// Runs the bench with its command line, the program's own name left out.
///
/// # Panics
/// If a case does what none should: fire, or not answer at once.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: this is its output"
)]
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cases = cases::all();

    if let [callgrind::COUNT, name, calls, shift] = arguments[..] {
        let case = cases.iter().find(|case| case.name == name);
        let _shifts_the_heap = vec![0_u8; shift.parse().expect("a number of bytes")];
        let calls = calls.parse().expect("a number of calls");
        case.expect("a case of the table").start()(calls);
        return ExitCode::SUCCESS;
    }
    // What `cargo test --benches` asks for: does it run at all?
    if !arguments.contains(&"--bench") {
        for case in &cases {
            case.start()(2);
        }
        return ExitCode::SUCCESS;
    }

    let mut rows: Vec<Row<'_>> = cases.iter().map(|case| measure(case, &cases)).collect();
    let counted = callgrind::count_all(&cases);
    match &counted {
        Ok(counts) => table::fill_in(&mut rows, counts),
        Err(problem) => eprintln!("no instructions were counted: {problem}"),
    }
    println!("{}", table::render(&rows));
    println!("{}", table::LEGEND);
    if !chaos_core::COMPILED_OUT {
        println!("{}\n{}", threads::report(), sizes());
    }

    let missed = rows.iter().any(|row| row.verdict() == Verdict::Missed);
    match (arguments.contains(&"--check"), missed, counted.is_err()) {
        (true, true, _) => eprintln!("a target is missed"),
        (true, _, true) => eprintln!("--check needs valgrind"),
        _ => return ExitCode::SUCCESS,
    }
    ExitCode::FAILURE
}

/// All of a row but the instructions.
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

/// The sizes that signatures and futures of users carry.
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
