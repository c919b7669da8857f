//! What grpcio must observe at the greeter.

use serde_json::{Value, json};

use super::row::{Operator, Row, grpcio};

/// One call of each kind of method.
const METHODS: [&str; 4] = [
    "say-hello Ada",
    "countdown 5",
    "collect Ada Grace",
    "chat Ada Grace",
];

pub(super) fn rows() -> Vec<Row> {
    [statuses(), midway(), aborts(), waits(), bodies(), headers()].concat()
}

fn statuses() -> Vec<Row> {
    let mut rows = Vec::new();
    let refused = |code: &str, message: &str| {
        json!({ "code": code, "message": message, "replies": [],
                "trailers": { "x-chaos-fault": "aimed" }, "injections": 1 })
    };
    let message = "größer als ☂: 100 % sure\n再見";
    // A `google.rpc.Status` with code 14 and message "no".
    let grpc = json!({ "grpc": { "code": 8, "message": message, "details": "CA4SAm5v" } });
    for method in METHODS {
        let mut sees = refused("RESOURCE_EXHAUSTED", message);
        sees["details_hex"] = json!("080e12026e6f");
        rows.push(grpcio(grpc.clone(), method, sees));
        let sees = refused("UNAVAILABLE", "injected 503");
        rows.push(grpcio(json!({ "status": 503 }), method, sees));
    }
    let with_metadata = json!({ "grpc": { "code": 14, "metadata": { "x-quota": "100" } } });
    let mut sees = refused("UNAVAILABLE", "injected");
    sees["trailers"]["x-quota"] = json!("100");
    rows.push(grpcio(with_metadata, "say-hello Ada", sees));
    for (http, code) in [
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (429, "UNAVAILABLE"),
        (500, "UNKNOWN"),
        (504, "UNAVAILABLE"),
    ] {
        let sees = refused(code, &format!("injected {http}"));
        rows.push(grpcio(json!({ "status": http }), "say-hello", sees));
    }
    let said = |message| format!("{message} (injected at grpc.server by rule aimed)");
    for (error, code, message) in [
        (json!("out of luck"), "UNKNOWN", "out of luck"),
        (
            json!({ "kind": "connection_refused", "message": "no one" }),
            "UNAVAILABLE",
            "no one",
        ),
        (
            json!({ "kind": "timed_out", "message": "late" }),
            "DEADLINE_EXCEEDED",
            "late",
        ),
    ] {
        rows.push(grpcio(
            json!({ "error": error }),
            "say-hello",
            refused(code, &said(message)),
        ));
    }
    rows.push(grpcio(
        json!({ "value": 42 }),
        "say-hello",
        json!({ "code": "UNKNOWN" }),
    ));
    rows
}

/// Statuses in the middle of a stream.
fn midway() -> Vec<Row> {
    let after = |messages: u32, on: &str| {
        json!({ "grpc": { "code": "ABORTED", "message": "no more: 100 %", "details": "CA4SAm5v",
                          "after_messages": messages, "on": on } })
    };
    let ended = |replies: Value| {
        json!({ "code": "ABORTED", "message": "no more: 100 %", "details_hex": "080e12026e6f",
                "replies": replies, "trailers": { "x-chaos-fault": "aimed" } })
    };
    let served = |replies: Value| json!({ "code": "OK", "replies": replies });
    let hello = |name: &str| format!("hello, {name}");
    let end = json!({ "grpc": { "code": "OK", "after_messages": 2 } });
    vec![
        grpcio(
            after(2, "response"),
            "countdown 5",
            ended(json!(["5", "4"])),
        ),
        grpcio(
            after(2, "response"),
            "chat A B C",
            ended(json!([hello("A"), hello("B")])),
        ),
        grpcio(after(1, "response"), "say-hello Ada", ended(json!([]))),
        grpcio(after(1, "response"), "collect A B", ended(json!([]))),
        grpcio(after(2, "request"), "collect A B C", ended(json!([]))),
        grpcio(
            after(2, "request"),
            "chat A B C",
            ended(json!([hello("A"), hello("B")])),
        ),
        grpcio(after(1, "request"), "say-hello Ada", ended(json!([]))),
        grpcio(after(1, "request"), "countdown 5", ended(json!([]))),
        // The stream ends before that many messages.
        grpcio(
            after(9, "response"),
            "countdown 2",
            served(json!(["2", "1"])),
        ),
        grpcio(
            after(9, "request"),
            "collect A B",
            served(json!([hello("A, B")])),
        ),
        // The stream ends early with `OK`, which the client cannot detect.
        grpcio(end, "countdown 5", served(json!(["5", "4"]))),
    ]
}

