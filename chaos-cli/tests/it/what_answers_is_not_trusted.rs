//! What answers may be no admin port, an older one, or one with texts that are meant for a terminal.

use std::{convert::Infallible, future::ready, process::Stdio};

use axum::{
    Json, Router,
    body::{Body, Bytes},
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
        let is_new = ["/extend", "/v1/whoami", "/v1/live", "/v1/explain", "/v1/tokens"];
        match is_new.iter().any(|new| path.ends_with(new)) {
            false => next.run(request).await,
            true => {
                let body = json!({ "detail": format!("there is no route {path}"), "field": "path", "allowed": "GET /" });
                let kind = [(header::CONTENT_TYPE, "application/problem+json")];
                (StatusCode::NOT_FOUND, kind, body.to_string()).into_response()
            }
        }
    })));
    let sign = [
        "token",
        "--rule",
        "x=error(x)",
        "--for",
        "1m",
        "--subject",
        "me",
    ];
    for (command, route) in [
        (&["extend", "lost", "5m"][..], "POST /v1/rules/lost/extend"),
        (&["undo"], "GET /v1/whoami"),
        (&["explain", "lost"], "POST /v1/explain"),
        (&sign, "POST /v1/tokens"),
        (&["status", "--latency"], "GET /v1/live"),
        (&["sites", "--seen=1s"], "GET /v1/live"),
    ] {
        let _ = port.injector.site("http.server");
        let ran = chaosctl(&[&["-e", &older], command].concat()).expect(1);
        let expected = format!("the service is older: its port has no {route}");
        assert!(ran.stderr.contains(&expected), "{command:?}: {ran:?}");
    }
    assert_eq!(port.injector.rules().generation(), 1);
    // What it has works.
    chaosctl(&["-e", &older, "status"]).expect(0);
    chaosctl(&["-e", &older, "arm", "db.read=error(x)"]).expect(0);
    chaosctl(&["-e", &older, "halt"]).expect(0);
}

/// An older port tries the whole list alone, and no single rule.
#[test]
fn an_older_port_is_tried_in_its_own_way() {
    let older = |port: &Port| {
        let router = Admin::new(port.injector.clone()).router();
        serve(router.layer(from_fn(async |request: Request, next: Next| {
            let is_tried = request.uri().query().is_some_and(|query| query.contains("dry_run"));
            match is_tried && request.uri().path() != "/v1/rules" {
                false => next.run(request).await,
                true => {
                    let body = json!({ "detail": "unknown parameter", "field": "dry_run", "allowed": "reason" });
                    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
                    (StatusCode::BAD_REQUEST, kind, body.to_string()).into_response()
                }
            }
        })))
    };
    let (one, two) = (Port::new(), Port::new());
    for port in [&one, &two] {
        port.put("db.write=error(x)", "kept");
    }
    let (first, second) = (older(&one), older(&two));
    let arm = [
        "-e",
        &first,
        "-e",
        &second,
        "arm",
        "db.read=error(x)",
        "--id",
        "made",
    ];
    chaosctl(&arm).expect(0);
    let all = ["-e", &first, "-e", &second];
    chaosctl(&[&all[..], &["off", "kept"]].concat()).expect(0);
    chaosctl(&[&all[..], &["rm", "made"]].concat()).expect(0);
    for port in [&one, &two] {
        assert_eq!(port.ids(), ["kept"]);
        assert_eq!(port.rule("kept")["enabled"], false);
    }
    let policy = chaos_core::wire::policy_from_json(br#"{"faults":["latency"]}"#).unwrap();
    two.injector.set_policy(policy);
    chaosctl(&arm).expect(1);
    assert_eq!(
        (one.ids(), two.ids()),
        (vec!["kept".to_owned()], vec!["kept".to_owned()])
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

/// Pages that never end are not read for ever.
#[test]
fn a_list_without_an_end_is_no_list() {
    let empty = json!({ "rules": [], "next": "a" });
    let rules: Vec<_> = (0..10_000)
        .map(|at| json!({ "id": format!("r{at}") }))
        .collect();
    let full = json!({ "rules": rules, "next": "a" });
    for page in [empty, full] {
        let url = serve(Router::new().fallback(move || ready(Json(page.clone()))));
        let ran = chaosctl(&["-e", &url, "rules"]).expect(1);
        assert!(
            ran.stderr.contains("pages without an end"),
            "{}",
            ran.stderr
        );
    }
}

/// An answer whose body never comes is waited for as long as any other.
#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let stalls = serve(Router::new().fallback(async || {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        (StatusCode::INTERNAL_SERVER_ERROR, never)
    }));
    let ran = chaosctl(&["-e", &stalls, "--timeout", "1s", "events"]).expect(3);
    assert!(ran.stderr.contains("it took too long"), "{ran:?}");
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
