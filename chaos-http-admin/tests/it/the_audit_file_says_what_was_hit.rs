//! By choice, injections are in the audit file: which call was hit, within bounds, among the entries.

use std::{fs, path::Path, thread, time::Duration};

use axum::http::{HeaderMap, Method};
use chaos_core::{Call, Clock, Fault, Injector, Rule};
use chaos_http_admin::AuditFile;
use serde_json::{Value, json};

fn armed(path: &Path, per_second: u32) -> (Injector, AuditFile) {
    let injector = Injector::new();
    let (id, site) = ("lost".parse().unwrap(), "db.*".parse().unwrap());
    injector.put(Rule::new(id, site, Fault::error("lost")));
    let file = AuditFile::open(&injector, path).unwrap();
    (injector, file.with_injections(per_second))
}

fn hit(injector: &Injector, id: u64) {
    let uri = format!("/orders/{id}").parse().unwrap();
    let labels = [("table", "orders".into())];
    let headers = HeaderMap::new();
    let call = Call::http(&Method::GET, &uri, &headers).labels(&labels);
    let mut decision = injector.site("db.read").decide(&call).unwrap();
    while decision.next_plan().is_some() {}
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn until(path: &Path, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let clock = Clock::monotonic();
    loop {
        let lines = lines(path);
        if is_so(&lines) {
            return lines;
        }
        assert!(clock.now() < Duration::from_secs(20), "{lines:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn injections(lines: &[Value]) -> Vec<&Value> {
    lines
        .iter()
        .filter(|line| line["action"] == "inject")
        .collect()
}

#[test]
fn a_line_says_which_call_was_hit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (injector, file) = armed(&path, 100);
    for id in 0..20 {
        hit(&injector, id);
        // Each wakes the writer, that of the last one too.
        let lines = until(&path, |lines| injections(lines).len() as u64 == id + 1);
        let mut line = injections(&lines).pop().unwrap().clone();
        let fields = line.as_object_mut().unwrap();
        assert!(fields.remove("at").is_some() && fields.remove("run").is_some());
        let expected = json!({
            "action": "inject", "site": "db.read", "rule": "lost", "fault": "error", "delay_ms": 0.0,
            "method": "GET", "path": format!("/orders/{id}"), "labels": { "table": "orders" },
        });
        assert_eq!(line, expected);
    }
    injector.halt("enough");
    let lines = until(&path, |lines| {
        lines.last().is_some_and(|line| line["action"] == "halt")
    });
    assert_eq!(lines.len(), 22);
    // Lines of injections are no entries.
    let clock = Clock::monotonic();
    while file.status().written != 2 {
        assert!(clock.now() < Duration::from_secs(20), "{:?}", file.status());
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn so_many_in_a_second_and_the_others_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (injector, _file) = armed(&path, 5);
    let clock = Clock::monotonic();
    let mut hits = 0;
    while clock.now() < Duration::from_millis(2500) {
        hit(&injector, hits);
        hits += 1;
        thread::park_timeout(Duration::from_millis(1));
    }
    // In the next second, there is room for this one.
    thread::park_timeout(Duration::from_millis(1100));
    hit(&injector, hits);
    let lines = until(&path, |lines| {
        injections(lines)
            .last()
            .is_some_and(|line| line["path"] == format!("/orders/{hits}"))
    });
    let injections = injections(&lines);
    assert!(
        (10..=25).contains(&injections.len()),
        "{}",
        injections.len()
    );
    let left_out = injections
        .iter()
        .filter_map(|line| line["left_out"].as_u64());
    assert_eq!(injections.len() as u64 + left_out.sum::<u64>(), hits + 1);
}

/// A number that waited for the next injection was lost if there was none.
#[test]
fn what_a_last_burst_left_out_is_written_with_the_halt_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (injector, file) = armed(&path, 5);
    let counted = |lines: &[Value]| {
        let lines = injections(lines);
        let injected = lines
            .iter()
            .filter(|line| line.get("rule").is_some())
            .count() as u64;
        let left_out = lines.iter().filter_map(|line| line["left_out"].as_u64());
        injected + left_out.sum::<u64>()
    };
    (0..100).for_each(|n| hit(&injector, n));
    injector.halt("enough");
    until(&path, |lines| counted(lines) == 100);
    injector.resume();
    (0..50).for_each(|n| hit(&injector, n));
    drop(file);
    until(&path, |lines| counted(lines) == 150);
}

#[test]
fn without_the_choice_there_are_none_and_a_disk_that_hangs_holds_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let injector = Injector::new();
    let (id, site) = ("lost".parse().unwrap(), "db.*".parse().unwrap());
    let _file = AuditFile::open(&injector, &path).unwrap();
    injector.put(Rule::new(id, site, Fault::error("lost")));
    hit(&injector, 1);
    injector.halt("enough");
    let lines = until(&path, |lines| lines.len() >= 2);
    assert!(injections(&lines).is_empty());

    let full = folder.path().join("full.jsonl");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let (injector, file) = armed(&full, 1_000_000);
    for id in 0..3000 {
        hit(&injector, id);
    }
    assert_eq!(injector.counts("lost").unwrap().injected, 3000);
    drop(file);
    // Nor is anything kept for it afterwards.
    hit(&injector, 3000);
}
