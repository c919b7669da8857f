//! Exact instruction counts: this program runs itself under callgrind.
//!
//! One child makes N calls of a case and another makes 2N. They start, set up and end alike, so
//! the difference is N calls and nothing else; the same is done for the bare case, and subtracted.
//! No markers in the code, no tool beside valgrind. What is left of the set-up (hash seeds, the
//! allocator's mood) is a few hundred instructions over thousands of calls; a case that depends on
//! where its strings lie is counted with the heap in several places.

use std::{
    collections::HashMap,
    env, io,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use crate::case::Case;

/// The argument that makes this program such a child: `--count CASE CALLS SHIFT`.
pub const COUNT: &str = "--count";

/// Bytes by which the heap is shifted, in the cases that depend on where it lies: glibc compares
/// strings in four instructions more where one of them ends near the end of a page.
const SHIFTS: [usize; 4] = [0, 300, 1000, 2000];

/// Instructions per call, by name of the case.
pub type Counts = HashMap<&'static str, f64>;

/// Counts every case.
///
/// # Errors
/// If valgrind is missing, or what it says is not understood.
pub fn count_all(cases: &[Case]) -> Result<Counts, String> {
    let waiting = Mutex::new(cases.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || -> Result<Counts, String> {
        let count = |case: &Case| Ok((case.name, count(case)?));
        std::iter::from_fn(next).map(count).collect()
    };
    thread::scope(|scope| {
        // Other work on the machine changes nanoseconds, not counts.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut all = Counts::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| "a counting thread panicked")??);
        }
        Ok(all)
    })
}

/// The least of the counts: no string at the end of a page.
fn count(case: &Case) -> Result<f64, String> {
    let shifts = if case.noise == 0 {
        &SHIFTS[..1]
    } else {
        &SHIFTS
    };
    let counts: Result<Vec<f64>, String> =
        shifts.iter().map(|&shift| count_at(case, shift)).collect();
    Ok(counts?.into_iter().fold(f64::INFINITY, f64::min))
}

fn count_at(case: &Case, shift: usize) -> Result<f64, String> {
    let once = run(case, case.calls, shift)?;
    let twice = run(case, 2 * case.calls, shift)?;
    Ok((twice as f64 - once as f64) / case.calls as f64)
}

/// All instructions of one child.
fn run(case: &Case, calls: u64, shift: usize) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([COUNT, case.name, &calls.to_string(), &shift.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "valgrind is not installed".to_owned(),
            _ => format!("valgrind: {error}"),
        })?;
    let said = String::from_utf8_lossy(&child.stderr);
    // ==pid== Collected : 123456
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected
        .filter(|_| child.status.success())
        .ok_or_else(|| format!("valgrind on {:?}: {}\n{said}", case.name, child.status))
}
