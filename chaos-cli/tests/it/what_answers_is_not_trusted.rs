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

/// Whatever is asked of it: nothing that it answers is taken for that of a port, least of all an answer to a halt.
#[test]
fn each_command_finds_out_that_it_is_no_admin_port() {
    let json = serve(Router::new().fallback(async || Json(json!({ "hello": "world" }))));
    let page = serve(Router::new().fallback(async || "<html>hello</html>"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.json");
    let rule = r#"{"id":"a","site":"db.read","faults":[{"error":"x"}]}"#;
    std::fs::write(&file, rule).unwrap();
    let file = file.to_str().unwrap();
    for url in [json, page] {
        for command in [
            &["status"][..],
            &["status", "--handover"],
            &["rules"],
            &["show", "a"],
            &["sites"],
            &["explain", "a"],
            &["events"],
            &["audit"],
            &["arm", "db.read=error(x)"],
            &["apply", "-f", file],
            &["try", "db.read=error(x)", "--for", "1s"],
            &["preview", "a", "--calls", "0..3"],
            &[
                "token",
                "--rule",
                "db.read=error(x)",
                "--for",
                "1m",
                "--subject",
                "me",
            ],
            &["on", "a"],
            &["off", "a"],
            &["rm", "a"],
            &["rm", "--all"],
            &["extend", "a", "5m"],
            &["release", "a"],
            &["undo"],
            &["undo", "7"],
            &["halt", "enough"],
            &["resume", "fixed"],
            &["ack", "seen"],
        ] {
            let ran = chaosctl(&[&["-y", "-e", &url], command].concat());
            assert_eq!(ran.code, 1, "{command:?}: {ran:?}");
            assert!(
                ran.stderr.contains("what answers there is no "),
                "{command:?}: {ran:?}"
            );
            let ran = chaosctl(&[&["--json", "-y", "-e", &url], command].concat()).expect(1);
            let document = ran.stdout.lines().next().unwrap();
            assert!(
                document.contains("what answers there is no "),
                "{command:?}: {ran:?}"
            );
        }
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

/// A megabyte of a reason is cut where people read it, and whole in JSON.
#[test]
fn a_long_reason_is_cut() {
    const LENGTH: usize = 1_000_000;
    let port = Port::new();
    port.injector.halt("é".repeat(LENGTH / 2));
    for command in [&["status"][..], &["status", "--handover"], &["audit"]] {
        let asked = [&["-e", port.url.as_str()], command].concat();
        let ran = chaosctl(&asked).expect(0);
        assert!(
            ran.stdout.len() < 10_000,
            "{command:?}: {}",
            ran.stdout.len()
        );
        assert!(ran.stdout.contains("éé"), "{command:?}: {ran:?}");
        let document = chaosctl(&[&["--json"], &asked[..]].concat());
        let document = document.expect(0).json();
        assert!(document.to_string().len() >= LENGTH, "{command:?}");
    }
    // A rule has no such reason, and the refusal does not repeat it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.json");
    let rule = json!({ "id": "a", "site": "x", "reason": "é".repeat(LENGTH / 2), "faults": [{ "error": "x" }] });
    std::fs::write(&file, rule.to_string()).unwrap();
    let ran = chaosctl(&["-e", &port.url, "apply", "-f", file.to_str().unwrap()]).expect(2);
    assert!(ran.stderr.contains("reason: the text is too long") && ran.stderr.len() < 1000);
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
