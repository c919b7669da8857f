//! Checks that are no attack of a steady rate: each starts a victim of its own, and returns what is wrong.

use std::{
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::post};
use chaos_core::Clock;
use futures_util::{FutureExt, future::BoxFuture};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Error,
    checks::attacks::{
        Harness, machine,
        victim::{ARM, Setup, Victim},
    },
};

type Step = for<'h> fn(&'h Harness) -> BoxFuture<'h, Result<Vec<String>, Error>>;

/// The checks by name.
pub(super) const ALL: &[(&str, Step)] = &[
    ("a_halt_frees_blocked_threads", |harness| {
        blocked(harness, Frees::Halt).boxed()
    }),
    ("a_signal_ends_a_blocked_service", |harness| {
        blocked(harness, Frees::Signal).boxed()
    }),
    ("a_halt_overtakes_a_thousand_arms", |harness| {
        overtakes(harness).boxed()
    }),
    ("another_user_keeps_nothing_from_starting", |harness| {
        another_user(harness).boxed()
    }),
    ("an_idle_port_sleeps", |harness| sleeps(harness).boxed()),
];

const AUDITED: Setup = Setup {
    args: &["--audit", "{}/audit.jsonl"],
    ..Setup::DEFAULT
};

/// What frees the threads of a service.
#[derive(Clone, Copy, Debug)]
enum Frees {
    Halt,
    Signal,
}

/// As many calls as the service has threads are in a `block` that never ends. A halt is answered and frees
/// them within a second, and so does a signal to end, which ends the process.
async fn blocked(harness: &Harness, frees: Frees) -> Result<Vec<String>, Error> {
    const LONGEST: Duration = Duration::from_secs(1);
    let mut victim = harness.start(&Setup::DEFAULT).await?;
    let rule = json!({
        "id": "block", "site": "http.server", "ttl": "never", "match": { "path": "/hit" },
        "faults": [{ "block": "24h" }],
    });
    victim.replace([vec![rule]]).await?;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let call = victim.client.get(format!("{}/hit", victim.service));
        calls.spawn(async move { call.send().await?.text().await });
        // Each comes to a thread of its own.
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(200)).await;
    let mut wrong = Vec::new();
    let other = victim.client.get(format!("{}/", victim.service)).send();
    if timeout(Duration::from_millis(300), other).await.is_ok() {
        wrong.push("the service answered, so not all of its threads were blocked".to_owned());
    }
    let clock = Clock::monotonic();
    match frees {
        Frees::Halt => {
            let (status, body) = victim.halt().await?;
            if status != 200 {
                wrong.push(format!("the halt: {status}: {body}"));
            }
        }
        Frees::Signal => victim.program.terminate().await?,
    }
    let all = async { while calls.join_next().await.is_some() {} };
    if timeout(LONGEST, all).await.is_err() {
        wrong.push(format!(
            "{frees:?} did not free the calls within {LONGEST:?}"
        ));
    }
    if matches!(frees, Frees::Signal) && timeout(LONGEST, victim.program.ended()).await.is_err() {
        wrong.push(format!("the process did not end within {:?}", clock.now()));
    }
    Ok(wrong)
}

