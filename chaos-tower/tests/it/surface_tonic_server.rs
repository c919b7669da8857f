//! What each kind of fault does at a layer of tonic's own server, as tonic's client has it and as it
//! stands on the wire.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use chaos_core::{Fault, Injector, Policy, wire::rule_from_value};
use chaos_tower::InjectLayer;
use futures_util::future::join_all;
use h2::Reason;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    time::{sleep, timeout},
};
use tonic::{Code, service::Routes, transport::Channel};

use crate::support::{
    ask::Ask,
    echo::{Echo, Given, Kind, SITE, armed, ask as grpc_ask, call, channel, frame, frames},
    heard::{End, Heard},
    http2::Http2,
};

const MS: Duration = Duration::from_millis(1);

/// As good a content type of gRPC as any.
const ODD: &str = "application/grpc+odd";

/// A server that a rule, `r`, aims at, and one connection of each client.
struct Stage {
    injector: Injector,
    echo: Echo,
    address: SocketAddr,
    channel: Channel,
    peer: Http2,
}

impl Stage {
    async fn of(faults: Value) -> Self {
        Self::with(armed(faults)).await
    }

    async fn with(injector: Injector) -> Self {
        let echo = Echo::default();
        let address = echo.serve(&injector).await;
        Self {
            injector,
            echo,
            address,
            channel: channel(address).await,
            peer: Http2::connect(address).await,
        }
    }

    /// A call of tonic's client, with the messages that suit its kind.
    async fn call(&self, kind: Kind) -> Given {
        call(&self.channel, kind, messages(kind)).await
    }

    /// The same on the wire.
    async fn ask(&self, kind: Kind) -> Heard {
        self.peer.ask(&grpc_ask(kind, messages(kind))).await
    }

    async fn active(&self, active: u64) {
        eventually(|| self.injector.status().active == active).await;
    }

    fn injected(&self) -> u64 {
        self.injector.counts("r").unwrap().injected
    }

    /// That both clients are served, all as if there were no rule, on the connections that they have.
    async fn is_served(&self) {
        for kind in Kind::ALL {
            let given = self.call(kind).await;
            given.is_served(replies(kind));
            let heard = self.ask(kind).await;
            heard.is_served(&frames(replies(kind)));
            assert_eq!(heard.trailer("grpc-status"), "0");
        }
    }
}

fn messages(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unary => &["one"],
        Kind::Server => &["3"],
        Kind::Client | Kind::Both => &["a", "b", "c"],
    }
}

fn replies(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unary => &["one"],
        Kind::Server => &["reply 1", "reply 2", "reply 3"],
        Kind::Client => &["a,b,c"],
        Kind::Both => &["a", "b", "c"],
    }
}

async fn eventually(is_so: impl Fn() -> bool) {
    timeout(Duration::from_secs(20), async {
        while !is_so() {
            sleep(MS).await;
        }
    })
    .await
    .expect("within reason");
}

/// Served, but not before `time`.
async fn is_late(stage: &Stage, time: Duration) {
    for kind in Kind::ALL {
        let (given, heard) = tokio::join!(stage.call(kind), stage.ask(kind));
        given.is_served(replies(kind));
        heard.is_served(&frames(replies(kind)));
        assert!(given.took >= time, "{given:?}");
        assert!(heard.head().at - heard.asked_at >= time, "{heard:?}");
        assert_eq!(heard.header("x-chaos-fault"), "");
    }
}

#[tokio::test]
async fn latency_before() {
    is_late(&Stage::of(json!({ "latency": "80ms" })).await, 80 * MS).await;

    let stage = Stage::of(json!({ "latency": "1h" })).await;
    let call = stage.call(Kind::Unary);
    let look = async {
        stage.active(1).await;
        assert_eq!(stage.echo.served(), 0);
        stage.injector.halt("enough");
    };
    tokio::join!(call, look).0.is_served(&["one"]);
}

#[tokio::test]
async fn latency_after() {
    let after = |time| json!({ "latency": time, "when": "after" });
    is_late(&Stage::of(after("80ms")).await, 80 * MS).await;

    let stage = Stage::of(after("1h")).await;
    let call = stage.call(Kind::Unary);
    let look = async {
        eventually(|| stage.echo.served() == 1).await;
        stage.injector.halt("enough");
    };
    tokio::join!(call, look).0.is_served(&["one"]);
}

