//! A file that never rests is in force all the same.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use chaos_core::Injector;

use crate::support::watched::{Watched, rules, wait};

/// Writes version after version at this pace while `check` runs.
fn while_it_changes(
    watched: &Watched,
    every: Duration,
    version: impl Fn(u64) -> String + Sync,
    check: impl FnOnce(),
) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for at in 0.. {
                if is_over.load(Relaxed) {
                    break;
                }
                watched.replace(version(at));
                wait(every);
            }
        });
        // Also if the check panics, since the scope waits for the writer.
        let _over = SetOnDrop(&is_over);
        check();
    });
}

struct SetOnDrop<'b>(&'b AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_file_that_never_rests_is_in_force() {
    for every in [80, 10, 1] {
        let watched = Watched::new(&rules("a"));
        let version = |at| rules("a").replace("db.a", &format!("db.{at}"));
        while_it_changes(&watched, Duration::from_millis(every), version, || {
            for generation in 2..5 {
                watched.until(|status| status.generation >= Some(generation));
            }
        });
        // The last version, too.
        watched.replace(rules("abc"));
        watched.until_loaded(3);
    }
}

/// Each second version is half a file.
#[test]
fn half_of_a_file_that_never_rests_does_not_keep_the_other_versions_out() {
    let watched = Watched::new(&rules("a"));
    let version = |at| match at % 2 {
        0 => rules("a").replace("db.a", &format!("db.{at}")),
        _ => format!("{{ {at}"),
    };
    while_it_changes(&watched, Duration::from_millis(80), version, || {
        for generation in 2..5 {
            watched.until(|status| status.generation >= Some(generation));
        }
    });
    // What it says in the end is not hidden by what was in force.
    watched.replace("{");
    watched.refused_for("EOF");
}

#[test]
fn the_status_says_that_a_file_that_never_rests_is_invalid() {
    let watched = Watched::at(&Injector::new(), "rules.json", &rules("a"));
    let version = |at| format!("{{ {at}");
    while_it_changes(&watched, Duration::from_millis(80), version, || {
        watched.refused();
    });
    assert_eq!(watched.ids(), "a");
}