/// A receiver that takes a second for each message is told of a halt within a few seconds, however many
/// messages about rules wait.
async fn overtakes(harness: &Harness) -> Result<Vec<String>, Error> {
    const ARMS: usize = 1200;
    /// The message under way, that about the halt, and the time of a busy machine.
    const LONGEST: Duration = Duration::from_secs(5);
    let clock = Clock::monotonic();
    let halt_at = Arc::new(Mutex::new(None));
    let told = Arc::new(AtomicU64::new(0));
    let receiver = {
        let (clock, halt_at, told) = (clock.clone(), Arc::clone(&halt_at), Arc::clone(&told));
        async move |body: String| {
            let message: Value = serde_json::from_str(&body).unwrap_or_default();
            if message["event"] == "halt" {
                let mut at = halt_at
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                at.get_or_insert(clock.now());
            }
            told.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(1)).await;
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/", post(receiver));
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    let folder = tempfile::tempdir()?;
    let more = ["--webhook", &*url];
    let victim = harness.start_in(folder, &AUDITED, &more).await?;
    let rule = json!({ "site": "db.none", "faults": [{ "error": "x" }] });
    let mut wrong = Vec::new();
    for number in 0..ARMS {
        let path = format!("/v1/rules/r{number}");
        let (status, body) = victim.ask(Method::PUT, &path, ARM, Some(&rule)).await?;
        if status != 201 {
            wrong.push(format!("{path}: {status}: {body}"));
        }
    }
    let began = clock.now();
    victim.halt().await?;
    let is_told = || halt_at.lock().is_ok_and(|at| at.is_some());
    while !is_told() && clock.now() < began + LONGEST {
        sleep(Duration::from_millis(10)).await;
    }
    if !is_told() {
        let told = told.load(Ordering::Relaxed);
        wrong.push(format!(
            "the halt was not told within {LONGEST:?}, after {told} messages"
        ));
    }
    serving.abort();
    wrong.truncate(3);
    Ok(wrong)
}

/// Another user of the machine can neither read the audit file, nor lock it, nor keep a service from starting
/// that appends to it. Only root can try.
async fn another_user(harness: &Harness) -> Result<Vec<String>, Error> {
    let first = harness.start(&AUDITED).await?;
    let id = Command::new("id").arg("-u").output().await?;
    if id.stdout.trim_ascii() != b"0" {
        return Ok(Vec::new());
    }
    let file = first.folder.path().join("audit.jsonl");
    // The other user may enter the folder.
    let mut open = Command::new("chmod");
    open.arg("755").arg(first.folder.path()).status().await?;
    let as_other = |program: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(program).arg(&file).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut wrong = Vec::new();
    if !as_other(&["test", "-e"]).status().await?.success() {
        wrong.push("the other user cannot even see the file: nothing was tried".to_owned());
    }
    for attempt in [&["cat"][..], &["flock", "--exclusive", "--nonblock"]] {
        let mut attempt = as_other(attempt);
        if attempt.arg("true").status().await?.success() {
            wrong.push(format!("the other user succeeded: {:?}", attempt.as_std()));
        }
    }
    // One who waits for the lock gets it when the first service has ended.
    let mut holder = as_other(&["flock", "--exclusive"])
        .args(["sleep", "60"])
        .spawn()?;
    let Victim {
        mut program,
        folder,
        ..
    } = first;
    program.terminate().await?;
    program.ended().await?;
    sleep(Duration::from_millis(100)).await;
    let second = harness.start_in(folder, &AUDITED, &[]);
    match timeout(Duration::from_secs(5), second).await {
        Ok(Ok(second)) => second.replace([]).await?,
        Ok(Err(error)) => wrong.push(format!("the service did not start: {error}")),
        Err(_) => wrong.push("the service did not start within five seconds".to_owned()),
    }
    holder.kill().await?;
    Ok(wrong)
}

/// A port adds one thread to a service, and that sleeps as long as nobody asks it.
async fn sleeps(harness: &Harness) -> Result<Vec<String>, Error> {
    const TIME: Duration = Duration::from_secs(5);
    let without = harness
        .start(&Setup {
            args: &["--no-port"],
            ..Setup::DEFAULT
        })
        .await?;
    let with = harness.start(&Setup::DEFAULT).await?;
    // Both have begun to wait.
    sleep(Duration::from_millis(500)).await;
    let (less, before) = (machine::threads(without.id)?, machine::threads(with.id)?);
    sleep(TIME).await;
    let after = machine::threads(with.id)?;
    let mut wrong = Vec::new();
    if after.len() != less.len() + 1 {
        wrong.push(format!("{less:?} without a port, {after:?} with one"));
    }
    if before != after {
        wrong.push(format!("in {TIME:?}: {before:?}, then {after:?}"));
    }
    Ok(wrong)
}
