//! What is counted as injected is what both ends of a call see: random rules and random calls against real
//! servers and clients, compared with a model.
//!
//! A failure prints the seed and the case as JSON, as small as it can be made. `CHAOS_RANDOM_SEED` runs one
//! case again, and `CHAOS_RANDOM_TIME` (in seconds) runs new ones for so long.

mod case;
mod flow;
mod found;
mod judge;
mod model;
mod random;
mod seen;
mod server;
mod walk;

use std::{fs, panic, time::Duration};

use chaos_core::Clock;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use self::{
    case::{Case, id},
    model::State,
    random::Numbers,
    server::Server,
};
use crate::support::{
    heard::{End, Heard},
    itself,
    peer::Peer,
    server::SOON,
};

const SEED: &str = "CHAOS_RANDOM_SEED";
const TIME: &str = "CHAOS_RANDOM_TIME";
/// How many cases run without one of the variables, and how many at once.
const CASES: usize = 1_000;
const AT_ONCE: usize = 40;
/// Within so long, nothing is active any more.
const SETTLES: Duration = Duration::from_secs(5);

/// In a process of its own, whose descriptors are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_rules_do_to_random_calls_what_they_say() {
    if !itself::is_server() {
        let name = "what_is_counted_is_seen::random_rules_do_to_random_calls_what_they_say";
        let output = itself::output(name).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        return;
    }
    panic::set_hook(Box::new(report_panic));
    if let Ok(seed) = std::env::var(SEED) {
        return run_all(&[seed.parse().expect("a whole number")]).await;
    }
    let time = std::env::var(TIME).ok();
    let time = time.map(|time| Duration::from_secs(time.parse().expect("whole seconds")));
    let (mut seeds, clock) = (Numbers::of(1), Clock::monotonic());
    if time.is_some() {
        // Others than last time.
        seeds = Numbers::of(u64::from(std::process::id()) << 32 | u64::from(now_in_nanos()));
    }
    // Whatever is opened once is open then.
    run_all(&[1]).await;
    let before = descriptors().len();
    let mut done = 0;
    while time.map_or(done < CASES, |time| clock.now() < time) {
        let batch: Vec<_> = (0..AT_ONCE).map(|_| seeds.next()).collect();
        run_all(&batch).await;
        done += AT_ONCE;
        let closed = timeout(SOON, async {
            while descriptors().len() > before {
                sleep(Duration::from_millis(2)).await;
            }
        });
        let left = || {
            format!(
                "{before} before, then {:#?}, after {batch:?}",
                descriptors()
            )
        };
        assert!(closed.await.is_ok(), "{}", left());
    }
    itself::say(format_args!("{done} cases"));
}

/// What is injected as a panic is no news.
fn report_panic(info: &panic::PanicHookInfo<'_>) {
    let text = info.payload().downcast_ref::<String>();
    if !text.is_some_and(|text| text.starts_with("injected at")) {
        itself::say(info);
    }
}

fn now_in_nanos() -> u32 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
    now.expect("after 1970").subsec_nanos()
}

/// What this process has open.
fn descriptors() -> Vec<String> {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    let link = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    link.map(|link| link.to_string_lossy().into_owned())
        .collect()
}

/// Runs some cases at once.
async fn run_all(seeds: &[u64]) {
    let failed = join_all(seeds.iter().map(|seed| run_seed(*seed))).await;
    let failed: Vec<_> = failed.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

async fn run_seed(seed: u64) -> Result<(), String> {
    let case = random::case(seed);
    let Err(wrong) = run(&case).await else {
        return Ok(());
    };
    let (case, wrong) = smaller(case, wrong).await;
    Err(format!("{SEED}={seed}\n{}\n{wrong}", case.to_json()))
}

/// Takes away what the failure does not need.
async fn smaller(mut case: Case, mut wrong: String) -> (Case, String) {
    'again: loop {
        for smaller in case.smaller() {
            if let Err(now) = run(&smaller).await {
                (case, wrong) = (smaller, now);
                continue 'again;
            }
        }
        return (case, wrong);
    }
}

