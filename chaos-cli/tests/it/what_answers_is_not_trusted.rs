//! What answers may be no admin port, an older one, or one with texts that are meant for a terminal.

use std::process::Stdio;

use axum::{
    Json, Router,
    extract::Request,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use chaos_http_admin::Admin;
use serde_json::json;

use crate::support::{
    port::{Port, serve},
    program::{chaosctl, command},
};

#[test]
fn what_is_no_admin_port_is_called_so() {
    let page = serve(Router::new().fallback(async || "<html>hello</html>"));
    let other = serve(Router::new().fallback(async || Json(json!({ "hello": "world" }))));
    let none = serve(Router::new());
    let moved = serve(Router::new().fallback(async || {
        (
            StatusCode::FOUND,
            [(header::LOCATION, "http://127.0.0.1:1/")],
        )
            .into_response()
    }));
    for url in [page, other, none, moved] {
        let ran = chaosctl(&["-e", &url, "status"]).expect(1);
        assert!(ran.stderr.contains("no admin port"), "{ran:?}");
    }
}

#[test]
fn an_older_port_is_called_so() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    let admin = Admin::new(port.injector.clone());
    // As a port answers that does not have the route.
    let older = serve(admin.router().layer(from_fn(async |request: Request, next: Next| {
        let path = request.uri().path().to_owned();
        match path.ends_with("/extend") || path == "/v1/whoami" {
            false => next.run(request).await,
            true => {
                let body = json!({ "detail": format!("there is no route {path}"), "field": "path", "allowed": "GET /" });
                let kind = [(header::CONTENT_TYPE, "application/problem+json")];
                (StatusCode::NOT_FOUND, kind, body.to_string()).into_response()
            }
        }
    })));
    let ran = chaosctl(&["-e", &older, "extend", "lost", "5m"]).expect(1);
    assert!(
        ran.stderr
            .contains("its port has no POST /v1/rules/lost/extend"),
        "{ran:?}"
    );
    let ran = chaosctl(&["-e", &older, "undo"]).expect(1);
    assert!(
        ran.stderr.contains("its port has no GET /v1/whoami"),
        "{ran:?}"
    );
}

#[test]
fn texts_of_the_service_cannot_steer_the_terminal() {
    let port = Port::new();
    let reason = "\u{1b}[2J<script>\u{202e}日本語\r\nhalted";
    chaosctl(&[
        "-e",
        &port.url,
        "arm",
        "db.read=error(x)",
        "--reason",
        reason,
    ])
    .expect(0);
    port.injector.halt(reason);
    for command in [
        &["status"][..],
        &["status", "--handover"],
        &["rules"],
        &["audit"],
        &["show", "db.read-1"],
    ] {
        let ran = chaosctl(&[&["-e", port.url.as_str()], command].concat()).expect(0);
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(steers), "{command:?}: {ran:?}");
        assert!(ran.stdout.contains("日本語"), "{command:?}: {ran:?}");
        assert!(!ran.stdout.contains("\nhalted\n"), "{command:?}: {ran:?}");
    }
}

#[test]
fn a_long_reason_is_cut() {
    let port = Port::new();
    port.injector.halt("x".repeat(1_000_000));
    let ran = chaosctl(&["-e", &port.url, "status"]).expect(0);
    assert!(ran.stdout.len() < 4000, "{}", ran.stdout.len());
}

#[test]
fn closed_output_is_no_panic() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    let mut child = command(&["-e", &port.url, "rules"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}