#[tokio::test]
async fn latency_at_least() {
    let faults = json!([{ "latency": { "at_least": "1s" } }, { "latency": "1s" }]);
    let stage = Stage::of(faults).await;
    let given = stage.call(Kind::Unary).await;
    given.is_served(&["one"]);
    // Both at once, not one after the other.
    assert!((1000 * MS..1900 * MS).contains(&given.took), "{given:?}");
    let alone = Stage::of(json!({ "latency": { "at_least": "80ms" } })).await;
    is_late(&alone, 80 * MS).await;
}

/// Each kind of call is refused, with a status that looks the same to all who look.
async fn is_refused(faults: Value, code: Code, message: &str) {
    let stage = Stage::of(faults).await;
    for (calls, kind) in (1..).zip(Kind::ALL) {
        let given = stage.call(kind).await;
        assert_eq!(given.refusal(), (code, message, Some("r")), "{given:?}");
        assert!(given.replies.is_empty());

        // The content type of an answer is that of its request.
        let asked = grpc_ask(kind, messages(kind)).header("content-type", ODD);
        let heard = stage.peer.ask(&asked).await;
        // One frame: what gRPC calls trailers-only.
        heard.is_served(b"");
        assert!(heard.head().is_end && heard.trailers.is_none(), "{heard:?}");
        assert_eq!(heard.header("grpc-status"), (code as i32).to_string());
        assert_eq!(heard.header("content-type"), ODD);
        assert_eq!(heard.header("x-chaos-fault"), "r");
        assert_eq!(stage.injected(), 2 * calls);
    }
    assert_eq!(stage.echo.served(), 0);
    stage.injector.halt("enough");
    stage.is_served().await;
}

#[tokio::test]
async fn status() {
    is_refused(json!({ "status": 503 }), Code::Unavailable, "injected 503").await;
    is_refused(
        json!({ "status": 403 }),
        Code::PermissionDenied,
        "injected 403",
    )
    .await;
    // Its body and its headers are of HTTP, and have no place here.
    let answer =
        json!({ "status": { "code": 429, "body": "no", "headers": { "retry-after": "1" } } });
    is_refused(answer, Code::Unavailable, "injected 429").await;
}

#[tokio::test]
async fn grpc() {
    let message = "größer als ☂: 100 % sure\n";
    let grpc = json!({ "grpc": { "code": "RESOURCE_EXHAUSTED", "message": message } });
    is_refused(grpc, Code::ResourceExhausted, message).await;
    is_refused(json!({ "grpc": 10 }), Code::Aborted, "injected").await;

    let detailed = json!({ "grpc": { "code": 14, "message": "50% off", "details": "CA4SAm5v" } });
    let stage = Stage::of(detailed).await;
    let given = stage.call(Kind::Unary).await;
    assert_eq!(given.status.details(), b"\x08\x0e\x12\x02no");
    let heard = stage.ask(Kind::Unary).await;
    assert_eq!(heard.header("grpc-message"), "50%25%20off");
    assert_eq!(heard.header("grpc-status-details-bin"), "CA4SAm5v");
}

/// gRPC's push-back and whatever else stands in metadata was dropped.
#[tokio::test]
async fn metadata_comes_with_the_status() {
    let metadata =
        json!({ "grpc-retry-pushback-ms": "100", "quota-bin": "CA4SAm4=", "X-Zone": "b" });
    let at_once = json!({ "grpc": { "code": 14, "metadata": metadata } });
    let midway = json!({ "grpc": { "code": 14, "metadata": metadata, "after_messages": 2 } });
    for (fault, kinds) in [
        (at_once, &Kind::ALL[..]),
        (midway, &[Kind::Server, Kind::Both]),
    ] {
        let stage = Stage::of(fault.clone()).await;
        for kind in kinds {
            let which = format!("{fault}, {kind:?}");
            let given = stage.call(*kind).await;
            assert_eq!(given.refusal(), (Code::Unavailable, "injected", Some("r")));
            let got = given.status.metadata();
            assert_eq!(got.get("grpc-retry-pushback-ms").unwrap(), "100", "{which}");
            assert_eq!(got.get("x-zone").unwrap(), "b", "{which}");
            let bytes = got.get_bin("quota-bin").unwrap().to_bytes().unwrap();
            assert_eq!(bytes, b"\x08\x0e\x12\x02n"[..], "{which}");

            let heard = stage.ask(*kind).await;
            let value = match heard.head().is_end {
                true => heard.header("quota-bin"),
                false => heard.trailer("quota-bin"),
            };
            assert_eq!(value, "CA4SAm4", "{which}");
        }
        // A call that is no gRPC call has no use for it.
        let heard = stage.peer.ask(&Ask::get("/")).await;
        assert_eq!(heard.header("x-zone"), "", "{heard:?}");
    }
}

