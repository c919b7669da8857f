//! A file that is bad in any way is refused whole and everywhere, and the last good rules stay.

use std::{
    fs,
    os::unix,
    path::Path,
    sync::{Arc, Mutex},
};

use chaos_core::{Injector, audit::Action};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

use crate::support::watched::{self, Watched, pass, rules};

/// Does something bad to a good file; it is refused with `expected`, and nothing else happens.
fn is_refused(expected: &str, harm: impl FnOnce(&Watched)) {
    let watched = Watched::new(&rules("ab"));
    assert_eq!(watched.until_loaded(2).generation, Some(1));
    harm(&watched);
    let error = watched.refused_for(expected);
    let path = watched.path.display().to_string();
    assert!(error.starts_with(&path), "{error}");
    assert!(!error.contains('\n'), "{error}");

    assert_eq!((watched.ids().as_str(), watched.generation()), ("ab", 1));
    assert_eq!(pass(&watched.injector).unwrap_err().message(), "a");
    let status = watched.watching.status();
    assert_eq!((status.rules, status.generation), (2, Some(1)));
    assert!(status.loaded_at.is_some() && status.failing_since.is_some());
    let entries = watched.injector.audit().after(0).entries;
    let refusals: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == Action::Refuse)
        .collect();
    assert_eq!(refusals.len() as u64, status.refused, "{entries:?}");
    let refusal = refusals.last().unwrap();
    assert_eq!(refusal.actor.name(), "file:rules.json");
    assert_eq!(refusal.actor.address(), Some(&*path));
    assert_eq!(refusal.what.as_deref(), Some(&*error));

    // Good again, and another set.
    if watched.path.is_dir() {
        fs::remove_dir(&watched.path).unwrap();
    }
    watched.replace(rules("c"));
    assert_eq!(watched.until_loaded(1).failing_since, None);
    assert_eq!((watched.ids().as_str(), watched.generation()), ("c", 2));
}

fn write(text: impl AsRef<[u8]>) -> impl FnOnce(&Watched) {
    move |watched| watched.replace(text)
}

#[test]
fn half_a_file() {
    let whole = rules("abc");
    is_refused(":2:", write(&whole[..whole.len() / 2]));
}

#[test]
fn half_a_file_is_followed_by_the_other_half() {
    let watched = Watched::new(&rules("a"));
    let whole = rules("abc");
    fs::write(&watched.path, &whole[..whole.len() / 2]).unwrap();
    watched.refused();
    assert_eq!(watched.generation(), 1);
    fs::write(&watched.path, &whole).unwrap();
    watched.until_loaded(3);
    assert_eq!((watched.ids().as_str(), watched.generation()), ("abc", 2));
}

