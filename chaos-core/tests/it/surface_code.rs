//! What each kind of fault does to a site in code, and that what cannot happen there does not.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chaos_core::{
    Clock, Direction, Fault, Injected, Injector, Latency, Policy, Rule,
    fault::{
        Abort, Burn, BytesFault, CustomFault, GrpcCode, GrpcStatus, HeaderEdit, StreamReason, When,
    },
    inject, inject_async,
    plan::CutKind,
};

const MS: Duration = Duration::from_millis(1);

fn armed(fault: Fault) -> Injector {
    let injector = Injector::new();
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "code".parse().unwrap(),
        fault,
    ));
    injector
}

fn pass(injector: &Injector) -> Result<(), Injected> {
    inject!(injector: injector, "code")
}

/// The same in async code, on a runtime of its own.
fn pass_async(injector: &Injector) -> Result<(), Injected> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let pass = async { inject_async!(injector: injector, "code").await };
    runtime.unwrap().block_on(pass)
}

/// What both kinds of site are given.
fn both(fault: Fault) -> [Result<(), Injected>; 2] {
    let injector = armed(fault);
    let seen = [pass(&injector), pass_async(&injector)];
    assert_eq!(injector.counts("r").unwrap().injected, 2);
    seen
}

fn is_cut(cut: CutKind, kind: ErrorKind) {
    for seen in both(Fault::abort(Abort::Cut(cut))) {
        let injected = seen.unwrap_err();
        assert_eq!(injected.kind(), kind);
        assert_eq!(std::io::Error::from(injected).kind(), kind);
    }
}

#[test]
fn abort_close() {
    is_cut(CutKind::Close, ErrorKind::ConnectionAborted);
}

#[test]
fn abort_reset() {
    is_cut(CutKind::Reset, ErrorKind::ConnectionReset);
}

#[test]
fn abort_refuse() {
    is_cut(CutKind::Refuse, ErrorKind::ConnectionRefused);
}

#[test]
fn abort_h2() {
    let cancel = StreamReason::from_name("cancel").unwrap();
    is_cut(CutKind::Stream(cancel), ErrorKind::ConnectionReset);
}

#[test]
fn status() {
    for seen in both(Fault::status(429).unwrap()) {
        let injected = seen.unwrap_err();
        assert_eq!(injected.status().unwrap(), 429);
        assert_eq!(injected.kind(), ErrorKind::Other);
    }
}

#[test]
fn grpc() {
    let status = GrpcStatus::new(GrpcCode::from_name("NOT_FOUND").unwrap(), "no such order");
    for seen in both(Fault::grpc(status)) {
        let injected = seen.unwrap_err();
        assert_eq!(injected.status().unwrap(), 404);
        assert!(injected.message().contains("no such order"));
    }
}

#[test]
fn error() {
    for seen in both(Fault::io_error(ErrorKind::TimedOut, "too late")) {
        let injected = seen.unwrap_err();
        assert_eq!(
            (injected.kind(), injected.message()),
            (ErrorKind::TimedOut, "too late")
        );
    }
}

#[test]
fn value() {
    for seen in both(Fault::value(&vec![1, 2, 3]).unwrap()) {
        let injected = seen.unwrap_err();
        assert_eq!(injected.value::<Vec<u32>>().unwrap().unwrap(), [1, 2, 3]);
        assert!(injected.value::<String>().unwrap().is_err());
    }
    let [plain, _] = both(Fault::error("x"));
    assert!(plain.unwrap_err().value::<u32>().is_none());
}

/// Felt for this long by both kinds of site, and by no more than its rule allows.
fn is_felt(fault: Fault, time: Duration) {
    let injector = armed(fault);
    let clock = Clock::monotonic();
    pass(&injector).unwrap();
    assert!(clock.now() >= time);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let clock = Clock::monotonic();
        inject_async!(injector: &injector, "code").await.unwrap();
        assert!(clock.now() >= time);
    });
}

fn latency(when: When) -> Fault {
    Fault::Latency(Latency::fixed(50 * MS).unwrap(), when)
}

#[test]
fn latency_before() {
    is_felt(latency(When::Before), 50 * MS);
}

/// A point has no after: it waits there.
#[test]
fn latency_after() {
    is_felt(latency(When::After), 50 * MS);
}

#[test]
fn latency_at_least() {
    is_felt(latency(When::AtLeast), 50 * MS);
}

#[test]
fn hang() {
    is_felt(Fault::hang(50 * MS).unwrap(), 50 * MS);
}

#[test]
fn abort_panic() {
    let injector = armed(Fault::abort(Abort::Panic));
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| pass(&injector))).unwrap_err();
    let message = caught.downcast_ref::<String>().unwrap();
    assert!(message.contains("rule r"), "{message}");
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.injected, counts.active), (1, 0));
}

