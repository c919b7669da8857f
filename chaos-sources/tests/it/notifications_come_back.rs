//! Whatever happens to the directories of a file, and to what the system can spare, its changes are
//! notified of as soon as they can be, and the status says whether they are.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::Duration,
};

use chaos_core::Injector;
use chaos_sources::{FileSource, Watching};

use crate::support::watched::{LONG, rules, wait};

/// Followed by notifications alone.
fn watch(path: &Path) -> Watching {
    let source = FileSource::new(path).look_every(10 * LONG);
    source.watch(&Injector::new()).unwrap()
}

fn until_loaded(watching: &Watching, rules: usize) {
    let is_loaded = |status: &chaos_sources::SourceStatus| status.rules == rules;
    assert!(
        watching.handle().wait_until(is_loaded, LONG),
        "{rules}: {:?}",
        watching.status()
    );
    assert!(watching.status().is_notified);
}

/// Also if its inode is used again, as many file systems do.
#[test]
fn a_directory_that_was_replaced_is_watched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("rules");
    let path = directory.join("rules.json");
    fs::create_dir(&directory).unwrap();
    fs::write(&path, rules("a")).unwrap();
    let watching = watch(&path);
    until_loaded(&watching, 1);
    for (at, pause) in [0, 0, 300, 300].into_iter().enumerate() {
        if at % 2 == 0 {
            fs::rename(&directory, folder.path().join(format!("old{at}"))).unwrap();
        } else {
            fs::remove_dir_all(&directory).unwrap();
        }
        wait(Duration::from_millis(pause));
        fs::create_dir(&directory).unwrap();
        wait(Duration::from_millis(pause));
        fs::write(&path, rules("ab")).unwrap();
        until_loaded(&watching, 2);
        fs::write(&path, rules("abc")).unwrap();
        until_loaded(&watching, 3);
    }
}

#[test]
fn a_link_in_the_middle_of_the_way_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, ids) in [("one", "a"), ("two", "ab"), ("middle", ""), ("front", "")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("rules.json"), rules(ids)).unwrap();
    }
    symlink(at("one"), at("middle/link")).unwrap();
    symlink(at("middle/link/rules.json"), at("front/link.json")).unwrap();
    let watching = watch(&at("front/link.json"));
    until_loaded(&watching, 1);
    symlink(at("two"), at("middle/new")).unwrap();
    fs::rename(at("middle/new"), at("middle/link")).unwrap();
    until_loaded(&watching, 2);
}

#[test]
fn a_target_that_comes_later_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(at("later/still/rules.json"), at("rules.json")).unwrap();
    let watching = watch(&at("rules.json"));
    for name in ["later", "later/still"] {
        wait(Duration::from_millis(300));
        fs::create_dir(at(name)).unwrap();
    }
    wait(Duration::from_millis(300));
    fs::write(at("later/still/rules.json"), rules("a")).unwrap();
    until_loaded(&watching, 1);
}

const NAME: &str = "notifications_come_back::a_system_that_had_none_left_is_asked_again";
const IS_CHILD: &str = "CHAOS_TEST_NO_NOTIFICATIONS";

/// With no descriptor to spare, nor any number up to those that a watcher takes.
fn exhausted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    for spared in 0..4 {
        fs::write(&path, rules("a")).unwrap();
        let mut held: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        held.truncate(held.len() - spared);
        let source = FileSource::new(&path).look_every(Duration::from_millis(20));
        let watching = source.watch(&Injector::new()).unwrap();
        assert!(spared > 1 || !watching.status().is_notified, "{spared}");
        drop(held);
        let is_right =
            |status: &chaos_sources::SourceStatus| status.is_notified && status.rules == 1;
        assert!(
            watching.handle().wait_until(is_right, LONG),
            "{:?}",
            watching.status()
        );
    }
}

#[test]
fn a_system_that_had_none_left_is_asked_again() {
    if env::var_os(IS_CHILD).is_some() {
        return exhausted();
    }
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(IS_CHILD, "1")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
}
