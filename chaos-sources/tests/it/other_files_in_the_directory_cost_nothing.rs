//! What is written next to a rules file causes no reads of it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use chaos_core::Injector;
use chaos_sources::FileSource;
use notify::{EventKind, RecursiveMode, Watcher, event::AccessKind};

use crate::support::watched::{LONG, Watched, rules, wait};

/// Counts how often the file is opened.
fn opened(path: &Path) -> (impl Watcher + use<>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if matches!(event.unwrap().kind, EventKind::Access(AccessKind::Open(_))) {
            counting.fetch_add(1, Relaxed);
        }
    })
    .unwrap();
    watcher.watch(path, RecursiveMode::NonRecursive).unwrap();
    (watcher, count)
}

/// Writes a thousand lines to the file, one each millisecond.
fn write_lines(path: &Path) {
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    for _ in 0..1000 {
        log.write_all(b"a line\n").unwrap();
        wait(Duration::from_millis(1));
    }
}

#[test]
fn a_log_next_to_a_rules_file_causes_no_reads() {
    let watched = Watched::new(&rules("a"));
    let log = watched.folder.path().join("log");
    let (_watcher, count) = opened(&watched.path);
    fs::read(&watched.path).unwrap();
    write_lines(&log);
    // The read of this test and, every five seconds, one without a notification.
    let reads = count.load(Relaxed);
    assert!((1..6).contains(&reads), "{reads}");

    // A change in between is seen.
    std::thread::scope(|scope| {
        scope.spawn(|| write_lines(&log));
        watched.replace(rules("ab"));
        watched.until_loaded(2);
    });
}

/// Without a change of what it says.
#[test]
fn a_rules_file_that_is_touched_all_the_time_is_read_a_few_times() {
    let watched = Watched::new(&rules("a"));
    let (_watcher, count) = opened(&watched.path);
    let file = OpenOptions::new().append(true).open(&watched.path).unwrap();
    for _ in 0..1000 {
        file.set_len(rules("a").len() as u64).unwrap();
        wait(Duration::from_millis(1));
    }
    let reads = count.load(Relaxed);
    assert!(reads < 200, "{reads}");
}

/// Neither the path's own name nor `..data`.
#[test]
fn each_link_on_the_way_is_known_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, names) in [("one", "a"), ("two", "ab")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("file.json"), rules(names)).unwrap();
    }
    symlink("one", at("third")).unwrap();
    symlink("third", at("second")).unwrap();
    symlink("second/file.json", at("first")).unwrap();
    symlink("first", at("rules.json")).unwrap();
    let source = FileSource::new(at("rules.json")).look_every(10 * LONG);
    let watching = source.watch(&Injector::new()).unwrap();
    let is_loaded = |rules| {
        watching
            .handle()
            .wait_until(|status| status.rules == rules, LONG)
    };
    assert!(is_loaded(1));
    symlink("two", at("new")).unwrap();
    fs::rename(at("new"), at("third")).unwrap();
    assert!(is_loaded(2));
    fs::write(at("two/file.json"), rules("abc")).unwrap();
    assert!(is_loaded(3));
}