#[test]
fn abort_exit() {
    let injector = armed(Fault::abort(Abort::Exit));
    assert!(pass(&injector).is_ok());
    assert_eq!(injector.counts("r").unwrap().injected, 0);
    let rules = injector.rules();
    let rules = || rules.rules().iter().map(|rule| &**rule);
    let error = injector.check(rules()).unwrap_err();
    assert_eq!(
        (error.rule(), error.field()),
        (Some("r"), "faults[0].abort")
    );
    injector.set_policy(Policy::new().allow_exit(true));
    injector.check(rules()).unwrap();
    // With it, the process ends: another one, which runs this test and gets to this line again.
    if std::env::var_os("CHAOS_TEST_EXITS").is_some() {
        drop(pass(&injector));
        unreachable!("it has ended");
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["surface_code::abort_exit", "--exact"])
        .env("CHAOS_TEST_EXITS", "1")
        .output();
    assert_eq!(child.unwrap().status.code(), Some(1));
}

#[test]
fn what_cannot_happen_at_a_site_does_not_fire_there() {
    let bytes = BytesFault::truncate_after(0);
    for fault in [
        Fault::Body(bytes, Direction::Response),
        Fault::Headers(HeaderEdit::new(), Direction::Request),
    ] {
        let injector = armed(fault);
        assert!(pass(&injector).is_ok());
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.matched, counts.injected), (1, 0));
    }
    // Those that can are executed all the same.
    let injector = armed(Fault::Body(bytes, Direction::Response));
    let rule = injector.rules().find("r").unwrap().as_ref().clone();
    injector.put(rule.then(Fault::error("gone")));
    assert_eq!(pass(&injector).unwrap_err().message(), "gone");
}

#[test]
fn custom() {
    let injector = armed(Fault::Custom(CustomFault::new("odd", r#"{"n":1}"#)));
    let rules = injector.rules();
    let check = || injector.check(rules.rules().iter().map(|rule| &**rule));
    assert!(check().unwrap_err().problem().contains("defines no"));
    assert!(pass(&injector).is_ok());

    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    injector.define("odd", move |call| {
        assert_eq!((call.site, call.arguments), ("code", r#"{"n":1}"#));
        let is_odd = count.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        is_odd.then(|| Fault::error("odd"))
    });
    check().unwrap();
    let outcomes: Vec<_> = (0..4).map(|_| pass(&injector).is_err()).collect();
    assert_eq!(outcomes, [false, true, false, true]);

    // One that asks for itself, or for what is not allowed, is not asked again.
    injector.define("odd", |_| {
        Some(Fault::Custom(CustomFault::new("odd", "{}")))
    });
    assert!(pass(&injector).is_ok());
    injector.define("odd", |_| Some(Fault::abort(Abort::Exit)));
    assert!(pass(&injector).is_ok());
}

#[tokio::test(start_paused = true)]
async fn pause() {
    let injector = armed(Fault::pause(Duration::from_secs(60)).unwrap());
    let call = || {
        let injector = injector.clone();
        tokio::spawn(async move { inject_async!(injector: &injector, "code").await })
    };
    let held = [call(), call()];
    while injector.status().active < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!injector.release("nobody"));
    assert!(injector.release("r"));
    for call in held {
        call.await.unwrap().unwrap();
    }
    // The next one waits for the next release.
    let start = Clock::monotonic();
    let held = call();
    tokio::time::sleep(MS).await;
    assert_eq!(injector.status().active, 1);
    injector.release("r");
    held.await.unwrap().unwrap();
    assert!(start.now() < Duration::from_secs(1));
    assert_eq!(injector.counts("r").unwrap().injected, 3);
}

#[tokio::test]
async fn block() {
    let injector = armed(Fault::block(50 * MS).unwrap());
    let start = Clock::monotonic();
    let mut blocked = std::pin::pin!(inject_async!(injector: &injector, "code"));
    // Ready at the first poll: nobody else had a turn.
    assert!(poll_once(blocked.as_mut()).is_ready());
    assert!(start.now() >= 50 * MS);
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[test]
fn burn() {
    let burn = Burn::memory(1 << 20, Duration::from_secs(60)).unwrap();
    let injector = armed(Fault::Burn(burn));
    pass(&injector).unwrap();
    pass_async(&injector).unwrap();
    // The call went on; what burns is under way. How much, `burning_is_bounded` looks at.
    assert_eq!(injector.status().active, 1);
    injector.halt("enough");
    let clock = Clock::monotonic();
    while injector.status().active > 0 {
        assert!(clock.now() < Duration::from_secs(20));
        std::thread::yield_now();
    }
}

/// What is chosen is felt here, and what code has no room for is not among the options.
#[test]
fn one_of() {
    let gone = || Fault::error("gone");
    let choose = |options: Vec<(u32, Fault)>| armed(Fault::one_of(options).unwrap());
    let ways = [pass, pass_async];
    let injector = choose(vec![(1, gone()), (1, Fault::status(503).unwrap())]);
    for pass in ways {
        let status = |_| pass(&injector).unwrap_err().status();
        let seen: BTreeSet<_> = (0..100).map(status).collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
    let bytes = || Fault::Body(BytesFault::truncate_after(0), Direction::Response);
    let injector = choose(vec![(1_000_000, bytes()), (1, gone())]);
    for pass in ways {
        assert_eq!(pass(&injector).unwrap_err().message(), "gone");
    }
    let injector = choose(vec![(1, bytes()), (1, bytes())]);
    for pass in ways {
        pass(&injector).unwrap();
    }
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (2, 0));
}