#[tokio::test]
async fn grpc_after_messages() {
    let after = |messages: u32, on: &str| {
        json!({ "grpc": { "code": "ABORTED", "message": "no more", "details": "CA4SAm5v",
                          "after_messages": messages, "on": on } })
    };
    // What a client has of a call before its status: nothing where there is but one reply.
    for (messages, on, kind, replies) in [
        (1, "response", Kind::Unary, &["one"][..]),
        (2, "response", Kind::Server, &["reply 1", "reply 2"]),
        (1, "response", Kind::Client, &["a,b,c"]),
        (2, "response", Kind::Both, &["a", "b"]),
        (1, "request", Kind::Unary, &[]),
        (1, "request", Kind::Server, &[]),
        (2, "request", Kind::Client, &[]),
        (2, "request", Kind::Both, &["a", "b"]),
    ] {
        let which = format!("{kind:?}, after {messages} of the {on}");
        let stage = Stage::of(after(messages, on)).await;
        let given = stage.call(kind).await;
        assert_eq!(given.status.code(), Code::Aborted, "{which}: {given:?}");
        assert_eq!(given.status.message(), "no more", "{which}");
        assert_eq!(given.status.details(), b"\x08\x0e\x12\x02no", "{which}");
        let rule = given.status.metadata().get("x-chaos-fault").unwrap();
        assert_eq!(rule, "r", "{which}");
        if [Kind::Server, Kind::Both].contains(&kind) {
            assert_eq!(given.replies, replies, "{which}");
        }

        let heard = stage.ask(kind).await;
        assert_eq!(heard.end, End::Whole, "{which}: {heard:?}");
        assert_eq!(heard.body(), frames(replies), "{which}: {heard:?}");
        // In the trailers behind messages, and in the headers if there are none.
        let status = |name: &str| match heard.head().is_end {
            true => heard.header(name).to_owned(),
            false => heard.trailer(name).to_owned(),
        };
        assert_eq!(status("grpc-status"), "10", "{which}: {heard:?}");
        assert_eq!(status("grpc-message"), "no%20more", "{which}");
        assert_eq!(status("grpc-status-details-bin"), "CA4SAm5v", "{which}");
        assert_eq!(status("x-chaos-fault"), "r", "{which}");
        if !replies.is_empty() {
            assert_eq!(heard.header("grpc-status"), "", "{which}");
        }
        stage.active(0).await;
        assert_eq!(stage.injected(), 2);
    }
    // Calls of fewer messages are as they were.
    for on in ["request", "response"] {
        Stage::of(after(9, on)).await.is_served().await;
    }
    // An early end that nobody can tell from the real one.
    let end = json!({ "grpc": { "code": "OK", "after_messages": 2 } });
    let given = Stage::of(end).await.call(Kind::Server).await;
    given.is_served(&["reply 1", "reply 2"]);
}

#[tokio::test]
async fn error() {
    let message = |text: &str| format!("{text} (injected at grpc.server by rule r)");
    let fault = json!({ "error": "out of luck" });
    is_refused(fault, Code::Unknown, &message("out of luck")).await;
    let fault = json!({ "error": { "kind": "connection_refused", "message": "no one" } });
    is_refused(fault, Code::Unavailable, &message("no one")).await;
    let fault = json!({ "error": { "kind": "timed_out", "message": "late" } });
    is_refused(fault, Code::DeadlineExceeded, &message("late")).await;
}

#[tokio::test]
async fn value() {
    let message = "a value in place of the real one (injected at grpc.server by rule r)";
    is_refused(json!({ "value": [1, 2] }), Code::Unknown, message).await;
}

