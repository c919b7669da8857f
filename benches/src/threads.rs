//! Measures whether two threads on one armed, guarded or watched site slow each other down.

use std::{sync::Barrier, thread, time::Duration};

use crate::{
    case::Run,
    cases::{armed_calls, armed_here, bare_function, guarded_calls, idle_calls, watched_calls},
    clock::{elapsed, median},
};

const ROUNDS: usize = 101;
const CALLS: u64 = 5_000;

/// Measures the speed of two threads relative to one, and returns lines of text. It has no check: on a
/// machine with shared cores, two threads are slower anyway, and what has no site shows only by how much on
/// average.
#[must_use]
pub fn report() -> String {
    let _armed = crate::cases::arm();
    let (bare, armed) = (
        speed_beside_another(|| calls_of(bare_function)),
        speed_beside_another(|| calls_of(armed_here)),
    );
    let (unguarded, guarded) = (
        speed_beside_another(armed_calls()),
        speed_beside_another(guarded_calls()),
    );
    let (idle, watched) = (
        speed_beside_another(idle_calls()),
        speed_beside_another(watched_calls()),
    );
    format!(
        "two threads on one armed site: each has {:.2} of one thread's speed \
         ({armed:.2}, against {bare:.2} without a site); the target is at least 0.95\n\
         two threads on one guarded layer: each has {:.2} of one thread's speed \
         ({guarded:.2}, against {unguarded:.2} without a guard rail); the target is at least 0.95\n\
         two threads on one watched layer: each has {:.2} of one thread's speed \
         ({watched:.2}, against {idle:.2} if nobody watches); the target is at least 0.95",
        armed / bare,
        guarded / unguarded,
        watched / idle,
    )
}

fn calls_of(function: fn(u64) -> Result<u64, chaos_core::Injected>) -> Run {
    Box::new(move |calls| (0..calls).for_each(|n| drop(std::hint::black_box(function(n)))))
}

/// Returns the speed of each of two threads as a fraction of the speed of one alone: the median of all
/// rounds.
fn speed_beside_another(make: impl Fn() -> Run + Sync) -> f64 {
    let mut shares: Vec<f64> = (0..ROUNDS)
        .map(|_| run(&make, 1).as_secs_f64() / run(&make, 2).as_secs_f64())
        .collect();
    median(&mut shares).expect("there were rounds")
}

/// Returns the mean time of `count` threads that start together.
fn run(make: &(impl Fn() -> Run + Sync), count: u32) -> Duration {
    let start = Barrier::new(count as usize);
    let work = || {
        let mut calls = make();
        // A thread's first calls assign its number and seed its random number generator.
        calls(100);
        start.wait();
        elapsed(|| calls(CALLS))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let times = threads
            .into_iter()
            .map(|thread| thread.join().expect("it only calls"));
        times.sum::<Duration>() / count
    })
}
