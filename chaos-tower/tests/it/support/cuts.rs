//! The rows of the table where a stream, a connection or the process ends, as any server's peers see
//! them.

use h2::Reason;
use serde_json::{Value, json};

use crate::support::{
    app::{TEXT, streamed},
    ask::Ask,
    heard::End,
    http2::Http2,
    peer::Protocol,
    server::Server,
};

/// Asked of the paths that end so, and of one beside them on the same HTTP/2 connection.
async fn ends_at_once(server: &Server, abort: Value, http1: End, http2: End) {
    let matching = json!({"path": ["/", "/echo"]});
    server.aim_at(json!([{"abort": abort}]), matching);
    let connection = Http2::connect(server.address).await;
    for ask in [Ask::get("/"), Ask::post("/echo", [vec![b'a'; 1_000]])] {
        let heard = server.ask(Protocol::Http1, &ask).await;
        heard.is_nothing_but(http1);
        let beside = Ask::get("/stream");
        let (heard, beside) = tokio::join!(connection.ask(&ask), connection.ask(&beside));
        heard.is_nothing_but(http2);
        beside.is_served(&streamed());
    }
    assert_eq!(server.calls.count(), 2, "those beside");
}

pub(crate) async fn abort_close(server: &Server) {
    let reset = End::StreamReset(Reason::INTERNAL_ERROR);
    ends_at_once(server, json!("close"), End::Fin, reset).await;
}

pub(crate) async fn abort_refuse(server: &Server) {
    let reset = End::StreamReset(Reason::REFUSED_STREAM);
    ends_at_once(server, json!("refuse"), End::Fin, reset).await;
}

pub(crate) async fn abort_panic(server: &Server) {
    let reset = End::StreamReset(Reason::CANCEL);
    // It does not matter to the client whether its body was read: it came with the head.
    ends_at_once(server, json!("panic"), End::Fin, reset).await;
}

pub(crate) async fn abort_h2(server: &Server) {
    let connection = Http2::connect(server.address).await;
    let reasons = [
        ("cancel", Reason::CANCEL),
        ("enhance_your_calm", Reason::ENHANCE_YOUR_CALM),
        ("no_error", Reason::NO_ERROR),
        ("protocol_error", Reason::PROTOCOL_ERROR),
        ("http_1_1_required", Reason::HTTP_1_1_REQUIRED),
    ];
    for (name, reason) in reasons {
        server.aim(json!([{"abort": {"h2": name}}]));
        let heard = connection.ask(&Ask::get("/")).await;
        heard.is_nothing_but(End::StreamReset(reason));
        // HTTP/1 knows no reasons.
        let heard = server.ask(Protocol::Http1, &Ask::get("/")).await;
        heard.is_nothing_but(End::Fin);
        assert_eq!(server.calls.count(), 0);
    }
    server.aim(json!([{"abort": {"h2": "cancel"}, "after": "5B"}]));
    for path in ["/", "/stream"] {
        let heard = connection.ask(&Ask::get(path)).await;
        assert_eq!(heard.status(), 200);
        assert_eq!(heard.body().len(), 5);
        assert_eq!(heard.end, End::StreamReset(Reason::CANCEL));
    }
    server.injector.clear();
    connection.ask(&Ask::get("/")).await.is_served(TEXT);
}

pub(crate) async fn abort_close_after(server: &Server) {
    let fault = json!([{"abort": "close", "after": "5B"}]);
    server.aim_at(fault, json!({"path": ["/", "/stream"]}));
    let connection = Http2::connect(server.address).await;
    for (path, whole) in [("/", TEXT.to_vec()), ("/stream", streamed())] {
        let ask = Ask::get(path);
        let heard = server.ask(Protocol::Http1, &ask).await;
        assert_eq!((heard.status(), heard.end), (200, End::Fin));
        assert_eq!(heard.body(), whole[..5]);
        assert_eq!(heard.header("x-chaos-fault"), "r");

        let beside = Ask::get("/slow");
        let (heard, beside) = tokio::join!(connection.ask(&ask), connection.ask(&beside));
        let reset = End::StreamReset(Reason::INTERNAL_ERROR);
        assert_eq!((heard.status(), heard.end), (200, reset));
        assert_eq!(heard.body(), whole[..5]);
        beside.is_served(TEXT);
    }
}

