//! `CHAOS_HALT_FILE`, `CHAOS_RULES` and `CHAOS_FILE`: rules from the first call on, or an error and none.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt};

use chaos_core::{Injector, Policy, inject};
use chaos_sources::{Environment, SourceError};

use crate::support::watched::{ids, rules};

fn environment(rules: Option<&str>, file: Option<&str>) -> Result<Environment, SourceError> {
    Environment::of(|name| {
        let value = match name {
            "CHAOS_RULES" => rules,
            "CHAOS_FILE" => file,
            _ => None,
        };
        value.map(OsString::from)
    })
}

#[test]
fn nothing_said_is_nothing_armed() {
    let injector = Injector::new();
    for nothing in [None, Some(""), Some(" ;")] {
        let environment = environment(nothing, nothing.filter(|text| text.is_empty())).unwrap();
        let armed = environment.arm(&injector).unwrap();
        assert!(armed.file.is_none() && armed.halt_file.is_none());
    }
    assert_eq!(injector.rules().generation(), 0);
}

#[test]
fn rules_and_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    fs::write(&path, rules("a")).unwrap();
    let environment = environment(Some("db.read=1*return(7)->off"), path.to_str()).unwrap();
    assert_eq!(environment.rules().len(), 1);
    let injector = Injector::new();
    let armed = environment.arm(&injector).unwrap();
    assert_eq!(ids(&injector), "env.db.read.1a");
    assert_eq!(armed.file.unwrap().status().path, path);
    let read = || inject!(injector: &injector, "db.read");
    assert_eq!(read().unwrap_err().value_json(), Some("7"));
    assert!(read().is_ok());
    let entries = injector.audit().after(0).entries;
    let actors: Vec<_> = entries.iter().map(|entry| entry.actor.name()).collect();
    assert_eq!(actors, ["env:CHAOS_RULES", "file:rules.json"]);
}

#[test]
fn what_is_not_understood_arms_nothing() {
    let error = environment(Some("db.read=return; db.write=retrun"), None).unwrap_err();
    assert_eq!(
        (error.origin(), error.line_and_column()),
        ("CHAOS_RULES", None)
    );
    assert_eq!(error.rule_error().unwrap().field(), "retrun");
    assert!(
        error
            .to_string()
            .starts_with("CHAOS_RULES: rule `env.db.write.1`: retrun: "),
        "{error}"
    );
    let no_text = |name: &str| (name == "CHAOS_RULES").then(|| OsString::from_vec(vec![0xff]));
    assert!(
        Environment::of(no_text)
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
}

#[test]
fn what_is_not_allowed_arms_nothing() {
    let injector = Injector::new();
    injector.set_policy(Policy::new());
    let exit = environment(Some("db.read=return; db.write=abort(exit)"), None).unwrap();
    let error = exit.arm(&injector).unwrap_err();
    assert!(error.to_string().contains("policy"), "{error}");
    assert_eq!(injector.rules().generation(), 0);

    let fine = environment(Some("db.read=return"), None).unwrap();
    assert!(fine.arm(&injector).unwrap().file.is_none());
    let again = fine.arm(&injector).unwrap_err().to_string();
    assert!(again.contains("rule `env.db.read.1`: id: "), "{again}");
    assert_eq!(injector.rules().generation(), 1);
}
