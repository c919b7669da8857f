//! What a call takes, by the number of threads that call one site at once.

use std::{num::NonZeroU64, sync::Barrier, thread};

use chaos_core::{Fault, GuardRail, Injector, Rate, Rule, Trigger};

use serde::Serialize;

use crate::{
    case::Run,
    cases::http::{SITE, calls_of, calls_of_layer, request},
    clock::median,
    edits::cpu,
    growth::{Effort, Line, Point, three_digits},
    rules::{hitting, never_firing},
    service::{Plain, opaque},
};

const CALLS: u64 = 5_000;

/// What a call takes, in nanoseconds of processor time.
#[derive(Clone, Debug, Serialize)]
pub struct Two {
    /// What calls.
    pub case: String,
    /// The median on one thread.
    pub one: f64,
    /// The median on each of two threads.
    pub two: f64,
}

/// Measures the calls of one thread, and of two at once. Each makes the calls of one result of `make`.
pub fn two_threads(case: &str, make: &(dyn Fn() -> Run + Sync)) -> Two {
    // In turn, so that a disturbance meets both alike.
    let rounds = (0..101).map(|_| (per_call(make, 1), per_call(make, 2)));
    let (mut one, mut two): (Vec<_>, Vec<_>) = rounds.unzip();
    let median = |times: &mut [f64]| median(times).map_or(0.0, three_digits);
    Two {
        case: case.to_owned(),
        one: median(&mut one),
        two: median(&mut two),
    }
}

/// A line: its name, and its rule.
type Kind = (&'static str, fn() -> Rule);

pub(super) fn points(effort: Effort) -> Vec<Point> {
    let kinds: [Kind; 5] = [
        ("armed, not hit", || never_firing("never", SITE)),
        ("limit, not hit", || {
            let limit = NonZeroU64::new(1_000_000).expect("it is not 0");
            let rate = Rate::new(1e-18).expect("a share");
            let trigger = Trigger::new().rate(rate).limit(limit);
            never_firing("never", SITE).trigger(trigger)
        }),
        ("seed, not hit", || {
            let rate = Rate::new(1e-18).expect("a share");
            never_firing("never", SITE).trigger(Trigger::new().rate(rate).seed(7))
        }),
        ("guard rail, not hit", || {
            let rail = GuardRail::new().error_ratio(Rate::new(0.5).expect("a share"));
            never_firing("never", SITE).guard(rail)
        }),
        ("hit by a status", || {
            hitting(SITE, Fault::status(503).expect("a status"))
        }),
    ];
    let mut points = Vec::new();
    let mut line = |series, calls: &(dyn Fn() -> Run + Sync)| {
        let line = Line {
            picture: "threads",
            series,
        };
        for threads in [1, 2, 4] {
            let rounds = 0..effort.rounds * 2;
            let times = rounds.map(|_| per_call(calls, threads)).collect();
            points.push(line.point(threads, times));
        }
    };
    line("no layer", &|| calls_of(opaque(Plain), request));
    for (series, rule) in kinds {
        let injector = Injector::new();
        injector.put(rule());
        line(series, &|| calls_of_layer(&injector, request));
    }
    points
}

/// Returns the processor time of a call in nanoseconds: the mean of the threads.
fn per_call(calls: &(dyn Fn() -> Run + Sync), threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let work = || {
        let mut run = calls();
        // A thread's first calls assign its number and seed its random number generator.
        run(100);
        start.wait();
        cpu::spent(|| run(CALLS)).0.as_nanos() as f64
    };
    let spent: f64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let spent = threads.into_iter().map(thread::ScopedJoinHandle::join);
        spent.map(|spent| spent.expect("it only calls")).sum()
    });
    spent / (threads as u64 * CALLS) as f64
}

#[cfg(all(test, not(feature = "compile-out")))]
mod tests {
    use crate::cases::watched_calls;

    use super::*;

    /// Threads that wrote to the same counts took several times as long. The bound leaves room for an unoptimized build
    /// on a busy machine.
    #[test]
    fn two_threads_at_a_watched_site_do_not_slow_each_other_down() {
        let Two { one, two, .. } = two_threads("watched", &watched_calls());
        assert!(one > 0.0 && two <= 1.5 * one, "{one} ns, and {two} ns");
    }
}
