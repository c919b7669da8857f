//! A subscriber that blocks, as one does that writes to a pipe that nobody reads, keeps neither a file of rules nor
//! a halt file from being followed, and nobody from dropping them.

use std::{
    env, fs,
    process::Command,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use chaos_core::{Injector, State};
use chaos_sources::{FileSource, HaltFile};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

use crate::support::watched::until;

static IS_OVER: AtomicBool = AtomicBool::new(false);
static BLOCKED: AtomicU32 = AtomicU32::new(0);

/// Blocks each thread that comes to it, until it is over.
struct Blocking;

impl<S: Subscriber> Layer<S> for Blocking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "chaos" {
            return;
        }
        BLOCKED.fetch_add(1, Ordering::Relaxed);
        while !IS_OVER.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

const NAME: &str =
    "a_blocked_log_holds_nobody::files_are_followed_and_let_go_while_the_log_is_blocked";
const IS_CHILD: &str = "CHAOS_TEST_BLOCKED_LOG";

#[test]
fn files_are_followed_and_let_go_while_the_log_is_blocked() {
    // It needs the subscriber of the whole process, and blocks its only thread for the log.
    if env::var_os(IS_CHILD).is_some() {
        return follow_and_let_go();
    }
    let mut child = Command::new(env::current_exe().unwrap());
    let child = child.args([NAME, "--exact"]).env(IS_CHILD, "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn follow_and_let_go() {
    tracing::subscriber::set_global_default(registry().with(Blocking)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (rules, halt) = (folder.path().join("rules.json"), folder.path().join("halt"));
    let injector = Injector::new();
    let watching = FileSource::new(&rules).watch(&injector).unwrap();
    until("blocked", || BLOCKED.load(Ordering::Relaxed) == 1);

    let is_halted = || matches!(injector.status().state, State::Halted { .. });
    let followed = HaltFile::new(&halt).follow(&injector).unwrap();
    for ids in ["a", "ab"] {
        let rule =
            |id| format!(r#"{{"id":"{id}","site":"db.read","faults":[{{"error":"{id}"}}]}}"#);
        let text: Vec<_> = ids.chars().map(rule).collect();
        fs::write(&rules, format!(r#"{{"rules":[{}]}}"#, text.join(","))).unwrap();
        until("installed", || injector.rules().rules().len() == ids.len());
        fs::write(&halt, "incident 42").unwrap();
        until("halted", is_halted);
        fs::remove_file(&halt).unwrap();
        until("resumed", || !is_halted());
    }
    injector.halt("enough seen");
    until("written", || halt.exists());
    fs::write(&rules, "{").unwrap();
    until("refused", || watching.status().error.is_some());

    let (dropped, is_dropped) = mpsc::channel();
    thread::spawn(move || {
        drop((watching, followed));
        dropped.send(()).unwrap();
    });
    let outcome = is_dropped.recv_timeout(Duration::from_secs(10));
    outcome.expect("nobody waits for the log");
    assert_eq!(BLOCKED.load(Ordering::Relaxed), 1);
    IS_OVER.store(true, Ordering::Relaxed);
}
