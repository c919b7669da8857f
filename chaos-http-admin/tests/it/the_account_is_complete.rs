//! No accepted edit is missing from the audit file, whoever writes however fast, and what stops faults never waits
//! for the file.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chaos_core::{Clock, Injector, State, audit::Action};
use chaos_http_admin::{Admin, AuditFile};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::support::{
    port::failing,
    wire::{ANN, EVE, Running, tokens},
};

async fn start(file: &Path) -> (Running, AuditFile) {
    let injector = Injector::new();
    let file = AuditFile::open(&injector, file).unwrap();
    let admin = Admin::new(injector.clone()).access_tokens(tokens());
    let port = Running::start(&injector, admin.audit_file(&file)).await;
    (port, file)
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Sixteen writers make edits until `enough` is ready. Returns the generations of those that were accepted.
async fn flood(address: SocketAddr, enough: impl Future<Output = ()>) -> Vec<u64> {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let is_over = Arc::clone(&is_over);
        writers.spawn(async move {
            let client = reqwest::Client::new();
            let mut accepted = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                // Every fourth writer replaces the whole set: the audit keeps few such entries.
                let (path, body) = match writer % 4 {
                    0 => ("rules".to_owned(), json!({ "rules": [] })),
                    _ => (format!("rules/r{writer}"), failing("db.read")),
                };
                let put = client.put(format!("http://{address}/v1/{path}"));
                let put = put
                    .bearer_auth(ANN)
                    .header("content-type", "application/json");
                let answer = put.body(body.to_string()).send().await.unwrap();
                match answer.status().as_u16() {
                    200 | 201 => {
                        let tag = answer.headers()["etag"].to_str().unwrap();
                        accepted.push(tag.trim_matches('"').parse::<u64>().unwrap());
                    }
                    status => assert!([429, 503].contains(&status), "{status}"),
                }
            }
            accepted
        });
    }
    enough.await;
    is_over.store(true, Ordering::Relaxed);
    let mut accepted: Vec<u64> = writers.join_all().await.into_iter().flatten().collect();
    accepted.sort_unstable();
    accepted.dedup();
    assert!(accepted.len() > 10, "{}", accepted.len());
    accepted
}

/// Returns the generations that edits in these lines have made.
fn generations(lines: &[Value]) -> Vec<u64> {
    let edits = lines.iter().filter(|line| line["action"] != "refuse");
    edits
        .map(|line| line["generation"].as_u64().unwrap())
        .collect()
}

/// At 14,000 edits a second, a third of them were lost to the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_edit_of_a_flood_stands_in_the_file_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (port, file) = start(&path).await;
    let accepted = flood(port.address, sleep(Duration::from_secs(3))).await;
    let status = file.status();
    port.server.stop().await;
    drop(file);
    assert_eq!((status.lost, status.error), (0, None));
    let written = generations(&lines(&path));
    assert!(written.is_sorted(), "out of order");
    let missing = accepted
        .iter()
        .filter(|it| written.binary_search(it).is_err());
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&u64>::new());
}

/// What a program that rotates the file does to it, thirty times. Returns the lines of the old files.
///
/// The service writes what it has to between two rotations, however slow the machine is.
#[cfg(target_os = "linux")]
fn rotate(path: &Path, file: &AuditFile, once: impl Fn(&Path) -> Vec<Value>) -> Vec<Value> {
    let mut old = Vec::new();
    let (mut rotations, mut written) = (0, 0);
    while rotations < 30 {
        std::thread::park_timeout(Duration::from_millis(15));
        let has_written = file.status().written > written;
        if has_written && fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            old.extend(once(path));
            (rotations, written) = (rotations + 1, file.status().written);
        }
    }
    old
}

/// Makes edits while the file is rotated. Returns the generations that were accepted, and the lines of the old and
/// of the new files.
#[cfg(target_os = "linux")]
async fn flood_and_rotate(
    path: &Path,
    once: impl Fn(&Path) -> Vec<Value> + Send + 'static,
) -> (Vec<u64>, Vec<Value>) {
    let (port, file) = start(path).await;
    let rotating = {
        let (path, file) = (path.to_owned(), file.clone());
        tokio::task::spawn_blocking(move || rotate(&path, &file, once))
    };
    let mut all = Vec::new();
    let accepted = flood(port.address, async { all = rotating.await.unwrap() }).await;
    let status = file.status();
    port.server.stop().await;
    drop(file);
    assert_eq!((status.lost, status.error), (0, None));
    // After the last rotation, there may have been no entry.
    if path.exists() {
        all.extend(lines(path));
    }
    (accepted, all)
}

/// logrotate renames the file, reads it, and removes it when it has compressed it. What was appended after it was
/// read was lost.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_edit_of_a_flood_is_missing_when_the_file_is_renamed_and_removed() {
    for makes_the_new_file in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let (accepted, all) = flood_and_rotate(&path, move |path| {
            let old = path.with_extension("1");
            fs::rename(path, &old).unwrap();
            if makes_the_new_file {
                // The service may have been faster.
                let _ = fs::File::create_new(path);
            }
            let text = fs::read_to_string(&old).unwrap();
            fs::remove_file(&old).unwrap();
            // A line may still be written to a file that was read meanwhile.
            let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
            whole
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        })
        .await;
        let written: BTreeSet<u64> = generations(&all).into_iter().collect();
        let missing = accepted.iter().filter(|it| !written.contains(it));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&u64>::new());
        assert!(all.iter().all(|line| line["truncated"].is_null()));
        // Those that were written while the file was renamed stand in two files, and none in a third.
        let mut sorted = generations(&all);
        sorted.sort_unstable();
        let thrice = sorted.windows(3).find(|three| three[0] == three[2]);
        assert_eq!(thrice, None);
    }
}

