//! Edits and halts while another thread makes calls, by the number of rules at one site.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{Call, Clock, Injector};
use http::{HeaderMap, Method, Uri};

use crate::{
    edits::{cpu, halt, many},
    growth::{Effort, Line, Point, ms},
};

const PICTURE: &str = "edits under load";

pub(super) fn points(effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    let mut point = |series, count, times: Vec<Duration>| {
        let line = Line {
            picture: PICTURE,
            series,
        };
        points.push(line.point(count, times.into_iter().map(ms).collect()));
    };
    for count in effort.powers_of_ten(100_000).filter(|&count| count >= 10) {
        let injector = many::roomy();
        let rounds = 1..=effort.rounds.min(7);
        let replace = |round: usize| {
            let rules = many::at_one_site(count, round as u64);
            let (time, replaced) = cpu::spent(|| injector.replace(rules));
            replaced.expect("the ids differ");
            time
        };
        let alone = rounds.clone().map(replace).collect();
        point("replace all rules, no calls", count, alone);
        let (replaced, toggled, halted) = under_calls(&injector, || {
            let replaced = rounds.clone().map(replace).collect();
            let toggled = rounds.clone().map(|n| many::toggle(&injector, n)).collect();
            let halted = rounds.clone().map(|_| halt_once(&injector)).collect();
            (replaced, toggled, halted)
        });
        point("replace all rules", count, replaced);
        point("toggle a rule", count, toggled);
        point("halt", count, halted);
    }
    // A replace of fewer is over before the halt begins.
    for count in [10_000, 30_000, 100_000] {
        if count <= effort.most {
            let rounds = 0..effort.rounds.min(7);
            let halts = rounds.map(|_| halt::during_replace(count).0).collect();
            point("halt amid a replace", count, halts);
        }
    }
    points
}

/// Returns the time of day that a halt takes until it has returned.
fn halt_once(injector: &Injector) -> Duration {
    let clock = Clock::monotonic();
    let start = clock.now();
    injector.halt("a bench");
    let halted = clock.now() - start;
    injector.resume();
    halted
}

/// Does `work` while another thread makes calls at the site of the rules.
fn under_calls<T>(injector: &Injector, work: impl FnOnce() -> T) -> T {
    let (site, stop) = (injector.site("bench.many"), &AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let (uri, headers) = (Uri::from_static("/products/7"), HeaderMap::new());
            while !stop.load(Ordering::Relaxed) {
                assert!(
                    site.decide(&Call::http(&Method::GET, &uri, &headers))
                        .is_none()
                );
            }
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        done
    })
}
