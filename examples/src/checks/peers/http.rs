//! What curl must observe at the shop.

use serde_json::json;

use super::row::{Operator, Row, http, http1, http2};

/// A large body with a `content-length`, sent in chunks.
pub(super) const PICTURE: &str = "/products/1/picture";

/// curl's exit codes.
mod exit {
    pub(super) const PARTIAL: i32 = 18;
    pub(super) const TIMED_OUT: i32 = 28;
    pub(super) const NOTHING_CAME: i32 = 52;
    /// The connection was reset during a read, or during a write.
    pub(super) const RESET: [i32; 2] = [56, 55];
    pub(super) const STREAM_RESET: i32 = 92;
}

pub(super) fn rows() -> Vec<Row> {
    [
        delays(),
        answers(),
        aborts(),
        waits(),
        bodies(),
        uploads(),
        headers(),
    ]
    .concat()
}

fn delays() -> Vec<Row> {
    let served = |seconds: &str| {
        json!({ "exit": 0, "status": 200, "body": "~teapot", "seconds": seconds,
                "headers": { "x-chaos-fault": null }, "injections": 1 })
    };
    let delay =
        |latency, seconds| http(json!({ "latency": latency }), "/products", served(seconds));
    let mut rows = [
        delay(json!("300ms"), "0.3..5"),
        delay(json!("300ms..400ms"), "0.3..5"),
        delay(json!({ "p50": "300ms", "p99": "400ms" }), "0.2..5"),
        delay(json!({ "mean": "300ms", "std_dev": "10ms" }), "0.2..5"),
        delay(
            json!({ "pareto": { "min": "300ms", "alpha": 50 } }),
            "0.3..5",
        ),
        delay(
            json!({ "pareto": { "min": "300ms", "alpha": 0.01 }, "max": "400ms" }),
            "0.4..5",
        ),
        delay(json!({ "at_least": "300ms" }), "0.3..5"),
    ]
    .concat();
    let after = json!({ "latency": "300ms", "when": "after" });
    rows.extend(http(after, "/products", served("0.3..5")));
    // Padded to two seconds, one of which is the other delay.
    let padded = json!([{ "latency": { "at_least": "2s" } }, { "latency": "1s" }]);
    rows.extend(http(padded, "/products", served("2..2.9")));
    let both = json!([{ "latency": "200ms" }, { "latency": "200ms", "when": "after" }]);
    rows.extend(http(both, "/products", served("0.4..5")));
    rows.extend(http(
        json!({ "block": "300ms" }),
        "/products",
        served("0.3..5"),
    ));
    // The burn doesn't delay the call.
    let burn = json!({ "burn": { "cpu": 0.2, "for": "1s" } });
    rows.extend(http(burn, "/products", served("..0.9")));
    rows
}

fn answers() -> Vec<Row> {
    let answer = |fault, sees: serde_json::Value| {
        let mut sees = sees;
        sees["exit"] = json!(0);
        sees["headers"]["x-chaos-fault"] = json!("aimed");
        http(fault, "/products/1", sees)
    };
    [
        answer(
            json!({ "status": 503 }),
            json!({ "status": 503, "body": "503 Service Unavailable by chaos rule aimed\n" }),
        ),
        answer(json!({ "status": 204 }), json!({ "status": 204, "bytes": 0 })),
        answer(
            json!({ "status": { "code": 429, "json": { "error": "slow down" },
                                "headers": { "retry-after": "7" } } }),
            json!({ "status": 429, "body": "{\"error\":\"slow down\"}",
                    "headers": { "retry-after": "7", "content-type": "application/json" } }),
        ),
        answer(
            json!({ "status": { "code": 502, "body": "<h1>größer</h1>", "content_type": "text/html" } }),
            json!({ "status": 502, "body": "<h1>größer</h1>",
                    "headers": { "content-type": "text/html" } }),
        ),
        answer(
            json!({ "grpc": { "code": "NOT_FOUND", "message": "no such teapot" } }),
            json!({ "status": 404, "body": "no such teapot\n" }),
        ),
        answer(
            json!({ "error": "out of luck" }),
            json!({ "status": 500,
                    "body": "out of luck (injected at http.server by rule aimed)\n" }),
        ),
        answer(
            json!({ "error": { "kind": "connection_reset", "message": "cable" } }),
            json!({ "status": 500, "body": "~cable" }),
        ),
        answer(json!({ "value": 42 }), json!({ "status": 500 })),
        answer(
            json!([{ "latency": "300ms" }, { "status": 503 }]),
            json!({ "status": 503, "seconds": "0.3..5" }),
        ),
    ]
    .concat()
}

