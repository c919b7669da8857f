//! A halt file and the halt are there together: across restarts and processes, and whatever cannot be done
//! is said.

use std::{
    ffi::OsString, fs, future::ready, io::ErrorKind, os::unix::fs::symlink, path::Path, sync::Arc,
    time::Duration,
};

use chaos_core::{HaltHook, Injector, State, audit::Actor, rule::ChangeError};
use chaos_sources::{Environment, FollowedHaltFile, HaltFile};
use tempfile::TempDir;

use crate::support::watched::{LONG, pass, until, wait};

/// Followed by notifications alone.
fn follow(path: &Path, injector: &Injector) -> FollowedHaltFile {
    let file = HaltFile::new(path).look_every(10 * LONG);
    file.follow(injector).unwrap()
}

/// Looked for all the time, as where the system does not notify.
fn look(path: &Path, injector: &Injector) -> FollowedHaltFile {
    let file = HaltFile::new(path).look_every(Duration::ZERO);
    file.follow(injector).unwrap()
}

fn is_halted(injector: &Injector) -> bool {
    matches!(injector.status().state, State::Halted { .. })
}

fn until_halted(injector: &Injector) {
    until("halted", || is_halted(injector));
}

fn until_resumed(injector: &Injector) {
    until("resumed", || !is_halted(injector));
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("halt");
    (folder, path)
}

/// The names and reasons of the holders.
fn holders(injector: &Injector) -> Vec<(String, String)> {
    let told = |actor: &Actor| {
        (
            actor.name().to_owned(),
            actor.reason().unwrap_or("").to_owned(),
        )
    };
    injector
        .status()
        .holders
        .iter()
        .map(|it| told(&it.by))
        .collect()
}

fn told(name: &str, reason: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), reason.to_owned())]
}

/// What a process does when it starts with these variables.
fn start(path: &Path) -> (Injector, chaos_sources::ArmedEnvironment) {
    let environment = Environment::of(|name| match name {
        "CHAOS_HALT_FILE" => Some(path.into()),
        "CHAOS_RULES" => Some(OsString::from("db.a=return")),
        _ => None,
    });
    let injector = Injector::new();
    let armed = environment.unwrap().arm(&injector).unwrap();
    (injector, armed)
}

#[test]
fn a_process_that_starts_again_is_still_halted() {
    let (_folder, path) = folder();
    let (first, armed) = start(&path);
    assert!(pass(&first).is_err());
    let alice = Actor::new("alice").at("10.0.0.7:9").because("enough\nseen");
    first.as_actor(alice).halt();
    until("written", || path.exists());
    let text = || fs::read_to_string(&path).unwrap_or_default();
    until("whole", || text().ends_with(" (10.0.0.7:9)\n"));
    assert_eq!(text(), "enough\\nseen\nhalted by alice (10.0.0.7:9)\n");
    drop((first, armed));

    let (second, _armed) = start(&path);
    assert!(pass(&second).is_ok());
    assert_eq!(holders(&second), told("file:halt", "enough\\nseen"));
    let entries = second.audit().after(0).entries;
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    // Before the rules of the environment.
    assert_eq!(actions, ["halt", "replace"]);
    assert!(second.resume());
    assert!(!path.exists());
    assert!(pass(&second).is_err(), "{:?}", second.status());

    let (third, _armed) = start(&path);
    assert!(pass(&third).is_err());
}

#[test]
fn a_file_that_appears_halts_and_one_that_is_removed_resumes() {
    let (folder, path) = folder();
    let injectors = [Injector::new(), Injector::new()];
    let _followed = injectors.each_ref().map(|injector| follow(&path, injector));
    for round in 0..5 {
        // In place, by a rename, and as a link to something else.
        match round % 3 {
            0 => fs::write(&path, "\n incident 42 \nmore").unwrap(),
            kind => {
                let other = folder.path().join("other");
                fs::write(&other, "incident 42").unwrap();
                match kind {
                    1 => fs::rename(&other, &path).unwrap(),
                    _ => symlink(&other, &path).unwrap(),
                }
            }
        }
        injectors.iter().for_each(until_halted);
        fs::remove_file(&path).unwrap();
        injectors.iter().for_each(until_resumed);
    }
    // Both follow what either does.
    injectors[0].halt("enough seen");
    until_halted(&injectors[1]);
    assert!(holders(&injectors[1])[0].0.starts_with("file:"));
    assert!(injectors[1].resume());
    until_resumed(&injectors[0]);
    assert!(!path.exists());
}

#[test]
fn whoever_halts_is_resumed_by_the_removal_and_the_audit_says_so() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let _followed = follow(&path, &injector);
    injector.halt("enough seen");
    until("written", || path.exists());
    fs::remove_file(&path).unwrap();
    until_resumed(&injector);
    let entries = injector.audit().after(0).entries;
    let last = entries.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.actor.name()),
        ("resume", "file:halt")
    );
    assert_eq!(last.actor.reason(), Some("the file was removed"));
}