#[test]
fn an_empty_file_is_no_empty_list() {
    is_refused("empty", write(""));
    is_refused("empty", write(" \n"));
    let watched = Watched::new(&rules("ab"));
    watched.replace(r#"{"rules":[]}"#);
    watched.until_loaded(0);
    assert_eq!((watched.ids().as_str(), watched.generation()), ("", 2));
}

#[test]
fn a_file_that_is_deleted() {
    is_refused("cannot be read", |watched| {
        fs::remove_file(&watched.path).unwrap();
    });
}

#[test]
fn a_directory_in_its_place() {
    is_refused("a directory", |watched| {
        fs::remove_file(&watched.path).unwrap();
        fs::create_dir(&watched.path).unwrap();
    });
}

#[test]
fn a_socket_in_its_place() {
    is_refused("not a regular file", |watched| {
        fs::remove_file(&watched.path).unwrap();
        unix::net::UnixListener::bind(&watched.path).unwrap();
    });
}

/// Permissions would not keep the root user out, so it is a link to itself.
#[test]
fn a_file_that_cannot_be_read() {
    is_refused("cannot be read", |watched| {
        fs::remove_file(&watched.path).unwrap();
        unix::fs::symlink(&watched.path, &watched.path).unwrap();
    });
}

#[test]
fn a_file_that_is_too_large() {
    let mut text = rules("ab").into_bytes();
    text.resize((4 << 20) + 1, b' ');
    is_refused("4 MiB", write(text));
    let mut text = rules("c").into_bytes();
    text.resize(4 << 20, b' ');
    let watched = Watched::new(&rules("ab"));
    watched.replace(text);
    watched.until_loaded(1);
}

#[test]
fn a_file_that_is_no_text() {
    is_refused(
        ":1:4: the text is not UTF-8",
        write(&b"{\"\xc3\xa9\xff\":1}"[..]),
    );
}

#[test]
fn a_rule_that_is_not_allowed() {
    let text = rules("ab").replace(r#""error":"b""#, r#""status":99"#);
    is_refused("rule `b`: rules[1].faults[0].status: ", write(text));
    is_refused(
        "unknown field `rates`",
        write(rules("ab").replace("\"site\"", "\"rates\":1,\"site\"")),
    );
    is_refused(
        "`rate` has no value",
        write(rules("ab").replace("\"site\"", "\"rate\":null,\"site\"")),
    );
    is_refused(
        "`site` occurs twice",
        write(rules("ab").replace("\"site\"", "\"site\":\"s\",\"site\"")),
    );
    is_refused("rule `a`: id: an earlier rule", write(rules("aba")));
}

#[test]
fn a_name_that_would_begin_a_line_of_the_log() {
    let text = rules("ab").replace("\"site\"", r#""rate\nWARN chaos: resumed":1,"site""#);
    is_refused(r"unknown field `rate\nWARN chaos: resumed`", write(text));
}

#[test]
fn a_rule_that_the_policy_does_not_allow() {
    let watched = Watched::new(&rules("ab"));
    let exit = rules("ab").replace(r#""error":"b""#, r#""abort":"exit""#);
    watched.replace(&exit);
    assert!(
        watched.refused().contains("policy"),
        "{}",
        watched.refused()
    );
    assert_eq!(watched.generation(), 1);
}

#[test]
fn what_others_can_mend_is_tried_again() {
    let injector = Injector::new();
    let foreign =
        chaos_core::wire::rule_from_json(br#"{"site":"s","faults":[{"error":"x"}]}"#, Some("b"));
    injector.put(foreign.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    fs::write(&path, rules("ab")).unwrap();
    let source =
        chaos_sources::FileSource::new(&path).look_every(std::time::Duration::from_millis(20));
    let watching = source.watch(&injector).unwrap();
    let error = watching.status().error.unwrap().to_string();
    assert!(
        error.contains("rule `b`: id: a rule that did not come from this source"),
        "{error}"
    );
    assert_eq!(watched::ids(&injector), "b");
    assert!(injector.remove(&"b".parse().unwrap()));
    assert!(
        watching
            .handle()
            .wait_until(|status| status.rules == 2, watched::LONG)
    );
    assert_eq!(watched::ids(&injector), "ab");
    assert_eq!(watching.status().refused, 1, "once for each reason");
}

#[test]
fn a_file_that_is_bad_from_the_start_is_taken_when_it_is_good() {
    let injector = Injector::new();
    let watched = Watched::at(&injector, "rules.json", "{");
    assert!(watched.watching.status().error.is_some());
    assert_eq!(
        (watched.watching.status().loaded_at, watched.generation()),
        (None, 0)
    );
    watched.replace(rules("a"));
    watched.until_loaded(1);
    assert_eq!(watched.ids(), "a");
}

#[test]
fn a_name_without_a_format_is_refused() {
    let watched = Watched::at(&Injector::new(), "rules.conf", "{}");
    assert!(
        watched.refused().contains(".json, .toml, .yaml, .yml"),
        "{}",
        watched.refused()
    );
    let load = |name: &str| chaos_sources::FileSource::new(Path::new(name)).load();
    assert!(
        load("/nowhere/rules.json")
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
}

#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == "chaos" && *metadata.level() == tracing::Level::WARN {
            let mut text = String::new();
            event.record(
                &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                    text += &format!("{field}={value:?} ");
                },
            );
            self.0.lock().unwrap().push(text);
        }
    }
}

#[test]
fn a_warning_names_the_file() {
    // For all threads: whether anyone listens at a place in the code is remembered for all of them, so a subscriber of one
    // thread may not be asked.
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(registry().with(warnings.clone())).unwrap();
    let path = Watched::new("{").path;
    let path = path.display().to_string();
    let warnings = warnings.0.lock().unwrap();
    let mut about_it = warnings.iter().filter(|warning| warning.contains(&*path));
    assert!(about_it.next().is_some(), "{warnings:?}");
    assert_eq!(about_it.next(), None);
}
