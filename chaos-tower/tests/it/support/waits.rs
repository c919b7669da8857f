//! The rows of the table where a call waits, as any server's peers see them.

use std::{cell::Cell, time::Duration};

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{
    app::{SLOW, TEXT, echo},
    ask::Ask,
    heard::now,
    http2::Http2,
    peer::Protocol,
    server::{SOON, Server},
};

const WAIT: Duration = Duration::from_millis(120);

pub(crate) async fn latency_before(server: &Server) {
    server.aim(json!([{"latency": "120ms"}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        heard.is_served(TEXT);
        assert!(server.calls.last() - heard.asked_at >= WAIT, "{protocol:?}");
        assert_eq!(heard.header("x-chaos-fault"), "", "nothing was changed");
    }
}

pub(crate) async fn latency_after(server: &Server) {
    server.aim(json!([{"latency": "120ms", "when": "after"}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        heard.is_served(TEXT);
        let waited = heard.head().at - server.calls.last();
        assert!(waited >= WAIT, "{protocol:?}: {waited:?}");
    }
}

pub(crate) async fn latency_at_least(server: &Server) {
    server.aim(json!([{"latency": {"at_least": "120ms"}}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        heard.is_served(TEXT);
        assert!(heard.head().at - heard.asked_at >= WAIT, "{protocol:?}");
        let waited = heard.head().at - server.calls.last();
        assert!(waited >= WAIT / 2, "it waits alongside: {waited:?}");
    }
    server.aim(json!([{"latency": {"at_least": "950ms"}}]));
    let heard = server.ask(Protocol::Http1, &Ask::get("/slow")).await;
    heard.is_served(TEXT);
    assert!(heard.took() >= SLOW);
    let one_after_the_other = SLOW + Duration::from_millis(950);
    assert!(heard.took() < one_after_the_other, "{:?}", heard.took());
}

fn upload(bytes: usize) -> Ask {
    Ask::post("/echo", [vec![b'a'; bytes]])
}

/// A hung call is served as if nothing had been, once it is let go.
pub(crate) async fn hang_until_halt(server: &Server) {
    for protocol in Protocol::BOTH {
        // Some of a body is read ahead; the last of these is longer than that.
        for ask in [Ask::get("/"), upload(10_000), upload(300_000)] {
            let calls = server.calls.count();
            server.aim(json!([{"hang": "1h"}]));
            let asking = server.asking(protocol, ask.clone());
            server.until_active(1).await;
            sleep(WAIT).await;
            assert!(!asking.is_finished());
            assert_eq!(server.calls.count(), calls, "it hangs before it is served");
            server.injector.halt("enough");
            let heard = timeout(SOON, asking).await.unwrap().unwrap();
            match ask.path {
                "/" => heard.is_served(TEXT),
                _ => heard.is_served(echo(&ask.body[0]).as_bytes()),
            }
            assert_eq!(heard.header("x-chaos-fault"), "");
            assert_eq!(server.active(), 0);
            server.injector.resume();
        }
    }
}

/// A hang has an end, after which the call is served.
pub(crate) async fn hang_at_most(server: &Server) {
    server.aim(json!([{"hang": "120ms"}]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        heard.is_served(TEXT);
        assert!(server.calls.last() - heard.asked_at >= WAIT, "{protocol:?}");
    }
}

/// A held call is gone when its client is: with a body or without, however it is
/// framed, and whether or not all of it came.
pub(crate) async fn held_until_client_goes(server: &Server, fault: serde_json::Value) {
    let pieces = [vec![b'a'; 5_000], vec![b'a'; 5_000]];
    let asks = [
        Ask::get("/"),
        upload(10_000),
        upload(10_000).unfinished(),
        Ask::post("/echo", pieces.clone()),
        Ask::post("/echo", pieces).unfinished(),
    ];
    for protocol in Protocol::BOTH {
        for ask in &asks {
            server.aim(json!([fault]));
            let calls = server.calls.count();
            let asking = server.asking(protocol, ask.clone());
            server.until_active(1).await;
            sleep(Duration::from_millis(50)).await;
            assert_eq!(server.active(), 1, "its client is still there");
            asking.abort();
            let gone = timeout(Duration::from_secs(1), server.until_active(0)).await;
            assert!(gone.is_ok(), "{protocol:?}: {ask:?} is still active");
            assert_eq!(server.calls.count(), calls, "nobody is there to be served");
        }
    }
}

/// The same for a client of HTTP/2 that drops the stream and keeps the connection.
pub(crate) async fn hang_until_stream_is_reset(server: &Server) {
    server.aim(json!([{"hang": "1h"}]));
    let peer = Http2::connect(server.address).await;
    let ask = Ask::get("/");
    let asked = timeout(Duration::from_millis(100), peer.ask(&ask)).await;
    assert!(asked.is_err(), "it hangs");
    server.until_active(0).await;
    assert_eq!(server.calls.count(), 0);
    server.injector.clear();
    peer.ask(&Ask::get("/")).await.is_served(TEXT);
}

/// A server that shuts down gracefully, and halts first, does not wait for what hangs.
pub(crate) async fn hang_ends_with_graceful_shutdown(mut server: Server) {
    server.aim(json!([{"hang": "1h"}]));
    let asking = Protocol::BOTH.map(|protocol| server.asking(protocol, Ask::get("/")));
    server.until_active(2).await;
    let stopped_at = now();
    server.stop();
    server.stopped().await;
    let took = now() - stopped_at;
    assert!(took < Duration::from_secs(5), "{took:?}");
    for asking in asking {
        asking.await.unwrap().is_served(TEXT);
    }
}

pub(crate) async fn pause(server: &Server) {
    server.aim(json!([{"pause": {"max": "1h"}}]));
    for protocol in Protocol::BOTH {
        let calls = server.calls.count();
        let asking = server.asking(protocol, Ask::get("/"));
        server.until_active(1).await;
        sleep(WAIT).await;
        assert!(!asking.is_finished());
        assert_eq!(server.calls.count(), calls, "it waits before it is served");
        assert!(server.injector.release("r"));
        let heard = timeout(SOON, asking).await.unwrap().unwrap();
        heard.is_served(TEXT);
    }
    server.aim(json!([{"pause": {"max": "120ms"}}]));
    let heard = server.ask(Protocol::Http1, &Ask::get("/")).await;
    heard.is_served(TEXT);
    assert!(heard.took() >= WAIT);
}

/// To be run on a runtime of one thread: what else there is to do waits as well.
pub(crate) async fn block(server: &Server) {
    const HELD: Duration = Duration::from_millis(300);
    server.aim(json!([{"block": "300ms"}]));
    for protocol in Protocol::BOTH {
        let (last, longest) = (Cell::new(now()), Cell::new(Duration::ZERO));
        let tick = || {
            let gap = now() - last.replace(now());
            longest.set(longest.get().max(gap));
        };
        let ticks = async {
            loop {
                sleep(Duration::from_millis(1)).await;
                tick();
            }
        };
        let ask = Ask::get("/");
        let heard = tokio::select! {
            heard = server.ask(protocol, &ask) => heard,
            () = ticks => unreachable!("it ticks on"),
        };
        tick();
        heard.is_served(TEXT);
        assert!(server.calls.last() - heard.asked_at >= HELD);
        let gap = longest.get();
        assert!(gap >= HELD, "{protocol:?}: a gap of {gap:?}");
    }
}
