//! However a file comes to be another one, it is seen: edited, renamed over, or by a link that leads
//! elsewhere, as in a mounted Kubernetes ConfigMap.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use chaos_core::Injector;
use chaos_sources::{FileSource, Watching};

use crate::support::watched::{LONG, Watched, ids, rules};

/// Seen by the system's word alone: nobody would wait for the next look.
fn watch(path: &Path, injector: &Injector) -> Watching {
    let watching = FileSource::new(path)
        .look_every(10 * LONG)
        .watch(injector)
        .unwrap();
    assert!(watching.status().is_notified);
    watching
}

/// As the kubelet does it: new files in a new directory, and `..data` put over the old one.
fn publish(mount: &Path, version: &str, text: &str) {
    let before = fs::read_link(mount.join("..data")).ok();
    fs::create_dir(mount.join(version)).unwrap();
    fs::write(mount.join(version).join("rules.yaml"), text).unwrap();
    symlink(version, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if let Some(before) = before {
        fs::remove_dir_all(mount.join(before)).unwrap();
    }
}

#[test]
fn a_configmap() {
    let mount = tempfile::tempdir().unwrap();
    publish(mount.path(), "..2026_01", &rules("a"));
    let path = mount.path().join("rules.yaml");
    symlink("..data/rules.yaml", &path).unwrap();
    let injector = Injector::new();
    let watching = watch(&path, &injector);
    assert_eq!(ids(&injector), "a");
    for (at, names) in ["ab", "b", "bc", "cb"].iter().enumerate() {
        publish(mount.path(), &format!("..2026_1{at}"), &rules(names));
        let generation = at as u64 + 2;
        assert!(
            watching
                .handle()
                .wait_until(|status| status.generation == Some(generation), LONG)
        );
        assert_eq!(ids(&injector), *names);
    }
    // A swap to the same is none.
    publish(mount.path(), "..2026_20", &rules("cb"));
    publish(mount.path(), "..2026_21", "rules: [");
    assert!(
        watching
            .handle()
            .wait_until(|status| status.error.is_some(), LONG)
    );
    publish(mount.path(), "..2026_22", &rules("d"));
    assert!(
        watching
            .handle()
            .wait_until(|status| status.error.is_none(), LONG)
    );
    assert_eq!(
        (ids(&injector).as_str(), injector.rules().generation()),
        ("d", 6)
    );
}

#[test]
fn an_edit_in_place_and_behind_a_link() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = elsewhere.path().join("target");
    fs::write(&target, rules("a")).unwrap();
    let path = folder.path().join("rules.json");
    symlink(&target, &path).unwrap();
    let injector = Injector::new();
    let watching = watch(&path, &injector);
    for (names, count) in [("ab", 2), ("abc", 3)] {
        fs::write(&target, rules(names)).unwrap();
        assert!(
            watching
                .handle()
                .wait_until(|status| status.rules == count, LONG)
        );
    }
    assert_eq!(ids(&injector), "abc");
}

#[test]
fn a_file_that_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    let injector = Injector::new();
    let watching = FileSource::new(&path)
        .look_every(10 * LONG)
        .watch(&injector)
        .unwrap();
    assert!(watching.status().error.is_some());
    fs::write(&path, rules("a")).unwrap();
    assert!(
        watching
            .handle()
            .wait_until(|status| status.rules == 1, LONG)
    );
}

/// A directory two levels up is another one, of which no system notifies.
#[test]
fn what_is_not_told_of_is_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("one/in")).unwrap();
    fs::write(at("one/in/rules.json"), rules("a")).unwrap();
    fs::create_dir_all(at("two/in")).unwrap();
    fs::write(at("two/in/rules.json"), rules("ab")).unwrap();
    let source = FileSource::new(at("one/in/rules.json")).look_every(Duration::from_millis(20));
    let watching = source.watch(&Injector::new()).unwrap();
    fs::rename(at("one"), at("three")).unwrap();
    fs::rename(at("two"), at("one")).unwrap();
    let is_seen = |status: &chaos_sources::SourceStatus| status.rules == 2 && status.is_notified;
    assert!(watching.handle().wait_until(is_seen, LONG));
}

/// An editor that writes for a while is waited for.
#[test]
fn a_file_that_is_being_written_is_let_be() {
    let watched = Watched::new(&rules("a"));
    let whole = rules("abcdefgh");
    let mut text = String::new();
    for part in whole.as_bytes().chunks(whole.len() / 40) {
        text += std::str::from_utf8(part).unwrap();
        fs::write(&watched.path, &text).unwrap();
        std::sync::mpsc::channel::<()>()
            .1
            .recv_timeout(Duration::from_millis(2))
            .unwrap_err();
    }
    watched.until_loaded(8);
    // On a machine that stops for long in between, half a file may have been seen; never half a set.
    assert_eq!(watched.generation(), 2);
}