/// logrotate's `copytruncate` removes what was written after it has copied the file. Nothing said so.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_truncation_removes_from_the_file_is_told_in_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (_, all) = flood_and_rotate(&path, |path| {
        let copy = fs::read_to_string(path).unwrap();
        // Between the two, logrotate writes the copy.
        std::thread::park_timeout(Duration::from_millis(5));
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(0).unwrap();
        // A line may have been written in part when it was copied.
        let whole = copy.rfind('\n').map_or("", |end| &copy[..=end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    })
    .await;
    // Ids have no gaps, so what is missing can be told; the next line gives the most that it can be.
    let (mut last, mut missing, mut told) = (0, 0, 0);
    for line in &all {
        let id = line["id"].as_u64().unwrap();
        let truncated = line["truncated"].as_u64().unwrap_or(0);
        assert!(id > last, "{id} after {last}");
        missing += id - last - 1;
        told += truncated;
        last = id;
    }
    println!("{missing} entries are missing of {last}, {told} may be");
    assert!(missing > 0, "nothing was lost, so nothing was tried");
    assert!(
        told >= missing,
        "{missing} entries are missing, {told} told"
    );
}

#[test]
fn what_stops_faults_does_not_wait_for_a_file_that_cannot_be_written() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(only_edits_wait());
}

async fn only_edits_wait() {
    let (port, file) = start(Path::new("/dev/full")).await;
    let rule = |id: &str| {
        let fault = chaos_core::Fault::error("x");
        chaos_core::Rule::new(id.parse().unwrap(), "db.read".parse().unwrap(), fault)
    };
    // The application's own edits are not held up; the first entry shows that the file is full.
    port.injector.replace(vec![rule("a"), rule("b")]).unwrap();
    while file.status().error.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let body = failing("db.read").to_string();
    for (line, body) in [
        ("PUT /v1/rules/c", &*body),
        ("PUT /v1/rules", r#"{"rules":[]}"#),
        ("PATCH /v1/rules/a", r#"{"rate":0.5}"#),
        ("PATCH /v1/rules/a", r#"{"enabled":true}"#),
    ] {
        let answer = port.ask_as(ANN, line, body).await;
        assert_eq!(answer.header("retry-after").as_deref(), Some("1"), "{line}");
        let problem = answer.problem(503);
        assert!(
            problem["detail"].as_str().unwrap().contains("audit file"),
            "{problem}"
        );
    }
    assert_eq!(port.injector.rules().generation(), 1);
    let clock = Clock::monotonic();
    for (line, body, status) in [
        (
            "PATCH /v1/rules/a",
            r#"{"enabled":false,"reason":"enough"}"#,
            200,
        ),
        ("DELETE /v1/rules/b", "", 204),
        ("POST /v1/halt", "", 200),
        ("POST /v1/resume", r#"{"reason":"it is over"}"#, 200),
        ("POST /v1/halt", "", 200),
    ] {
        port.ask_as(ANN, line, body).await.expect(status);
    }
    assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    assert!(matches!(port.injector.status().state, State::Halted { .. }));
}

/// A token that may only look could write 37,000 refusals a second into the audit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_refusals_of_one_token_are_counted_beyond_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (port, file) = start(&path).await;
    let client = reqwest::Client::new();
    let halt = || {
        client
            .post(format!("http://{}/v1/halt", port.address))
            .bearer_auth(EVE)
    };
    for _ in 0..500 {
        assert_eq!(halt().send().await.unwrap().status(), 403);
    }
    // Another one's are recorded.
    port.ask_as(ANN, "PUT /v1/rules/x", "{}").await.problem(400);
    let entries = port.injector.audit().after(0).entries;
    let refused = |name: &str| {
        let entries = entries.iter();
        let by = entries.filter(|it| it.action == Action::Refuse && it.actor.name() == name);
        by.count()
    };
    assert!((300..320).contains(&refused("eve")), "{}", refused("eve"));
    assert_eq!((refused("ann"), file.status().lost), (1, 0));
}

/// Another user of the machine can neither read the audit, nor hold its lock and keep the service from starting.
#[cfg(target_os = "linux")]
#[test]
fn the_file_is_its_owners() {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let injector = Injector::new();
    drop(AuditFile::open(&injector, &path).unwrap());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let as_other = |program: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(program).arg(&path);
        command
    };
    if !rustix::process::geteuid().is_root() {
        println!("not root: what another user can do was not tried");
        return;
    }
    for directory in [folder.path(), &std::env::temp_dir()] {
        let mode = fs::metadata(directory).unwrap().permissions().mode();
        fs::set_permissions(directory, fs::Permissions::from_mode(mode | 0o755)).unwrap();
    }
    assert!(!as_other(&["cat"]).output().unwrap().status.success());
    // Where the owner lets others read the file, they can still hold no lock that matters.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(as_other(&["cat"]).output().unwrap().status.success());
    // It waits for the lock, which the looks below take for a moment.
    let mut holder = as_other(&["flock", "--exclusive"])
        .args(["sleep", "20"])
        .spawn()
        .unwrap();
    let is_held = || {
        let mut lock = Command::new("flock");
        lock.args(["--exclusive", "--nonblock"]);
        let locked = lock.arg(&path).arg("true").status();
        !locked.unwrap().success()
    };
    // It takes a moment to start.
    let tries = (0..200).map(|_| std::thread::park_timeout(Duration::from_millis(10)));
    let is_held = tries.into_iter().any(|()| is_held());
    assert!(is_held, "the other user holds the lock");
    let file = AuditFile::open(&injector, &path);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let file = file.expect("the lock of a reader does not count");
    // A second writer is still refused.
    let second = AuditFile::open(&injector, &path).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::WouldBlock);
    drop(file);
}