/// Of a server that knows its connections: all that is on it ends with it.
pub(crate) async fn abort_reset(server: &Server) {
    let matching = json!({"path": ["/", "/echo"]});
    server.aim_at(json!([{"abort": "reset"}]), matching);
    for ask in [Ask::get("/"), Ask::post("/echo", [vec![b'a'; 1_000]])] {
        let heard = server.ask(Protocol::Http1, &ask).await;
        heard.is_nothing_but(End::Rst);

        let mut connection = Http2::connect(server.address).await;
        let beside = Ask::get("/slow");
        let (heard, beside) = tokio::join!(connection.ask(&ask), connection.ask(&beside));
        heard.is_nothing_but(End::Rst);
        beside.is_nothing_but(End::Rst);
        assert_eq!(connection.ended().await, End::Rst);
    }
    server.injector.clear();
    for protocol in Protocol::BOTH {
        server.ask(protocol, &Ask::get("/")).await.is_served(TEXT);
    }
}

/// The same, when some of the answer has passed; what has may be lost to the client all the same.
pub(crate) async fn abort_reset_after(server: &Server) {
    server.aim(json!([{"abort": "reset", "after": "5B"}]));
    for protocol in Protocol::BOTH {
        for (path, whole) in [("/", TEXT.to_vec()), ("/stream", streamed())] {
            let heard = server.ask(protocol, &Ask::get(path)).await;
            assert_eq!(heard.end, End::Rst, "{protocol:?} {path}: {heard:?}");
            assert!(whole[..5].starts_with(&heard.body()), "{heard:?}");
        }
    }
}

/// Of a server that does not know its connections: a reset is a close.
pub(crate) async fn abort_reset_of_the_unknown(server: &Server) {
    let reset = End::StreamReset(Reason::INTERNAL_ERROR);
    ends_at_once(server, json!("reset"), End::Fin, reset).await;
}

/// Of a server that knows its connections by their handles.
pub(crate) async fn abort_goaway(server: &Server) {
    server.aim_at(json!([{"abort": "goaway"}]), json!({"path": "/"}));
    // HTTP/1 says it in a header, and closes.
    let mut peer = server.connect(Protocol::Http1).await;
    let heard = peer.ask(&Ask::get("/")).await;
    heard.is_served(TEXT);
    assert_eq!(heard.header("connection"), "close");
    let heard = peer.ask(&Ask::get("/stream")).await;
    assert_eq!(heard.end, End::Fin);
    assert!(heard.head.is_none());

    // HTTP/2 says GOAWAY, and ends when the calls under way are done.
    let mut connection = Http2::connect(server.address).await;
    let (ask, beside) = (Ask::get("/"), Ask::get("/slow"));
    let (heard, beside) = tokio::join!(connection.ask(&ask), connection.ask(&beside));
    heard.is_served(TEXT);
    beside.is_served(TEXT);
    let late = connection.ask(&Ask::get("/stream")).await;
    late.is_nothing_but(End::GoAway(Reason::NO_ERROR));
    assert_eq!(connection.ended().await, End::Whole);
}

/// Of a server that does not know its connections: HTTP/2 goes on.
pub(crate) async fn abort_goaway_of_the_unknown(server: &Server) {
    server.aim_at(json!([{"abort": "goaway"}]), json!({"path": "/"}));
    let heard = server.ask(Protocol::Http1, &Ask::get("/")).await;
    heard.is_served(TEXT);
    assert_eq!(heard.header("connection"), "close");
    let connection = Http2::connect(server.address).await;
    for _ in 0..2 {
        connection.ask(&Ask::get("/")).await.is_served(TEXT);
    }
    assert!(connection.is_open());
}
