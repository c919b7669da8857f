//! What a file says is put in place of what it said before, and of nothing else; unchanged rules go on.

use std::{fs, sync::mpsc, thread, time::Duration};

use chaos_core::{Injector, Rule, audit::Action, testing::ManualClock, wire};
use chaos_sources::FileSource;

use crate::support::watched::{LONG, Watched, ids, pass, rules};

fn foreign(id: &str) -> Rule {
    let json = br#"{"site":"else.where","faults":[{"error":"x"}]}"#;
    wire::rule_from_json(json, Some(id)).unwrap()
}

#[test]
fn rules_that_came_another_way_stay_in_their_places() {
    let injector = Injector::new();
    injector.put(foreign("X"));
    let watched = Watched::at(&injector, "rules.json", &rules("ab"));
    injector.put(foreign("Y"));
    assert_eq!(ids(&injector), "XabY");
    watched.replace(rules("bc"));
    watched.until(|status| status.generation == Some(4));
    assert_eq!(ids(&injector), "XbcY");
    watched.replace(rules(""));
    watched.until_loaded(0);
    assert_eq!(ids(&injector), "XY");
}

#[test]
fn an_edit_is_one_entry_with_the_name_of_the_file() {
    let watched = Watched::new(&rules("ab"));
    let entries = watched.injector.audit().after(0).entries;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(
        (entries[0].action, entries[0].actor.name()),
        (Action::Replace, "file:rules.json")
    );
    assert_eq!(entries[0].changes().len(), 2);
}

#[test]
fn unchanged_rules_keep_their_counts() {
    let watched = Watched::new(&rules("a"));
    assert!(pass(&watched.injector).is_err() && pass(&watched.injector).is_err());
    watched.replace(rules("ba"));
    watched.until_loaded(2);
    assert_eq!(watched.injector.counts("a").unwrap().injected, 2);
}

#[test]
fn the_generation_moves_for_other_rules_only() {
    let watched = Watched::new(&rules("a"));
    // What someone did to it by hand is theirs, until the file says something new.
    let off = watched
        .injector
        .rules()
        .find("a")
        .unwrap()
        .as_ref()
        .clone()
        .enabled(false);
    assert_eq!(watched.injector.put(off), 2);
    let before = watched.watching.status().loaded_at;
    watched.replace(format!("  {}\n", rules("a")));
    watched.until(|status| status.loaded_at != before);
    assert_eq!(watched.generation(), 2);
    assert!(pass(&watched.injector).is_ok());
    watched.replace(rules("ab"));
    watched.until_loaded(2);
    assert_eq!(watched.generation(), 3);
    assert!(pass(&watched.injector).is_err());
}

#[test]
fn an_expired_rule_is_not_revived_by_its_file() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let watched = Watched::at(&injector, "rules.json", &rules("a"));
    assert!(pass(&injector).is_err());
    clock.advance(Duration::from_secs(601));
    assert!(pass(&injector).is_ok());
    watched.replace(format!("{}\n", rules("a")));
    watched.replace(rules("ab"));
    watched.until_loaded(2);
    assert!(pass(&injector).is_ok(), "it is as it was, and expired");
    let other = rules("ab").replacen("\"error\":\"a\"", "\"error\":\"other\"", 1);
    watched.replace(&other);
    watched.until(|status| status.generation == Some(3));
    assert_eq!(pass(&injector).unwrap_err().message(), "other");
}

#[test]
fn two_files_do_not_mind_each_other() {
    let injector = Injector::new();
    let one = Watched::at(&injector, "one.json", &rules("ab"));
    let two = Watched::at(&injector, "two.json", &rules("cd"));
    one.replace(rules("b"));
    one.until_loaded(1);
    two.replace(rules("dc"));
    two.until(|status| status.generation == Some(4));
    assert_eq!(ids(&injector), "bdc");
    two.replace(rules("db"));
    assert!(two.refused().contains("rule `b`"));
    assert_eq!(ids(&injector), "bdc");
}

#[test]
fn what_is_dropped_follows_no_more_and_its_rules_stay() {
    let Watched {
        folder,
        path,
        injector,
        watching,
    } = Watched::new(&rules("a"));
    drop(watching);
    fs::write(&path, rules("b")).unwrap();
    // As long as it would have taken several times over.
    mpsc::channel::<()>()
        .1
        .recv_timeout(Duration::from_millis(500))
        .unwrap_err();
    assert_eq!(ids(&injector), "a");
    drop(folder);
}

#[test]
fn no_edit_is_lost_while_others_edit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    fs::write(&path, rules("a")).unwrap();
    let injector = Injector::new();
    let watching = FileSource::new(&path).watch(&injector).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..3000 {
                injector.put(foreign(&format!("X{}", number % 50)));
            }
        });
        for (names, count) in [("ab", 2), ("abc", 3), ("ad", 2)] {
            fs::write(&path, rules(names)).unwrap();
            let came = |status: &chaos_sources::SourceStatus| status.rules == count;
            assert!(watching.handle().wait_until(came, LONG));
        }
    });
    let found = injector.rules();
    assert_eq!(found.rules().len(), 52);
    assert!(found.find("a").is_some() && found.find("d").is_some());
}