#[test]
fn one_who_is_halted_already_has_the_file_written() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    injector.halt("before");
    let _followed = follow(&path, &injector);
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .starts_with("before\nhalted by ")
    );
    assert_eq!(holders(&injector).len(), 1);
}

/// Otherwise each new version of a service would start halted.
#[test]
fn a_halt_at_shutdown_is_not_written() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let followed = follow(&path, &injector);
    let stopping = injector.halt_when(ready(()), "the service stops");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(stopping);
    assert!(is_halted(&injector));
    wait(Duration::from_millis(200));
    assert!(!path.exists());
    assert_eq!(followed.problem(), None);
    // What is halted by hand as well is.
    injector.halt("an incident");
    until("written", || path.exists());
}

/// As a file of a read-only mount, for whoever runs the test.
#[test]
fn a_resume_is_refused_while_the_file_cannot_be_removed() {
    let (_folder, path) = folder();
    fs::create_dir(&path).unwrap();
    let injector = Injector::new();
    let followed = follow(&path, &injector);
    let reason = format!("the file {} is there", path.display());
    assert_eq!(holders(&injector), told("file:halt", &reason));
    assert!(!injector.resume());
    let error = injector.as_actor(Actor::new("alice")).resume().unwrap_err();
    let ChangeError::ResumeRefused { reason, .. } = &error else {
        panic!("{error:?}");
    };
    let expected = format!("the halt file {} cannot be removed: ", path.display());
    assert!(reason.starts_with(&expected), "{reason}");
    assert!(is_halted(&injector));
    fs::remove_dir(&path).unwrap();
    until_resumed(&injector);

    // Nor is it removed for nothing: whoever no longer follows it asks nothing of it.
    fs::create_dir(&path).unwrap();
    until_halted(&injector);
    drop(followed);
    assert!(injector.resume());
    assert!(path.exists());
}

#[test]
fn a_halt_is_in_force_although_the_file_cannot_be_written() {
    let (folder, _) = folder();
    let directory = folder.path().join("missing");
    let path = directory.join("halt");
    let injector = Injector::new();
    let followed = look(&path, &injector);
    let missing = "the directory of the halt file does not exist";
    assert_eq!(followed.problem().as_deref(), Some(missing));
    assert!(!is_halted(&injector));
    injector.halt("enough seen");
    until("said", || {
        followed
            .problem()
            .is_some_and(|said| said.contains("cannot be written"))
    });
    assert!(is_halted(&injector));
    let refused =
        |entry: &&std::sync::Arc<chaos_core::audit::Entry>| entry.action.as_str() == "refuse";
    let entries = injector.audit().after(0).entries;
    let refused: Vec<_> = entries.iter().filter(refused).collect();
    assert_eq!(refused.len(), 2, "once for each reason: {refused:?}");
    assert!(
        refused[1]
            .what
            .as_deref()
            .unwrap()
            .contains(path.to_str().unwrap())
    );

    fs::create_dir(&directory).unwrap();
    until("written", || path.exists());
    until("well", || followed.problem().is_none());
    assert!(injector.resume());
    assert!(!path.exists());

    // A halt that is over is not written any more.
    fs::remove_dir(&directory).unwrap();
    injector.halt("again");
    until("said", || {
        followed
            .problem()
            .is_some_and(|said| said.contains("cannot be written"))
    });
    assert!(injector.resume());
    fs::create_dir(&directory).unwrap();
    until("well", || followed.problem().is_none());
    assert!(!path.exists() && !is_halted(&injector));
}

/// As one in a directory that may not be searched, for whoever runs the test.
#[test]
fn a_file_that_cannot_be_looked_for_halts_at_the_start() {
    let (folder, _) = folder();
    let path = folder.path().join("x".repeat(300));
    assert_ne!(fs::metadata(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let injector = Injector::new();
    let followed = look(&path, &injector);
    let problem = followed.problem().unwrap();
    assert!(
        problem.starts_with("the halt file cannot be looked for: "),
        "{problem}"
    );
    assert_eq!(holders(&injector)[0].1, problem);
    assert!(!injector.resume());
}

#[test]
fn whatever_is_in_the_file_halts() {
    for contents in [
        &b""[..],
        b"\n\n",
        b"\xff\xfe",
        &b"x".repeat(1 << 20),
        b"a\x1b[31m\nb",
    ] {
        let (_folder, path) = folder();
        fs::write(&path, contents).unwrap();
        let injector = Injector::new();
        let _followed = follow(&path, &injector);
        let holders = holders(&injector);
        let reason = &holders[0].1;
        assert!(
            !reason.is_empty() && reason.len() <= 1000 && !reason.contains('\x1b'),
            "{reason:?}"
        );
    }
    // A pipe has no end to read to.
    let (_folder, path) = folder();
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let injector = Injector::new();
    let _followed = follow(&path, &injector);
    assert!(is_halted(&injector) && injector.resume() && !path.exists());
}

/// Halts and resumes from many threads and the file's own coming and going leave both the same.
#[test]
fn in_the_end_the_file_and_the_halt_are_the_same() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let followed = look(&path, &injector);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (injector, path) = (&injector, &path);
            scope.spawn(move || {
                for round in 0..100 {
                    match (thread + round) % 4 {
                        0 => _ = injector.halt("enough seen"),
                        1 => _ = injector.resume(),
                        2 => _ = fs::write(path, "incident 42"),
                        _ => _ = fs::remove_file(path),
                    }
                    wait(Duration::from_millis(u64::from(round % 3 == 0)));
                }
            });
        }
    });
    injector.halt("the last word");
    until("the same", || {
        path.exists() && is_halted(&injector) && followed.problem().is_none()
    });
    wait(Duration::from_millis(50));
    assert!(path.exists() && is_halted(&injector));
    assert!(injector.resume());
    wait(Duration::from_millis(50));
    assert!(!path.exists() && !is_halted(&injector));
}

