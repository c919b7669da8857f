//! Measures nanoseconds per call on a machine whose clock frequency varies.

use std::time::{Duration, Instant};

use crate::case::Run;

/// Median times in nanoseconds per call.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The median of the case.
    pub case: f64,
    /// The median of the differences between the case and its base in the same round.
    pub over_base: Option<f64>,
    /// The quartiles of the differences, or of the times of a case without a base.
    pub quartiles: [f64; 2],
}

const ROUNDS: usize = 401;
/// The duration of a round: long compared with two clock readings, and short compared with disturbances
/// by other processes.
const ROUND: Duration = Duration::from_micros(50);

/// Times a case and its base in alternating rounds, so that disturbances affect both alike.
pub fn take_turns(run: &mut Run, mut base: Option<&mut Run>) -> Times {
    let calls = calls_of_a_round(run);
    let (mut times, mut differences) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let time = per_call(run, calls);
        times.push(time);
        if let Some(base) = &mut base {
            differences.push(time - per_call(base, calls));
        }
    }
    let case = median(&mut times).unwrap_or_default();
    let over_base = median(&mut differences);
    let spread = if base.is_some() { differences } else { times };
    Times {
        case,
        over_base,
        quartiles: [spread[ROUNDS / 4], spread[ROUNDS * 3 / 4]],
    }
}

fn calls_of_a_round(run: &mut Run) -> u64 {
    let mut calls = 16;
    while elapsed(|| run(calls)) < ROUND {
        calls *= 2;
    }
    calls
}

fn per_call(run: &mut Run, calls: u64) -> f64 {
    elapsed(|| run(calls)).as_nanos() as f64 / calls as f64
}

/// Sorts `times` and returns their median, or `None` if there are none.
pub fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// Runs `work` and returns how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures the machine, not an injector's time"
)]
pub fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
