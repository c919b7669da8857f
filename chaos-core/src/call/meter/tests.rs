//! What a meter and a window show, compared with the calls themselves.

use std::{
    sync::atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};

use super::{CallMeter, CallStats, CallWindow, buckets::Buckets};

const SLOTS: u32 = 4;

fn read(window: &CallWindow<2>, meter: &CallMeter<2>) -> [CallStats; 2] {
    let mut reading = [CallStats::new(true), CallStats::new(true)];
    window.read(meter, &mut reading);
    reading
}

/// From some nanoseconds to some hours.
fn latency() -> impl Strategy<Value = Duration> {
    (0..44_u32, 0..1_u64 << 20)
        .prop_map(|(power, part)| Duration::from_nanos((1 << power) + ((part << power) >> 20)))
}

/// Returns the latency that `quantile` of them do not exceed.
fn exact(latencies: &[Duration], quantile: f64) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted[rank.max(1) - 1].as_secs_f64()
}

proptest! {
    #[test]
    fn quantiles_are_within_five_percent(
        latencies in vec(latency(), 1..200),
        quantile in 0.001..0.9999_f64,
        bound in latency(),
    ) {
        let meter = CallMeter::<2>::new(Some(bound));
        for latency in &latencies {
            meter.add(1, *latency, false);
        }
        let [none, all] = read(&CallWindow::new(SLOTS, true), &meter);
        prop_assert_eq!((none.calls, none.quantile(quantile, bound)), (0, 0.0));
        let (measured, exact) = (all.quantile(quantile, bound), exact(&latencies, quantile));
        // Below a microsecond, a bucket is 64 ns wide. The nanosecond more is for the rounding of the seconds.
        let off = (measured - exact).abs();
        prop_assert!(off <= exact * 0.05 || off <= 33e-9, "{} is {}", exact, measured);
        // It is on the right side of the bound, however near.
        prop_assert_eq!(measured > bound.as_secs_f64(), exact > bound.as_secs_f64());
    }

    /// A window holds the calls of its slots, as a list of them would.
    #[test]
    fn a_window_holds_its_slots(
        steps in vec((0..3_u64, 0..2_usize, latency(), any::<bool>(), 0..9_u8), 1..100),
    ) {
        let meter = CallMeter::<2>::new(Some(Duration::from_millis(1)));
        let mut window = CallWindow::new(SLOTS, true);
        let mut number = 0;
        let mut calls: Vec<(u64, usize, Duration, bool)> = Vec::new();
        for (later, group, latency, failed, what) in steps {
            number += later;
            window.begin(number, &meter);
            calls.retain(|(slot, ..)| slot + u64::from(SLOTS) > number);
            match what {
                0 => {
                    window.reset(&meter);
                    calls.clear();
                }
                // One of the calls turns out to have failed.
                1 if !calls.is_empty() => {
                    let at = calls.len() / 2;
                    let (slot, group, _, failed) = &mut calls[at];
                    if !*failed {
                        *failed = true;
                        window.fail(*slot, *group, &meter);
                    }
                }
                _ => {
                    meter.add(group, latency, failed);
                    calls.push((number, group, latency, failed));
                }
            }
            for (group, stats) in read(&window, &meter).iter().enumerate() {
                let of_group = calls.iter().filter(|call| call.1 == group);
                let failed = of_group.clone().filter(|call| call.3).count();
                prop_assert_eq!(stats.calls, of_group.clone().count() as u64);
                prop_assert_eq!(stats.failed, failed as u64);
                let latencies: Vec<_> = of_group.map(|call| call.2).collect();
                if !latencies.is_empty() {
                    let off = stats.quantile(0.5, Duration::from_millis(1)) - exact(&latencies, 0.5);
                    prop_assert!(off.abs() <= exact(&latencies, 0.5) * 0.05 + 32e-9);
                }
            }
        }
    }
}

/// A call that failed after its slot had left is one of the newest.
#[test]
fn a_late_failure_is_a_call_of_now() {
    let meter = CallMeter::<2>::new(None);
    let mut window = CallWindow::new(SLOTS, false);
    window.begin(7, &meter);
    meter.add(0, Duration::ZERO, false);
    window.begin(20, &meter);
    window.fail(7, 0, &meter);
    let [stats, _] = read(&window, &meter);
    assert_eq!((stats.calls, stats.failed), (1, 1));
}

/// Threads add while windows move and are read, and no call is lost or counted twice.
#[test]
fn no_call_is_lost() {
    const CALLS: u64 = 50_000;
    const THREADS: u64 = 4;
    let meter = CallMeter::<2>::new(Some(Duration::from_millis(1)));
    let add = || {
        for n in 0..CALLS {
            let latency = Duration::from_micros(n % 2000);
            meter.add((n % 2) as usize, latency, n % 5 == 0);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(add)).collect();
        let mut window = CallWindow::new(3, true);
        for number in 1.. {
            window.begin(number, &meter);
            let [first, second] = read(&window, &meter);
            assert!(first.calls + second.calls <= THREADS * CALLS);
            if threads.iter().all(ScopedJoinHandle::is_finished) {
                break;
            }
        }
    });
    // A window that has not moved has them all.
    let [first, second] = read(&CallWindow::new(SLOTS, true), &meter);
    assert_eq!(first.calls + second.calls, THREADS * CALLS);
    assert_eq!(first.failed + second.failed, THREADS * CALLS / 5);
    assert_eq!(first.late + second.late, THREADS * CALLS / 2000 * 999);
    let most = Duration::from_millis(1);
    assert!((first.quantile(0.5, most) - 0.001).abs() < 0.001 * 0.05);
}

/// A bucket of 32 bits began again at 0 after a day of 50,000 calls a second.
#[test]
fn a_bucket_has_room_for_a_day() {
    const CALLS: u64 = 24 * 60 * 60 * 50_000;
    let (buckets, latency) = (Buckets::default(), Duration::from_millis(1));
    buckets.add_many(latency, CALLS - 1);
    buckets.add(latency);
    let mut stats = CallStats::new(true);
    stats.absorb_latencies(&buckets);
    let counts: Vec<_> = stats.histogram().map(|(_, calls)| calls).collect();
    assert_eq!(counts, [CALLS]);
}

/// More of them once had failed than there were: calls that began and failed while the stripes were read.
#[test]
fn no_more_calls_have_failed_than_there_are() {
    let meter = CallMeter::<64>::new(None);
    let (turn, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    // One of two threads counts calls, and each fails on the other one, in another stripe.
    let take_turns = &|mine: usize| {
        while !is_done.load(Relaxed) {
            if turn.load(Acquire) == mine {
                match mine {
                    0 => meter.add(0, Duration::ZERO, false),
                    _ => meter.fail(0),
                }
                turn.store(1 - mine, Release);
            } else {
                thread::yield_now();
            }
        }
    };
    let mut reading = [(); 64].map(|()| CallStats::new(false));
    let is_torn = thread::scope(|scope| {
        for mine in 0..2 {
            scope.spawn(move || take_turns(mine));
        }
        let is_torn = (0..20_000).any(|_| {
            meter.read(&mut reading);
            reading[0].failed > reading[0].calls
        });
        is_done.store(true, Relaxed);
        is_torn
    });
    assert!(!is_torn, "{:?}", reading[0]);
}
