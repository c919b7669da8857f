//! Nanoseconds per call, on a machine whose clock wanders.

use std::time::{Duration, Instant};

use crate::case::Run;

/// Medians, in nanoseconds per call.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Of the case.
    pub case: f64,
    /// Of what it took longer than its base in the same round.
    pub over_base: Option<f64>,
}

const ROUNDS: usize = 401;
/// Long beside the two clock readings, short beside whatever disturbs the machine.
const ROUND: Duration = Duration::from_micros(50);

/// Times a case and its base in turns, so that both meet the same weather.
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
    Times {
        case: median(&mut times).expect("there were rounds"),
        over_base: median(&mut differences),
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

/// The middle one; `None` if there are none.
pub fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// How long `work` takes.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures the machine, not an injector's time"
)]
pub fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
