//! At night, nobody looks up how a halt is written: with a token, or on a socket of one's own, any `POST` halts.

use chaos_core::{Injector, State};
use chaos_http_admin::Admin;
use tokio::net::UnixStream;

use crate::support::wire::{self, BOB, EVE, Running};

/// What people send, besides what the documentation says.
const BODIES: [(&str, &str); 7] = [
    ("", ""),
    ("Content-Length: 0\r\n", ""),
    ("Content-Type: application/json\r\n", "{}"),
    ("Content-Type: application/json\r\n", " "),
    ("Content-Type: application/x-www-form-urlencoded\r\n", "{}"),
    ("Content-Type: text/plain\r\n", r#"{"reason":"none given"}"#),
    ("", r#"{"reason":"none given"}"#),
];

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = match body {
        "" => String::new(),
        body => format!("Content-Length: {}\r\n", body.len()),
    };
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}Connection: close\r\n\r\n{body}"
    )
}

fn assert_halted(injector: &Injector) {
    match injector.status().state {
        State::Halted { reason, .. } => assert_eq!(reason, "none given"),
        other => panic!("{other:?}"),
    }
    assert!(injector.resume());
}

#[tokio::test]
async fn a_token_is_enough() {
    let port = Running::guarded().await;
    for (headers, body) in BODIES {
        let headers = format!("Authorization: Bearer {BOB}\r\n{headers}");
        let answer = port
            .exchange(post("/v1/halt", &headers, body).as_bytes())
            .await;
        answer.expect(200);
        assert_halted(&port.injector);
    }
    // What undoes a halt, and whoever may not halt, are asked as before.
    let headers = format!("Authorization: Bearer {EVE}\r\n");
    port.exchange(post("/v1/halt", &headers, "").as_bytes())
        .await
        .problem(403);
    port.exchange(post("/v1/halt", "", "").as_bytes())
        .await
        .problem(401);
    // A reason that is given has to be one.
    let headers = format!("Authorization: Bearer {BOB}\r\n");
    for body in [r#"{"reason":7}"#, "enough", r#"{"why":"x"}"#] {
        port.exchange(post("/v1/halt", &headers, body).as_bytes())
            .await
            .problem(400);
    }
    assert_eq!(port.injector.status().state, State::Idle);
}

#[tokio::test]
async fn a_socket_of_ones_own_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let (injector, path) = (Injector::new(), folder.path().join("admin.sock"));
    let _server = Admin::new(injector.clone()).bind_unix(&path).unwrap();
    for (headers, body) in BODIES {
        let stream = UnixStream::connect(&path).await.unwrap();
        let answer = wire::exchange(stream, post("/v1/halt", headers, body).as_bytes()).await;
        answer.expect(200);
        assert_halted(&injector);
    }
}
