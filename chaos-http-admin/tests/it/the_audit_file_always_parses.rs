//! The audit file holds every entry once, in order, and always parses: after a crash in the middle of a
//! line, beside a full disk, and when it is rotated.

use std::{fs, path::Path, thread, time::Duration};

use chaos_core::{
    Clock, Fault, Injector, Lifetime, Rule,
    audit::{Actor, Audit},
};
use chaos_http_admin::{AuditFile, AuditFileStatus};
use serde_json::{Value, json};

fn rule(id: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), "db.read".parse().unwrap());
    Rule::new(id, site, Fault::error("lost"))
}

#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(line).collect()
}

fn ids(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .map(|line| line["id"].as_u64().unwrap())
        .collect()
}

/// Waits until the status is as it should be.
#[track_caller]
fn until(file: &AuditFile, is_so: impl Fn(&AuditFileStatus) -> bool) -> AuditFileStatus {
    let clock = Clock::monotonic();
    loop {
        let status = file.status();
        if is_so(&status) {
            return status;
        }
        assert!(clock.now() < Duration::from_secs(20), "{status:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn every_entry_is_a_line_and_the_last_ones_are_written_before_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let injector = Injector::new();
    injector.put(rule("before"));
    let file = AuditFile::open(&injector, &path).unwrap();
    let alice = Actor::new("alice")
        .at("10.0.0.7:9")
        .because("GameDay\n12 \"x\" é");
    injector.as_actor(alice).halt();
    until(&file, |status| status.written == 2);
    for n in 0..50 {
        injector.put(rule(&format!("r{n}")));
    }
    drop(file);
    let lines = lines(&path);
    assert_eq!(ids(&lines), (1..=52).collect::<Vec<_>>());
    assert_eq!(lines[0]["changes"][0]["after"]["site"], "db.read");
    assert_eq!(lines[1]["actor"], "alice");
    assert_eq!(lines[1]["address"], "10.0.0.7:9");
    assert_eq!(lines[1]["reason"], "GameDay\n12 \"x\" é");
    assert!(lines.iter().all(|line| line["run"] == lines[0]["run"]));
    assert!(lines.iter().all(|line| line.get("missed").is_none()));
}

#[test]
fn an_expiry_is_written_on_time_though_nobody_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let injector = Injector::new();
    let file = AuditFile::open(&injector, &path).unwrap();
    let life = Lifetime::new(Duration::from_millis(300)).unwrap();
    injector.put(rule("a").lifetime(life));
    until(&file, |status| status.written == 2);
    let lines = lines(&path);
    assert_eq!(
        (&lines[1]["action"], &lines[1]["what"]),
        (&json!("expire"), &json!("a"))
    );
}

#[test]
fn wherever_a_crash_cuts_a_line_the_next_run_goes_on_after_the_last_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let injector = Injector::new();
    injector.put(rule("a"));
    injector.put(rule("b"));
    drop(AuditFile::open(&injector, &path).unwrap());
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Each takes the disk some time: those near an end, and some between.
    let near = |length: usize| {
        [0, first, whole.len()]
            .iter()
            .any(|end| end.abs_diff(length) < 4)
    };
    for length in (0..=whole.len()).filter(|length| near(*length) || length % 13 == 0) {
        fs::write(&path, &whole[..length]).unwrap();
        let injector = Injector::new();
        injector.put(rule("c"));
        drop(AuditFile::open(&injector, &path).unwrap());
        let lines = lines(&path);
        // One whose end alone is missing is whole.
        let left = [first - 1, whole.len() - 1]
            .into_iter()
            .filter(|end| length >= *end);
        assert_eq!(lines.len(), left.count() + 1, "cut at {length}");
        assert_eq!(lines.last().unwrap()["changes"][0]["rule"], "c");
    }
    // What a file system may leave after a power failure, and a tear in a long line.
    let long = format!(r#"{{"id":3,"reason":"{}"#, "x".repeat(300_000));
    for tail in [&[0; 5000][..], long.as_bytes()] {
        fs::write(&path, [&whole, tail].concat()).unwrap();
        drop(AuditFile::open(&Injector::new(), &path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for text in ["no newline", "root:x:0:0\nbin:x:1:1", "[1, 2"] {
        fs::write(&path, text).unwrap();
        let error = AuditFile::open(&Injector::new(), &path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert!(AuditFile::open(&Injector::new(), folder.path().join("no/such/folder")).is_err());
}

#[cfg(unix)]
#[test]
fn a_second_writer_is_refused_and_the_file_can_be_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let old = folder.path().join("audit.jsonl.1");
    let injector = Injector::new();
    let file = AuditFile::open(&injector, &path).unwrap();
    let refused = AuditFile::open(&Injector::new(), &path).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
    injector.put(rule("a"));
    until(&file, |status| status.written == 1);
    fs::rename(&path, &old).unwrap();
    injector.put(rule("b"));
    until(&file, |status| status.written == 2);
    assert_eq!((ids(&lines(&old)), ids(&lines(&path))), (vec![1], vec![2]));
    // As logrotate's copytruncate does.
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    injector.put(rule("c"));
    until(&file, |status| status.written == 3);
    assert_eq!(ids(&lines(&path)), [3]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_gone_for_a_while_or_closed_costs_no_entry() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (directory, away) = (folder.path().join("here"), folder.path().join("away"));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("audit.jsonl");
    let injector = Injector::new();
    let file = AuditFile::open(&injector, &path).unwrap();
    injector.put(rule("a"));
    until(&file, |status| status.written == 1);
    fs::rename(&directory, &away).unwrap();
    injector.put(rule("b"));
    until(&file, |status| status.error.is_some());
    fs::rename(&away, &directory).unwrap();
    until(&file, |status| {
        status.written == 2 && status.error.is_none()
    });
    // The open file is written on, whatever the mode of its directory. Root opens it anyway.
    let allow = |mode| fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    injector.put(rule("c"));
    until(&file, |status| {
        status.written == 3 && status.error.is_none()
    });
    allow(0o700);
    // Somebody removes the file, which takes its lines with it.
    fs::remove_file(&path).unwrap();
    injector.put(rule("d"));
    until(&file, |status| status.written == 4);
    assert_eq!(ids(&lines(&path)), [4]);
}

/// Lines of two writers would be mixed: a pipe takes at most a page in one piece.
#[cfg(unix)]
#[test]
fn a_pipe_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let injector = Injector::new();
    let file = AuditFile::open(&injector, &path).unwrap();
    let error = AuditFile::open(&injector, &path).unwrap_err().to_string();
    assert!(error.contains("another process writes"), "{error}");
    injector.put(rule("lost"));
    until(&file, |status| status.written == 1);
}

/// Two services of one machine may both have no file.
#[cfg(target_os = "linux")]
#[test]
fn a_device_may_have_many_writers() {
    let injector = Injector::new();
    let files = [(), ()].map(|()| AuditFile::open(&injector, "/dev/null").unwrap());
    injector.put(rule("lost"));
    for file in &files {
        until(file, |status| status.written == 1);
    }
}

/// The path leads to a device that is always full, and later to a file.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_holds_up_nobody_and_what_waited_is_written_when_there_is_room() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    symlink("/dev/full", &path).unwrap();
    let injector = Injector::new();
    let file = AuditFile::open(&injector, &path).unwrap();
    let clock = Clock::monotonic();
    for n in 0..500 {
        injector.put(rule(&format!("r{n}")));
    }
    assert!(clock.now() < Duration::from_secs(10), "{:?}", clock.now());
    let status = until(&file, |status| status.failed > 1);
    let error = status.error.unwrap();
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!((status.written, status.lost), (0, 0));

    let room = folder.path().join("room");
    symlink(folder.path().join("real.jsonl"), &room).unwrap();
    fs::rename(&room, &path).unwrap();
    let status = until(&file, |status| status.written == 500);
    assert_eq!(status.lost, 0);
    until(&file, |status| status.error.is_none());
    assert_eq!(ids(&lines(&path)), (1..=500).collect::<Vec<_>>());

    // Too long, and the list forgets: the first line afterwards says how many.
    fs::remove_file(&path).unwrap();
    symlink("/dev/full", &path).unwrap();
    for n in 0..Audit::MOST + 7 {
        injector.put(rule(&format!("s{}", n % 10)));
    }
    until(&file, |status| status.lost == 7 && status.error.is_some());
    fs::remove_file(&path).unwrap();
    until(&file, |status| status.written == 500 + Audit::MOST as u64);
    let lines = lines(&path);
    assert_eq!(
        (&lines[0]["id"], &lines[0]["missed"]),
        (&json!(508), &json!(7))
    );
    assert_eq!(lines.len(), Audit::MOST);
}