fn aborts() -> Vec<Row> {
    let empty = json!({ "exit": exit::NOTHING_CAME, "status": 0, "bytes": 0, "injections": 1 });
    let reset = |reason: &str, bytes: u32| json!({ "exit": exit::STREAM_RESET, "error": format!("~{reason}"), "bytes": bytes });
    let short = json!({ "exit": exit::PARTIAL, "status": 200, "bytes": 10240, "unlike": 0 });
    let after = |abort| json!({ "abort": abort, "after": "10KiB" });
    let upload = || json!({ "abort": "close", "after": "10B", "on": "request" });
    let words = "--data happy-birthday,-dear-Ada /checkout/1";
    let mut rows = vec![
        http1(upload(), words, empty.clone()),
        http2(upload(), words, reset("INTERNAL_ERROR", 0)),
    ];
    for abort in [
        json!("close"),
        json!("refuse"),
        json!({ "h2": "cancel" }),
        json!("panic"),
    ] {
        rows.push(http1(json!({ "abort": abort }), "/products", empty.clone()));
    }
    for (abort, reason) in [
        (json!("close"), "INTERNAL_ERROR"),
        (json!({ "h2": "cancel" }), "CANCEL"),
        (json!({ "h2": "enhance_your_calm" }), "ENHANCE_YOUR_CALM"),
        (json!({ "h2": "protocol_error" }), "PROTOCOL_ERROR"),
        (json!("panic"), "CANCEL"),
    ] {
        rows.push(http2(
            json!({ "abort": abort }),
            "/products",
            reset(reason, 0),
        ));
    }
    for abort in [json!("close"), json!({ "h2": "cancel" })] {
        rows.push(http1(after(abort), PICTURE, short.clone()));
    }
    rows.push(http2(
        after(json!("close")),
        PICTURE,
        reset("INTERNAL_ERROR", 10240),
    ));
    rows.push(http2(
        after(json!({ "h2": "cancel" })),
        PICTURE,
        reset("CANCEL", 10240),
    ));
    // A client may retry a refused stream, and curl does.
    for abort in [json!("refuse"), json!({ "h2": "refused_stream" })] {
        let again = json!({ "exit": 0, "status": 200, "injections": 1 });
        let row = http2(json!({ "abort": abort }), "/products", again);
        rows.push(row.with("limit", json!(1)));
    }
    let reset = json!({ "exit": exit::RESET, "status": 0, "error": "~reset" });
    rows.extend(http(json!({ "abort": "reset" }), "/products", reset));
    let reset = json!({ "exit": exit::RESET, "bytes": "..10240", "error": "~reset" });
    rows.extend(http(after(json!("reset")), PICTURE, reset));
    let served = |connections: u32| json!({ "exit": 0, "status": 200, "body": "~teapot", "connections": connections });
    let away = || json!({ "abort": "goaway" });
    rows.push(http1(away(), "/products /products", served(2)));
    // curl 7.88 cannot send two requests on one HTTP/2 connection with prior knowledge.
    rows.push(http2(away(), "/products", served(1)));
    rows
}

fn waits() -> Vec<Row> {
    let hang = || json!({ "hang": "30s" });
    let served = json!({ "exit": 0, "status": 200, "body": "~teapot", "seconds": "..10" });
    let mut rows = Vec::new();
    let nothing = json!({ "exit": exit::TIMED_OUT, "status": 0, "bytes": 0, "seconds": "0.4..5" });
    rows.extend(http(hang(), "--max-time 0.5 /products", nothing.clone()));
    let over = json!({ "exit": 0, "status": 200, "seconds": "0.3..5" });
    rows.extend(http(json!({ "hang": "300ms" }), "/products", over));
    for operator in [Operator::Halts, Operator::Disables] {
        let let_go = http(hang(), "/products", served.clone());
        rows.extend(let_go.map(|row| row.while_it(operator)));
    }
    let pause = || json!({ "pause": { "max": "30s" } });
    let released = http(pause(), "/products", served);
    rows.extend(released.map(|row| row.while_it(Operator::Releases)));
    rows.extend(http(pause(), "--max-time 0.5 /products", nothing));
    rows
}