fn aborts() -> Vec<Row> {
    let mut rows = Vec::new();
    for (abort, code) in [
        (json!({ "h2": "cancel" }), "CANCELLED"),
        (json!({ "h2": "refused_stream" }), "UNAVAILABLE"),
        (json!("refuse"), "UNAVAILABLE"),
        (json!({ "h2": "enhance_your_calm" }), "RESOURCE_EXHAUSTED"),
        (json!("close"), "INTERNAL"),
        (json!("reset"), "UNAVAILABLE"),
        (json!("panic"), "CANCELLED"),
    ] {
        for method in METHODS {
            let sees = json!({ "code": code, "replies": [] });
            rows.push(grpcio(json!({ "abort": abort }), method, sees));
        }
    }
    // The frames of the replies "5" and "4", 8 bytes each with their length prefix.
    let after = |abort| json!({ "abort": abort, "after": "16B" });
    for (abort, code) in [
        (json!({ "h2": "cancel" }), "CANCELLED"),
        (json!("close"), "INTERNAL"),
    ] {
        let sees = json!({ "code": code, "replies": ["5", "4"] });
        rows.push(grpcio(after(abort), "countdown 5", sees));
    }
    rows
}

fn waits() -> Vec<Row> {
    // The server enforces the deadline too, and may be first; tonic then answers "cancelled".
    let late = || json!({ "code": ["DEADLINE_EXCEEDED", "CANCELLED"], "replies": [], "seconds": "0.4..10" });
    let hang = || json!({ "hang": "30s" });
    let served = json!({ "code": "OK", "replies": ["hello, Ada"], "seconds": "..20",
                         "trailers": { "x-chaos-fault": null } });
    let delayed = json!({ "code": "OK", "seconds": "0.3..10" });
    let mut rows = Vec::new();
    for method in [
        "--timeout 0.5 say-hello",
        "--timeout 0.5 countdown",
        "--timeout 0.5 collect A",
        "--timeout 0.5 chat A",
    ] {
        rows.push(grpcio(hang(), method, late()));
    }
    for method in METHODS {
        rows.push(grpcio(
            json!({ "latency": "300ms" }),
            method,
            delayed.clone(),
        ));
    }
    let after = json!({ "latency": "300ms", "when": "after" });
    rows.push(grpcio(after, "say-hello Ada", delayed.clone()));
    let padded = json!({ "latency": { "at_least": "300ms" } });
    rows.push(grpcio(padded, "say-hello Ada", delayed.clone()));
    rows.push(grpcio(
        json!({ "block": "300ms" }),
        "say-hello Ada",
        delayed,
    ));
    rows.push(grpcio(hang(), "say-hello Ada", served.clone()).while_it(Operator::Halts));
    let pause = json!({ "pause": { "max": "30s" } });
    rows.push(grpcio(pause, "say-hello Ada", served).while_it(Operator::Releases));
    rows
}

fn bodies() -> Vec<Row> {
    let body = |deed| json!({ "body": deed });
    let up = |deed| json!({ "body": deed, "on": "request" });
    let slow =
        |seconds: &str| json!({ "code": "OK", "replies": ["3", "2", "1"], "seconds": seconds });
    let cut = |code: Value| json!({ "code": code, "replies": ["3"] });
    let broken = json!(["INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"]);
    vec![
        // Three replies of 8 bytes each.
        grpcio(
            body(json!({ "throttle": "24B/s" })),
            "countdown 3",
            slow("1..10"),
        ),
        grpcio(
            body(json!({ "first_byte": "1s" })),
            "countdown 3",
            slow("1..10"),
        ),
        grpcio(
            body(json!({ "chunk": "300ms" })),
            "countdown 3",
            slow("0.9..10"),
        ),
        grpcio(
            body(json!({ "stall_after": "8B", "for": "1s" })),
            "countdown 3",
            slow("1..10"),
        ),
        grpcio(
            body(json!({ "stall_after": "8B", "for": "30s" })),
            "--timeout 1 countdown 3",
            cut(json!("DEADLINE_EXCEEDED")),
        ),
        grpcio(
            body(json!({ "truncate_after": "8B" })),
            "countdown 3",
            cut(broken.clone()),
        ),
        grpcio(
            body(json!({ "truncate_after": "12B" })),
            "countdown 3",
            cut(broken.clone()),
        ),
        grpcio(
            body(json!({ "corrupt": 1 })),
            "countdown 3",
            // Which error the client reports depends on the corrupted bytes.
            json!({ "replies": [], "injections": 1 }),
        ),
        grpcio(
            up(json!({ "throttle": "10B/s" })),
            "say-hello Ada",
            json!({ "code": "OK", "seconds": "1..10" }),
        ),
        grpcio(
            up(json!({ "truncate_after": "3B" })),
            "say-hello Ada",
            json!({ "code": broken, "replies": [] }),
        ),
        grpcio(
            up(json!({ "truncate_after": "6B" })),
            "collect A B",
            json!({ "code": broken, "replies": [] }),
        ),
    ]
}

fn headers() -> Vec<Row> {
    let set = json!({ "headers": { "set": { "x-region": "moon" } } });
    let seen = json!({ "code": "OK", "replies": ["hello, Ada"],
                       "headers": { "x-region": "moon", "x-chaos-fault": "aimed" } });
    let zipped = json!({ "headers": { "set": { "grpc-encoding": "zip" } }, "on": "request" });
    let refused = json!({ "code": "UNIMPLEMENTED", "message": "~zip" });
    vec![
        grpcio(set, "say-hello Ada", seen),
        grpcio(zipped, "say-hello Ada", refused),
    ]
}