/// Each kind of call ends with a reset stream, and with this code; nothing else on the connection
/// does.
async fn is_cut(abort: Value, reason: Reason, code: Code) {
    let stage = Stage::of(json!({ "abort": abort })).await;
    for kind in Kind::ALL {
        let heard = stage.ask(kind).await;
        heard.is_nothing_but(End::StreamReset(reason));
        let given = stage.call(kind).await;
        assert_eq!(given.status.code(), code, "{abort}, {kind:?}: {given:?}");
        assert!(given.replies.is_empty());
    }
    assert_eq!(stage.injected(), 8, "nothing is tried again");
    assert_eq!(stage.echo.served(), 0);
    stage.injector.halt("enough");
    stage.is_served().await;
}

#[tokio::test]
async fn abort_close() {
    is_cut(json!("close"), Reason::INTERNAL_ERROR, Code::Internal).await;
}

#[tokio::test]
async fn abort_refuse() {
    is_cut(json!("refuse"), Reason::REFUSED_STREAM, Code::Unavailable).await;
}

#[tokio::test]
async fn abort_h2() {
    for (name, reason, code) in [
        ("cancel", Reason::CANCEL, Code::Cancelled),
        ("refused_stream", Reason::REFUSED_STREAM, Code::Unavailable),
        (
            "enhance_your_calm",
            Reason::ENHANCE_YOUR_CALM,
            Code::ResourceExhausted,
        ),
        (
            "inadequate_security",
            Reason::INADEQUATE_SECURITY,
            Code::PermissionDenied,
        ),
        ("protocol_error", Reason::PROTOCOL_ERROR, Code::Internal),
    ] {
        is_cut(json!({ "h2": name }), reason, code).await;
    }
}

/// What a stock server cannot do: nobody knows the connection. The call is served all the same.
#[tokio::test]
async fn abort_goaway() {
    let injector = armed(json!({ "abort": "goaway" }));
    Stage::with(injector.clone()).await.is_served().await;

    let echo = Echo::default();
    let address = echo.serve_behind_listener(&injector).await;
    for kind in Kind::ALL {
        let mut peer = Http2::connect(address).await;
        let under_way = grpc_ask(Kind::Server, &["20"]);
        let hit = grpc_ask(kind, messages(kind));
        let (under_way, hit) = tokio::join!(peer.ask(&under_way), peer.ask(&hit));
        // The call itself and those beside it are served; then the connection is over.
        assert_eq!(under_way.end, End::Whole, "{under_way:?}");
        assert_eq!(under_way.trailer("grpc-status"), "0");
        hit.is_served(&frames(replies(kind)));
        let ended = timeout(Duration::from_secs(20), peer.ended()).await;
        assert_eq!(ended.unwrap(), End::Whole);
    }
    // tonic's client makes another connection each time, and its user does not notice.
    let channel = channel(address).await;
    for kind in Kind::ALL {
        call(&channel, kind, messages(kind))
            .await
            .is_served(replies(kind));
    }
}

#[tokio::test]
async fn abort_panic() {
    is_cut(json!("panic"), Reason::CANCEL, Code::Cancelled).await;
}