/// As some editors do, and `rm halt; echo incident > halt`.
#[test]
fn a_file_that_is_replaced_goes_on_halting() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let _followed = follow(&path, &injector);
    fs::write(&path, "incident 42").unwrap();
    until_halted(&injector);
    for _ in 0..5 {
        fs::remove_file(&path).unwrap();
        wait(Duration::from_millis(10));
        fs::write(&path, "incident 43").unwrap();
        wait(Duration::from_millis(150));
    }
    let entries = injector.audit().after(0).entries;
    let resumes = entries
        .iter()
        .filter(|entry| entry.action.as_str() == "resume");
    assert_eq!(
        (resumes.count(), is_halted(&injector), path.exists()),
        (0, true, true)
    );
}

/// Each halt put off the look at a file that had been removed, so the file was not written while they went on.
#[test]
fn halts_that_go_on_and_on_are_written() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let _followed = follow(&path, &injector);
    injector.halt("enough seen");
    until("written", || path.exists());
    fs::remove_file(&path).unwrap();
    // The file is found to be gone before someone halts again.
    wait(Duration::from_millis(30));
    until("written again", || {
        injector.halt("an incident");
        path.exists()
    });
    assert!(is_halted(&injector));
}

/// Refuses every resume.
struct Refusing;

impl HaltHook for Refusing {
    fn halted(&self, _: &Actor) {}

    fn before_resume(&self) -> Result<(), String> {
        Err("there is an incident".to_owned())
    }
}

/// The file was gone afterwards, if it was the first that had halted: a restart would have undone the halt.
#[test]
fn a_resume_that_is_refused_leaves_the_file() {
    let (_folder, path) = folder();
    fs::write(&path, "incident 42").unwrap();
    let injector = Injector::new();
    let _followed = follow(&path, &injector);
    injector.add_halt_hook(Arc::new(Refusing));
    assert!(!injector.resume());
    let text = || fs::read_to_string(&path).unwrap_or_default();
    until("written again", || text().starts_with("incident 42\n"));
    assert_eq!(holders(&injector), told("file:halt", "incident 42"));
}

/// A fleet keeps its halt itself, and what the file says is a person's.
#[test]
fn the_halt_of_a_fleet_and_that_of_the_file_are_two() {
    let (_folder, path) = folder();
    let injector = Injector::new();
    let fleet = injector.as_actor(Actor::new("alice").because("for all"));
    fleet.halt_for_fleet("shop");
    let followed = follow(&path, &injector);
    fleet.halt_for_fleet("shop");
    wait(Duration::from_millis(200));
    assert!(!path.exists() && followed.problem().is_none());

    // A file that nobody has noticed yet is not removed by the fleet's resume. It comes with its text.
    let aside = path.with_extension("aside");
    fs::write(&aside, "incident 42").unwrap();
    fs::rename(&aside, &path).unwrap();
    match fleet.resume_for_fleet("shop") {
        Err(ChangeError::ResumeRefused { .. }) => {}
        // It was noticed: the file holds.
        resumed => assert_eq!(resumed, Ok(true)),
    }
    assert!(path.exists() && is_halted(&injector));
    let is_file = |holder: &(String, String)| holder.0 == "file:halt";
    until("noticed", || holders(&injector).iter().any(is_file));
    fleet.halt_for_fleet("shop");

    // Whoever removes it while the fleet holds finds it there again.
    fs::remove_file(&path).unwrap();
    until("written again", || path.exists());
    assert_eq!(fleet.resume_for_fleet("shop"), Ok(true));
    assert_eq!(holders(&injector), told("file:halt", "incident 42"));
    fs::remove_file(&path).unwrap();
    until_resumed(&injector);
}

/// A disk that is unmounted takes its directory along.
#[test]
fn a_directory_that_is_gone_is_no_resume() {
    let (folder, _) = folder();
    let (directory, aside) = (folder.path().join("disk"), folder.path().join("aside"));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("halt");
    fs::write(&path, "incident 42").unwrap();
    let injector = Injector::new();
    let followed = look(&path, &injector);
    fs::rename(&directory, &aside).unwrap();
    until("said", || followed.problem().is_some());
    wait(Duration::from_millis(200));
    assert!(is_halted(&injector));
    fs::rename(&aside, &directory).unwrap();
    until("well", || followed.problem().is_none());
    fs::remove_file(&path).unwrap();
    until_resumed(&injector);
}