fn bodies() -> Vec<Row> {
    let body = |deed| json!({ "body": deed });
    let whole = |first_byte: &str, seconds: &str| {
        json!({ "exit": 0, "status": 200, "bytes": 49206, "unlike": 0,
                "headers": { "x-chaos-fault": "aimed" },
                "first_byte": first_byte, "seconds": seconds })
    };
    let part = |exit| json!({ "exit": exit, "status": 200, "bytes": 1024, "unlike": 0 });
    let truncate = || body(json!({ "truncate_after": "1KiB" }));
    let stall = |time| body(json!({ "stall_after": "1KiB", "for": time }));
    let mut rows = [
        http(
            body(json!({ "throttle": "48KiB/s" })),
            PICTURE,
            whole("..0.9", "1..6"),
        ),
        http(
            body(json!({ "first_byte": "1s" })),
            PICTURE,
            whole("..0.9", "1..6"),
        ),
        // HTTP/2 may delay some of the sixteen chunks together.
        http(
            body(json!({ "chunk": "100ms" })),
            PICTURE,
            whole("..0.9", "1.6..8"),
        ),
        http(stall("1s"), PICTURE, whole("..0.9", "1..6")),
        http(
            stall("30s"),
            "--max-time 1 /products/1/picture",
            part(exit::TIMED_OUT),
        ),
    ]
    .concat();
    rows.push(http1(truncate(), PICTURE, part(exit::PARTIAL)));
    rows.push(http2(truncate(), PICTURE, part(exit::STREAM_RESET)));
    // Without a `content-length`, the last chunk or the end of the stream is missing.
    let events = |exit| json!({ "exit": exit, "status": 200, "bytes": 20, "body": "event: tick\ndata: 1\n" });
    let amid_events = || body(json!({ "truncate_after": "20B" }));
    rows.push(http1(amid_events(), "/events", events(exit::PARTIAL)));
    rows.push(http2(amid_events(), "/events", events(exit::STREAM_RESET)));
    let wrong = json!({ "exit": 0, "status": 200, "bytes": 49206, "unlike": "300..700" });
    rows.extend(http(body(json!({ "corrupt": 0.01 })), PICTURE, wrong));
    let all = json!({ "exit": 0, "status": 200, "bytes": 49206, "unlike": 49206 });
    rows.extend(http(body(json!({ "corrupt": 1 })), PICTURE, all));
    rows
}

/// Faults on request bodies: the text of a gift card.
fn uploads() -> Vec<Row> {
    let body = |deed| json!({ "body": deed, "on": "request" });
    let words = "--data happy-birthday,-dear-Ada /checkout/1";
    let ordered = |card: &str, seconds: &str| {
        json!({ "exit": 0, "status": 201, "body": format!("~\"card\":\"{card}\""),
                "seconds": seconds, "headers": { "x-chaos-fault": null } })
    };
    let whole = "happy-birthday,-dear-Ada";
    let refused = json!({ "exit": 0, "status": 400, "headers": { "x-chaos-fault": null } });
    [
        http(
            body(json!({ "throttle": "48B/s" })),
            words,
            ordered(whole, "0.5..5"),
        ),
        http(
            body(json!({ "stall_after": "10B", "for": "500ms" })),
            words,
            ordered(whole, "0.5..5"),
        ),
        http(
            body(json!({ "first_byte": "500ms" })),
            words,
            ordered(whole, "0.5..5"),
        ),
        http(
            body(json!({ "chunk": "500ms" })),
            words,
            ordered(whole, "0.5..5"),
        ),
        // The upload breaks off, so the handler refuses it.
        http(
            body(json!({ "truncate_after": "14B" })),
            words,
            refused.clone(),
        ),
        // The corrupted body is not valid UTF-8.
        http(body(json!({ "corrupt": 1 })), words, refused),
    ]
    .concat()
}

fn headers() -> Vec<Row> {
    let change = json!({ "headers": { "set": { "cache-control": "no-store" },
                                      "remove": ["content-type"] } });
    let changed = json!({ "exit": 0, "status": 200, "body": "~teapot",
        "headers": { "cache-control": "no-store", "content-type": null, "x-chaos-fault": "aimed" } });
    let form = json!({ "headers": { "set": { "accept-language": "moon" } }, "on": "request" });
    let unchanged = json!({ "exit": 0, "status": 200, "headers": { "x-chaos-fault": null } });
    [
        http(change, "/products", changed),
        http(form, "/products", unchanged),
    ]
    .concat()
}