/// tonic tells such a loss from no other error; but what it was is among the sources.
#[track_caller]
fn has_lost_the_connection(given: &Given) {
    assert_ne!(given.status.code(), Code::Ok, "{given:?}");
    let mut next: Option<&(dyn Error + 'static)> = Some(&given.status);
    let kinds = std::iter::from_fn(|| {
        let error = next?;
        next = error.source();
        // h2 keeps it to itself.
        let inside = error
            .downcast_ref::<h2::Error>()
            .and_then(h2::Error::get_io);
        let io = error.downcast_ref::<io::Error>().or(inside);
        Some(io.map(io::Error::kind))
    });
    let kinds: Vec<_> = kinds.flatten().collect();
    assert!(kinds.contains(&io::ErrorKind::ConnectionReset), "{given:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abort_reset() {
    let stage = Stage::of(json!({ "abort": "reset" })).await;
    for kind in Kind::ALL {
        let mut peer = Http2::connect(stage.address).await;
        let asked = grpc_ask(kind, messages(kind));
        peer.ask(&asked).await.is_nothing_but(End::Rst);
        assert_eq!(peer.ended().await, End::Rst);
        let given = stage.call(kind).await;
        has_lost_the_connection(&given);
        assert!(given.replies.is_empty());
    }
    assert_eq!((stage.injected(), stage.echo.served()), (8, 0));
    stage.injector.halt("enough");
    // The connection that nobody was hit on is as it was; tonic's client makes another.
    stage.is_served().await;

    // All that is under way on a connection goes with it.
    let hit = json!({ "site": SITE, "faults": [{ "abort": "reset" }],
                      "match": { "path": Kind::Unary.path() } });
    stage.injector.put(rule_from_value(hit, Some("r")).unwrap());
    stage.injector.resume();
    let endless = grpc_ask(Kind::Server, &["10000"]);
    let open = stage.peer.ask(&endless);
    let hit = async {
        eventually(|| stage.echo.served() > 8).await;
        stage.ask(Kind::Unary).await
    };
    let (open, hit) = tokio::join!(open, hit);
    assert_eq!((open.end, hit.end), (End::Rst, End::Rst));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abort_reset_after() {
    let stage = Stage::of(json!({ "abort": "reset", "after": "24B" })).await;
    let heard = stage.ask(Kind::Server).await;
    assert_eq!(heard.end, End::Rst, "{heard:?}");
    // What it was sent may be lost to it, but it was not sent more.
    let two = frames(&["reply 1", "reply 2"]);
    assert!(two.starts_with(&heard.body()), "{heard:?}");
    let given = stage.call(Kind::Server).await;
    has_lost_the_connection(&given);
    assert!(given.replies.len() <= 2, "{given:?}");
    assert_eq!(stage.echo.served(), 2);
}

#[tokio::test]
async fn abort_close_after() {
    let two = frames(&["reply 1", "reply 2"]);
    for (abort, reason, code) in [
        (json!("close"), Reason::INTERNAL_ERROR, Code::Internal),
        (json!({ "h2": "cancel" }), Reason::CANCEL, Code::Cancelled),
    ] {
        // To the byte: also amid a message.
        for bytes in [two.len(), two.len() + 3] {
            let after = format!("{bytes}B");
            let stage = Stage::of(json!({ "abort": abort, "after": after })).await;
            let heard = stage.ask(Kind::Server).await;
            assert_eq!(heard.end, End::StreamReset(reason), "{heard:?}");
            assert_eq!(heard.header("x-chaos-fault"), "r");
            assert_eq!(heard.body().len(), bytes, "{heard:?}");
            assert!(heard.body().starts_with(&two));
            let given = stage.call(Kind::Server).await;
            assert_eq!(given.status.code(), code, "{given:?}");
            assert_eq!(given.replies, ["reply 1", "reply 2"]);
            assert_eq!(stage.echo.served(), 2);
            stage.injector.halt("enough");
            stage.is_served().await;
        }
    }
}

#[tokio::test]
async fn abort_exit() {
    // Whoever allows nothing, allows no end of the process.
    Stage::of(json!({ "abort": "exit" }))
        .await
        .is_served()
        .await;

    if std::env::var_os("CHAOS_TEST_EXITS").is_some() {
        let injector = armed(json!({ "abort": "exit" }));
        injector.set_policy(Policy::new().allow_exit(true));
        println!("\nserves {}", Echo::default().serve(&injector).await);
        return std::future::pending().await;
    }
    // Another process, which runs this test and gets to the lines above.
    let mut process = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["surface_tonic_server::abort_exit", "--exact", "--nocapture"])
        .env("CHAOS_TEST_EXITS", "1")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("it serves");
        if let Some(address) = line.strip_prefix("serves ") {
            break address.parse().unwrap();
        }
    };
    let given = call(&channel(address).await, Kind::Unary, &["one"]).await;
    assert_ne!(given.status.code(), Code::Ok, "{given:?}");
    assert!(given.replies.is_empty());
    assert_eq!(process.wait().await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn hang() {
    is_late(&Stage::of(json!({ "hang": "80ms" })).await, 80 * MS).await;

    let stage = Stage::of(json!({ "hang": "1h" })).await;
    let gone = timeout(50 * MS, join_all(Kind::ALL.map(|kind| stage.ask(kind))));
    assert!(gone.await.is_err(), "none is answered");
    let gone = timeout(50 * MS, join_all(Kind::ALL.map(|kind| stage.call(kind))));
    assert!(gone.await.is_err(), "none is answered");
    // Who has left is not waited for.
    stage.active(0).await;
    assert_eq!(stage.echo.served(), 0);

    let halt = async {
        stage.active(4).await;
        stage.injector.halt("enough");
    };
    let (served, ()) = tokio::join!(join_all(Kind::ALL.map(|kind| stage.call(kind))), halt);
    for (given, kind) in served.iter().zip(Kind::ALL) {
        given.is_served(replies(kind));
    }
}

#[tokio::test]
async fn pause() {
    let stage = Stage::of(json!({ "pause": { "max": "1h" } })).await;
    let release = async {
        stage.active(4).await;
        assert_eq!(stage.echo.served(), 0);
        assert!(stage.injector.release("r"));
    };
    let (served, ()) = tokio::join!(join_all(Kind::ALL.map(|kind| stage.ask(kind))), release);
    for (heard, kind) in served.iter().zip(Kind::ALL) {
        heard.is_served(&frames(replies(kind)));
    }
    // The next one waits for the next release.
    assert!(timeout(50 * MS, stage.ask(Kind::Unary)).await.is_err());
}

#[tokio::test]
async fn block() {
    is_late(&Stage::of(json!({ "block": "50ms" })).await, 50 * MS).await;
}

#[tokio::test]
async fn body_throttle() {
    // Three replies of twelve bytes, and the trailers behind them.
    let stage = Stage::of(json!({ "body": { "throttle": "120B/s" } })).await;
    let (given, heard) = tokio::join!(stage.call(Kind::Server), stage.ask(Kind::Server));
    given.is_served(replies(Kind::Server));
    assert!(given.took >= 300 * MS, "{given:?}");
    heard.is_served(&frames(replies(Kind::Server)));
    assert!(heard.bytes_at(36) - heard.asked_at >= 300 * MS, "{heard:?}");
    assert_eq!(heard.header("x-chaos-fault"), "r");
    assert_eq!(heard.trailer("grpc-status"), "0");
}

#[tokio::test]
async fn body_truncate() {
    for (after, replies) in [(24, 2), (30, 2), (0, 0)] {
        let truncate = json!({ "body": { "truncate_after": format!("{after}B") } });
        let stage = Stage::of(truncate).await;
        let heard = stage.ask(Kind::Server).await;
        let reset = End::StreamReset(Reason::INTERNAL_ERROR);
        assert_eq!((heard.end, heard.body().len()), (reset, after));
        assert!(heard.trailers.is_none(), "{heard:?}");
        let given = stage.call(Kind::Server).await;
        assert_eq!(given.replies.len(), replies, "{given:?}");
        assert_ne!(given.status.code(), Code::Ok, "{given:?}");
    }
    Stage::of(json!({ "body": { "truncate_after": "1KiB" } }))
        .await
        .is_served()
        .await;
}

#[tokio::test]
async fn body_stall() {
    let stage = Stage::of(json!({ "body": { "stall_after": "12B", "for": "200ms" } })).await;
    let heard = stage.ask(Kind::Server).await;
    heard.is_served(&frames(replies(Kind::Server)));
    let stalled = heard.bytes_at(13) - heard.bytes_at(12);
    // The first bytes may be late themselves on a busy machine, but not by so much.
    assert!(stalled >= 100 * MS, "{heard:?}");
    assert!(heard.took() >= 200 * MS, "{heard:?}");
    let given = stage.call(Kind::Server).await;
    given.is_served(replies(Kind::Server));
    assert!(given.took >= 200 * MS, "{given:?}");
}

#[tokio::test]
async fn body_corrupt() {
    let stage = Stage::of(json!({ "body": { "corrupt": 1 } })).await;
    let heard = stage.ask(Kind::Server).await;
    let (was, is) = (frames(replies(Kind::Server)), heard.body());
    assert_eq!((heard.end, is.len()), (End::Whole, was.len()));
    assert!(was.iter().zip(is).all(|(was, is)| *was != is), "{heard:?}");
    assert_eq!(heard.trailer("grpc-status"), "0", "trailers are left alone");
    let given = stage.call(Kind::Server).await;
    assert_ne!(given.status.code(), Code::Ok, "{given:?}");
    assert!(given.replies.is_empty(), "{given:?}");
}

#[tokio::test]
async fn body_first_byte() {
    let stage = Stage::of(json!({ "body": { "first_byte": "300ms" } })).await;
    let (given, heard) = tokio::join!(stage.call(Kind::Server), stage.ask(Kind::Server));
    given.is_served(replies(Kind::Server));
    assert!(given.took >= 300 * MS, "{given:?}");
    heard.is_served(&frames(replies(Kind::Server)));
    assert!(heard.first_byte_at() - heard.asked_at >= 300 * MS);
    assert!(heard.head().at < heard.first_byte_at(), "{heard:?}");
}

#[tokio::test]
async fn body_chunk() {
    let stage = Stage::of(json!({ "body": { "chunk": "100ms" } })).await;
    let (given, heard) = tokio::join!(stage.call(Kind::Server), stage.ask(Kind::Server));
    given.is_served(replies(Kind::Server));
    heard.is_served(&frames(replies(Kind::Server)));
    assert!(heard.pieces.len() >= 3, "{heard:?}");
    for took in [given.took, heard.took()] {
        assert!(took >= 300 * MS, "{took:?}");
    }
}

#[tokio::test]
async fn request_body() {
    let upload = |deed: Value| json!({ "body": deed, "on": "request" });
    // Three messages of six bytes.
    for slow in [
        json!({ "throttle": "60B/s" }),
        json!({ "stall_after": "6B", "for": "300ms" }),
        json!({ "first_byte": "300ms" }),
        json!({ "chunk": "300ms" }),
    ] {
        let stage = Stage::of(upload(slow.clone())).await;
        let (given, heard) = tokio::join!(stage.call(Kind::Client), stage.ask(Kind::Client));
        given.is_served(&["a,b,c"]);
        assert!(given.took >= 300 * MS, "{slow}: {given:?}");
        heard.is_served(&frame("a,b,c"));
        assert!(heard.took() >= 300 * MS, "{slow}: {heard:?}");
        assert_eq!(
            heard.header("x-chaos-fault"),
            "",
            "the answer is the real one"
        );
    }
    // Between two messages, and amid one.
    for deed in [
        json!({ "truncate_after": "12B" }),
        json!({ "truncate_after": "9B" }),
        json!({ "corrupt": 1 }),
    ] {
        let stage = Stage::of(upload(deed.clone())).await;
        let given = stage.call(Kind::Client).await;
        assert_ne!(given.status.code(), Code::Ok, "{deed}: {given:?}");
        let heard = stage.ask(Kind::Client).await;
        assert_eq!(heard.end, End::Whole, "{deed}: {heard:?}");
        assert_ne!(heard.header("grpc-status"), "0", "{deed}: {heard:?}");
    }
}

#[tokio::test]
async fn abort_on_request() {
    let abort = json!({ "abort": "close", "after": "9B", "on": "request" });
    let stage = Stage::of(abort).await;
    let heard = stage.ask(Kind::Client).await;
    heard.is_nothing_but(End::StreamReset(Reason::INTERNAL_ERROR));
    let given = stage.call(Kind::Client).await;
    assert_eq!(given.status.code(), Code::Internal, "{given:?}");
    // The response has begun, and breaks off.
    let given = stage.call(Kind::Both).await;
    assert_eq!(given.status.code(), Code::Internal, "{given:?}");
}

#[tokio::test]
async fn headers() {
    let set = json!({ "headers": { "set": { "x-region": "moon" }, "remove": ["x-tenant"] } });
    let stage = Stage::of(set).await;
    for kind in Kind::ALL {
        let given = stage.call(kind).await;
        given.is_served(replies(kind));
        assert_eq!(given.metadata.get("x-region").unwrap(), "moon");
        assert_eq!(given.metadata.get("x-chaos-fault").unwrap(), "r");
        let asked = grpc_ask(kind, messages(kind)).header("x-tenant", "acme");
        let heard = stage.peer.ask(&asked).await;
        heard.is_served(&frames(replies(kind)));
        assert_eq!(
            (heard.header("x-region"), heard.header("x-tenant")),
            ("moon", "")
        );
        assert_eq!(heard.trailer("grpc-status"), "0");
    }
    // Of the request: the service answers with the tenant that it is asked for.
    let set = json!({ "headers": { "set": { "x-tenant": "zed" } }, "on": "request" });
    let heard = Stage::of(set).await.ask(Kind::Unary).await;
    assert_eq!(
        (heard.header("x-tenant"), heard.header("x-chaos-fault")),
        ("zed", "")
    );
    let remove = json!({ "headers": { "remove": ["x-tenant"] }, "on": "request" });
    let asked = grpc_ask(Kind::Unary, &["one"]).header("x-tenant", "acme");
    let heard = Stage::of(remove).await.peer.ask(&asked).await;
    assert_eq!(heard.header("x-tenant"), "");
    let zipped = json!({ "headers": { "set": { "grpc-encoding": "zip" } }, "on": "request" });
    let given = Stage::of(zipped).await.call(Kind::Unary).await;
    assert_eq!(given.status.code(), Code::Unimplemented, "{given:?}");
}

#[tokio::test]
async fn burn() {
    let stage = Stage::of(json!({ "burn": { "memory": "1MiB", "for": "60s" } })).await;
    stage.is_served().await;
    // The calls are over, and it burns on.
    stage.active(1).await;
    stage.injector.halt("enough");
    stage.active(0).await;
}

#[tokio::test]
async fn custom() {
    let injector = armed(json!({ "custom": { "name": "odd", "code": 503 } }));
    injector.define("odd", |custom| {
        assert_eq!((custom.site, custom.arguments), (SITE, r#"{"code":503}"#));
        Some(Fault::status(503).unwrap())
    });
    let stage = Stage::with(injector).await;
    for kind in Kind::ALL {
        let given = stage.call(kind).await;
        let refusal = (Code::Unavailable, "injected 503", Some("r"));
        assert_eq!(given.refusal(), refusal);
        assert_eq!(stage.ask(kind).await.header("grpc-status"), "14");
    }
}

/// One layer around both: each call is answered in its own words.
#[tokio::test]
async fn rest_and_grpc_on_one_port() {
    let injector = armed(json!({ "status": { "code": 503, "json": { "error": "down" } } }));
    let router = Routes::new(Echo::default())
        .into_axum_router()
        .route("/rest", axum::routing::get(async || "rest"))
        .layer(InjectLayer::with_injector(SITE, &injector));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    let (channel, peer) = (channel(address).await, Http2::connect(address).await);
    let rest = Ask::get("/rest");

    let heard = peer.ask(&rest).await;
    assert_eq!(
        (heard.status(), heard.text().as_str()),
        (503, "{\"error\":\"down\"}")
    );
    assert_eq!(heard.header("grpc-status"), "");
    for kind in Kind::ALL {
        let given = call(&channel, kind, messages(kind)).await;
        let refusal = (Code::Unavailable, "injected 503", Some("r"));
        assert_eq!(given.refusal(), refusal);
        let heard = peer.ask(&grpc_ask(kind, messages(kind))).await;
        heard.is_served(b"");
        assert_eq!(heard.header("grpc-status"), "14");
    }

    // The other way round, and amid a stream.
    let grpc = json!({ "code": "NOT_FOUND", "message": "no such thing", "after_messages": 2 });
    let rule = json!({ "site": SITE, "faults": [{ "grpc": grpc }] });
    injector.put(rule_from_value(rule, Some("r")).unwrap());
    let heard = peer.ask(&rest).await;
    assert_eq!(
        (heard.status(), heard.text().as_str()),
        (404, "no such thing\n")
    );
    let given = call(&channel, Kind::Server, &["3"]).await;
    assert_eq!(given.status.code(), Code::NotFound);
    assert_eq!(given.replies, ["reply 1", "reply 2"]);

    injector.halt("enough");
    peer.ask(&rest).await.is_served(b"rest");
    for kind in Kind::ALL {
        call(&channel, kind, messages(kind))
            .await
            .is_served(replies(kind));
    }
}

#[tokio::test]
async fn one_of() {
    let option = |code: u16| json!({ "weight": 1, "fault": { "grpc": code } });
    let stage = Stage::of(json!({ "one_of": [option(5), option(14)] })).await;
    let mut not_found = 0;
    for _ in 0..40 {
        match stage.call(Kind::Unary).await.status.code() {
            Code::NotFound => not_found += 1,
            code => assert_eq!(code, Code::Unavailable),
        }
    }
    // Neither is left out in 40 calls but once in 10^12 runs.
    assert!((1..40).contains(&not_found), "{not_found} of 40");
    assert_eq!(stage.injected(), 40);
}
