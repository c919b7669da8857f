//! Counts instructions exactly: the program runs itself under callgrind.
//!
//! One child process makes N calls of a case, and another makes 2N. Their start, set-up and end are
//! equal, so the difference is N calls and nothing else. The base case is counted alike and subtracted.
//! This needs no markers in the code and no tool besides valgrind. The set-up still varies (hash seeds,
//! the allocator's state) by a few hundred instructions over thousands of calls. A case whose count
//! depends on the addresses of its strings is counted with the heap at several offsets.

use std::{
    collections::HashMap,
    env, io,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use crate::case::Case;

/// The argument that makes this program a counted child process: `--count CASE CALLS SHIFT`.
pub const COUNT: &str = "--count";

/// The offsets of the heap, in bytes, for cases whose count depends on addresses: glibc needs four more
/// instructions to compare strings if one of them ends near the end of a page.
const SHIFTS: [usize; 4] = [0, 300, 1000, 2000];

/// Instructions per call, by the case's name.
pub type Counts = HashMap<&'static str, f64>;

/// Counts the instructions of all cases, on as many threads as there are cores.
///
/// # Errors
/// Returns an error if valgrind is missing or fails, or if its output cannot be parsed.
pub fn count_all<'c>(cases: impl Iterator<Item = &'c Case> + Send) -> Result<Counts, String> {
    let waiting = Mutex::new(cases);
    let next = || waiting.lock().ok()?.next();
    let work = || -> Result<Counts, String> {
        let count = |case: &Case| Ok((case.name, count(case)?));
        std::iter::from_fn(next).map(count).collect()
    };
    thread::scope(|scope| {
        // Concurrent work changes times, and not counts.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut all = Counts::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| "a counting thread panicked")??);
        }
        Ok(all)
    })
}

/// Returns the lowest of the counts: the one in which no string ends near the end of a page.
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

/// Returns the number of instructions of one child process.
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