/// Makes the calls one after the other, and compares. Returns what is wrong.
async fn run(case: &Case) -> Result<(), String> {
    let server = Server::start(case).await;
    let mut states = vec![model::start(case)];
    let mut kept = None;
    for (number, call) in case.calls.iter().enumerate() {
        let peer = match kept.take() {
            Some(peer) => peer,
            None => Peer::connect(case.protocol, server.address).await,
        };
        let mut peer: Peer = peer;
        let ask = call.ask(number);
        let mut heard = match call.leaves {
            None => {
                let heard = timeout(SOON, peer.ask(&ask)).await;
                Some(heard.map_err(|_| format!("call {number} is not answered"))?)
            }
            Some(after) => {
                let _ = timeout(Duration::from_millis(after), peer.ask(&ask)).await;
                None
            }
        };
        if let (Some(heard), Peer::Http2(peer)) = (&mut heard, &mut peer)
            && heard.end == End::Fin
        {
            // A stream of the h2 crate calls it so too if the client was writing when RST came.
            heard.end = peer.ended().await;
        }
        if let (Some(heard), Peer::Http1(peer)) = (&heard, &mut peer)
            && heard
                .head
                .as_ref()
                .is_some_and(|head| head.status.as_u16() == 101)
        {
            let echoed = timeout(SOON, peer.echo(b"over the upgraded connection")).await;
            let echoed = echoed.map_err(|_| "nothing comes back after the upgrade")?;
            if echoed.ok().as_deref() != Some(b"over the upgraded connection") {
                return Err("something else comes back after the upgrade".into());
            }
        }
        let ways: Vec<_> = states
            .iter()
            .flat_map(|state| model::outcomes(case, call, state))
            .collect();
        if heard.is_none() {
            drop(peer);
            states = settle(&server, case, ways.into_iter().map(|(state, _)| state)).await?;
            continue;
        }
        let heard = heard.expect("it was not left");
        let asked = server.log.of(number);
        let (mut right, mut wrongs, mut goes_on) = (Vec::new(), Vec::new(), true);
        for (state, seen) in ways {
            let seen = seen.expect("the client is there");
            match judge::wrong(&seen, &heard, &asked, call.expects) {
                None => {
                    goes_on &= seen.goes_on;
                    right.push(state);
                }
                Some(wrong) => wrongs.push(format!("{wrong}: {seen:?}")),
            }
        }
        let what = || format!("call {number}: {}\n{asked:?}", text(&heard));
        if right.is_empty() {
            return Err(format!("{}\nexpected:\n{}", what(), wrongs.join("\n")));
        }
        states = settle(&server, case, right.into_iter())
            .await
            .map_err(|wrong| format!("{wrong}\n{}", what()))?;
        kept = goes_on.then_some(peer);
    }
    Ok(())
}

/// Waits until nothing is active, and the counts are those of one of the states; returns these.
async fn settle(
    server: &Server,
    case: &Case,
    states: impl Iterator<Item = State>,
) -> Result<Vec<State>, String> {
    let states: Vec<_> = states.collect();
    let counts = || {
        let counts = (0..case.rules.len()).map(|at| {
            let counts = server.injector.counts(&id(at)).expect("the rule is there");
            (counts.matched, counts.injected, counts.shadowed)
        });
        counts.collect::<Vec<_>>()
    };
    let of = |state: &State| {
        let counts = |rule: &model::RuleState| (rule.matched, rule.injected, rule.shadowed);
        state.iter().map(counts).collect::<Vec<_>>()
    };
    let settled = timeout(SETTLES, async {
        loop {
            let (now, active) = (counts(), server.injector.status().active);
            let right: Vec<State> = states.iter().filter(|s| of(s) == now).cloned().collect();
            if active == 0 && !right.is_empty() {
                return right;
            }
            sleep(Duration::from_millis(1)).await;
        }
    });
    settled.await.map_err(|_| {
        let active = server.injector.status().active;
        let expected: Vec<_> = states.iter().map(of).collect();
        let counts = counts();
        format!("{active} active; matched, injected, shadowed: {counts:?}, not {expected:?}")
    })
}

/// What was heard, without the bytes of long bodies.
fn text(heard: &Heard) -> String {
    let (body, took) = (heard.body(), heard.took());
    let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    format!(
        "{:?} after {took:?}, {} times told to go on, {:?}, {} bytes {start:?}, trailers {:?}",
        heard.end,
        heard.interims.len(),
        heard.head,
        body.len(),
        heard.trailers,
    )
}
