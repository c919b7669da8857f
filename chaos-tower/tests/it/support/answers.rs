//! The rows of the table where a call is answered, or passes with something changed, as any server's
//! peers see them.

use std::time::Duration;

use chaos_core::Fault;
use serde_json::json;

use crate::support::{
    app::{MESSAGE, PIECES, TEXT},
    ask::Ask,
    heard::{End, Heard},
    peer::Protocol,
    server::Server,
};

pub(crate) async fn status(server: &Server) {
    for protocol in Protocol::BOTH {
        let mut peer = server.connect(protocol).await;
        server.aim(json!([{"status": 503}]));
        for ask in [Ask::get("/"), Ask::post("/echo", [vec![b'a'; 10_000]])] {
            let heard = server.ask(protocol, &ask).await;
            answers(&heard, 503, "503 Service Unavailable by chaos rule r\n");
            assert_eq!(heard.header("content-type"), "text/plain; charset=utf-8");
        }
        answers(
            &peer.ask(&Ask::get("/")).await,
            503,
            "503 Service Unavailable by chaos rule r\n",
        );
        server.aim(json!([{"status": {
            "code": 429, "json": {"wait": 1}, "headers": {"retry-after": "1"},
        }}]));
        let heard = peer.ask(&Ask::get("/")).await;
        answers(&heard, 429, r#"{"wait":1}"#);
        assert_eq!(heard.header("content-type"), "application/json");
        assert_eq!(heard.header("retry-after"), "1");
        server.aim(json!([{"status": 204}]));
        answers(&peer.ask(&Ask::get("/")).await, 204, "");
        assert_eq!(server.calls.count(), protocol.either(0, 1));
        server.injector.clear();
        // The same connection serves on.
        peer.ask(&Ask::get("/")).await.is_served(TEXT);
    }
}

#[track_caller]
fn answers(heard: &Heard, status: u16, body: &str) {
    assert_eq!(heard.end, End::Whole, "{heard:?}");
    assert_eq!(heard.status(), status);
    assert_eq!(heard.text(), body);
    assert_eq!(heard.header("x-chaos-fault"), "r");
}

/// A call that a server would have to answer as gRPC.
fn grpc_ask() -> Ask {
    // The content type is copied, whatever comes after `application/grpc`.
    Ask::post("/messages", [MESSAGE.to_vec()]).header("content-type", "application/grpc+proto")
}

pub(crate) async fn grpc(server: &Server) {
    let faults = [
        (
            json!({"grpc": {"code": "NOT_FOUND", "message": "no ü"}}),
            "5",
            "no%20%C3%BC",
            404,
        ),
        (json!({"grpc": 8}), "8", "injected", 429),
        (json!({"status": 503}), "14", "injected%20503", 503),
    ];
    for (fault, code, message, status) in faults {
        server.aim(json!([fault]));
        for protocol in Protocol::BOTH {
            let heard = server.ask(protocol, &grpc_ask()).await;
            answers(&heard, 200, "");
            assert_eq!(heard.header("content-type"), "application/grpc+proto");
            assert_eq!(heard.header("grpc-status"), code);
            assert_eq!(heard.header("grpc-message"), message);
            assert_eq!(
                heard.head().is_end,
                protocol.either(false, true),
                "trailers-only"
            );
            // Whoever does not speak gRPC gets the status that it maps to.
            let plain = server.ask(protocol, &Ask::get("/")).await;
            assert_eq!((plain.end, plain.status()), (End::Whole, status));
            assert_eq!(plain.header("grpc-status"), "");
        }
    }
    assert_eq!(server.calls.count(), 0);
}

pub(crate) async fn grpc_after_messages(server: &Server) {
    let fault = json!({"code": "UNAVAILABLE", "message": "gone", "after_messages": 2});
    server.aim(json!([{"grpc": fault}]));
    let heard = server.ask(Protocol::Http2, &grpc_ask()).await;
    assert_eq!((heard.end, heard.status()), (End::Whole, 200), "{heard:?}");
    assert_eq!(heard.body(), MESSAGE.repeat(2));
    assert_eq!(heard.trailer("grpc-status"), "14");
    assert_eq!(heard.trailer("grpc-message"), "gone");
    assert_eq!(heard.header("x-chaos-fault"), "r");

    // Fewer messages than that have their own end.
    let fault = json!({"code": "UNAVAILABLE", "after_messages": PIECES + 1});
    server.aim(json!([{"grpc": fault}]));
    let heard = server.ask(Protocol::Http2, &grpc_ask()).await;
    assert_eq!(heard.body(), MESSAGE.repeat(PIECES));
    assert_eq!(heard.trailer("grpc-status"), "0");

    // Of those that the client sends: this service has not answered by then.
    let fault = json!({"code": "UNAVAILABLE", "after_messages": 2, "on": "request"});
    server.aim(json!([{"grpc": fault}]));
    let three = [MESSAGE, MESSAGE, MESSAGE].map(<[u8]>::to_vec);
    let ask = Ask::post("/echo", three).header("content-type", "application/grpc");
    let heard = server.ask(Protocol::Http2, &ask).await;
    answers(&heard, 200, "");
    assert_eq!(heard.header("grpc-status"), "14");
    assert!(heard.head().is_end, "trailers-only");
    // And one that sends fewer is served.
    let ask = Ask::post("/echo", [MESSAGE.to_vec()]).header("content-type", "application/grpc");
    let heard = server.ask(Protocol::Http2, &ask).await;
    heard.is_served(b"10 10");
}

pub(crate) async fn headers(server: &Server) {
    for protocol in Protocol::BOTH {
        let edit =
            json!({"set": {"x-set": "by r", "content-type": "text/odd"}, "remove": ["x-heard"]});
        server.aim(json!([{"headers": edit}]));
        let ask = Ask::get("/").header("x-ask", "by the client");
        let heard = server.ask(protocol, &ask).await;
        heard.is_served(TEXT);
        assert_eq!(heard.header("x-set"), "by r");
        assert_eq!(heard.header("content-type"), "text/odd");
        assert_eq!(heard.header("x-heard"), "");
        assert_eq!(heard.header("x-chaos-fault"), "r");

        // What the service heard, it says in `x-heard`.
        server.aim(json!([{"headers": {"set": {"x-ask": "by r"}}, "on": "request"}]));
        let heard = server.ask(protocol, &ask).await;
        heard.is_served(TEXT);
        assert_eq!(heard.header("x-heard"), "by r");
        server.aim(json!([{"headers": {"remove": ["x-ask"]}, "on": "request"}]));
        let heard = server.ask(protocol, &ask).await;
        heard.is_served(TEXT);
        assert_eq!(heard.header("x-heard"), "");
    }
}

pub(crate) async fn burn(server: &Server) {
    let burns = [
        json!({"burn": {"memory": "8MiB", "for": "1h"}}),
        json!({"burn": {"cpu": 0.05, "for": "1h"}}),
    ];
    server
        .injector
        .set_policy(chaos_core::Policy::new().burn_time(Duration::from_secs(3600)));
    for burn in burns {
        for protocol in Protocol::BOTH {
            server.aim(json!([burn]));
            let heard = server.ask(protocol, &Ask::get("/")).await;
            heard.is_served(TEXT);
            assert_eq!(server.active(), 1, "it burns on when the call is done");
            server.injector.halt("enough");
            server.until_active(0).await;
            server.injector.resume();
        }
    }
}

pub(crate) async fn custom(server: &Server) {
    server.injector.define("teapots", |call| {
        let is_on = call.arguments.contains("true");
        is_on.then(|| Fault::status(418).unwrap())
    });
    for protocol in Protocol::BOTH {
        server.aim(json!([{"custom": {"name": "teapots", "really": true}}]));
        let heard = server.ask(protocol, &Ask::get("/")).await;
        answers(&heard, 418, "418 I'm a teapot by chaos rule r\n");
        server.aim(json!([{"custom": {"name": "teapots", "really": false}}]));
        server.ask(protocol, &Ask::get("/")).await.is_served(TEXT);
    }
}

pub(crate) async fn one_of(server: &Server) {
    server.aim(json!([{"one_of": [
        {"weight": 3, "fault": {"status": 503}},
        {"weight": 1, "fault": {"headers": {"set": {"x-set": "by r"}}}},
    ]}]));
    for protocol in Protocol::BOTH {
        let mut answered = 0;
        for _ in 0..100 {
            let heard = server.ask(protocol, &Ask::get("/")).await;
            assert_eq!(heard.end, End::Whole);
            assert_eq!(heard.header("x-chaos-fault"), "r");
            match heard.status() {
                503 => answered += 1,
                _ => {
                    heard.is_served(TEXT);
                    assert_eq!(heard.header("x-set"), "by r");
                }
            }
        }
        // Neither is left out in 100 calls but once in 10^12 runs.
        assert!((1..100).contains(&answered), "{answered} of 100");
    }
    assert_eq!(server.injector.counts("r").unwrap().injected, 200);
}
