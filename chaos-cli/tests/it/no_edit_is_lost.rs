//! Edits that meet those of somebody else: none is lost, and none is overwritten unseen.

use std::{fs, process::Stdio};

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use chaos_core::Call;
use chaos_http_admin::Admin;

use crate::{
    all_or_none::{edited_before_each_write, gone_before_the_write, is_write},
    support::{
        port::{Port, serve},
        program::{chaosctl, command},
    },
};

const FILE: &str = r#"{"rules":[
    {"id":"new","site":"db.write","faults":[{"error":"x"}]},
    {"id":"a","site":"db.read","rate":0.5,"faults":[{"error":"x"}]}
]}"#;

#[test]
fn rules_that_are_made_at_once_have_an_id_each() {
    let port = Port::new();
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut arm = command(&["-e", &port.url, "arm", "db.read=error(x)"]);
            arm.stdout(Stdio::piped()).stderr(Stdio::piped());
            arm.spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!errors.contains("the rule exists"), "{errors}");
    }
    assert_eq!(port.ids().len(), 8, "{:?}", port.ids());
}

#[test]
fn an_id_that_is_taken_is_replaced_and_told_so() {
    let port = Port::new();
    port.put("db.write=error(x)", "mine");
    let arm = |url: &str| chaosctl(&["-e", url, "arm", "db.read=error(x)", "--id", "mine"]);
    let ran = arm(&port.url).expect(0);
    assert!(ran.stdout.starts_with("replaced mine, "), "{ran:?}");
    assert!(ran.stdout.ends_with("chaosctl undo\n"), "{ran:?}");
    chaosctl(&["-e", &port.url, "undo"]).expect(0);
    assert_eq!(port.rule("mine")["site"], "db.write");
    // Unless somebody else has written meanwhile.
    arm(&serve(edited_before_each_write(&port))).expect(5);
    assert_eq!(port.rule("mine")["site"], "db.write");
}

/// Somebody else edits between the difference that `apply` shows and the write.
#[test]
fn apply_writes_over_nothing_that_it_has_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    fs::write(&file, FILE).unwrap();
    let port = Port::new();
    port.put("db.read=error(x)", "a");
    let edited = serve(edited_before_each_write(&port));
    let ran = chaosctl(&["-e", &edited, "apply", "-f", file.to_str().unwrap()]).expect(5);
    assert!(ran.stderr.contains("was changed meanwhile"), "{ran:?}");
    assert!(port.rule("a")["rate"].is_null());
    assert!(!port.ids().contains(&"new".to_owned()));
}

/// The way back does not undo what somebody else has edited between the writes of two rules.
#[test]
fn the_way_back_stops_at_an_edit_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    fs::write(&file, FILE).unwrap();
    let (one, two) = (Port::new(), Port::new());
    for port in [&one, &two] {
        port.put("db.read=error(x)", "a");
    }
    let other = one.injector.clone();
    let edited = serve(Admin::new(one.injector.clone()).router().layer(from_fn(
        move |request: Request, next: Next| {
            if is_write(&request) && request.uri().path().ends_with("/new") {
                let rule = r#"{"id":"a","site":"db.other","faults":[{"error":"x"}]}"#;
                other.put(chaos_core::wire::rule_from_json(rule.as_bytes(), None).unwrap());
            }
            next.run(request)
        },
    )));
    let dying = serve(gone_before_the_write(&two));
    let asked = ["--json", "-y", "-e", &edited, "-e", &dying];
    let apply = ["apply", "-f", file.to_str().unwrap()];
    let document = chaosctl(&[&asked[..], &apply].concat()).expect(6).json();
    assert_eq!(document[0]["result"], "not_taken_back", "{document}");
    assert_eq!(one.rule("a")["site"], "db.other");
}

/// At one endpoint, the way back of `on a b` puts back what it has written, and no more.
#[test]
fn the_way_back_keeps_what_was_edited_before_the_write() {
    let port = Port::new();
    port.put("db.read=error(x)", "a");
    port.put("db.read=error(x)", "b");
    chaosctl(&["-e", &port.url, "off", "a", "b"]).expect(0);
    let other = port.injector.clone();
    let edited = serve(Admin::new(port.injector.clone()).router().layer(from_fn(
        move |request: Request, next: Next| {
            let is_enabling = is_write(&request) && request.uri().path().ends_with("/a");
            // The first write alone.
            if is_enabling
                && other
                    .rules()
                    .find("a")
                    .is_some_and(|rule| rule.site().as_str() == "db.read")
            {
                let rule =
                    r#"{"id":"a","site":"db.other","enabled":false,"faults":[{"error":"x"}]}"#;
                other.put(chaos_core::wire::rule_from_json(rule.as_bytes(), None).unwrap());
            }
            let is_lost = is_write(&request) && request.uri().path().ends_with("/b");
            async move {
                match is_lost {
                    true => StatusCode::BAD_GATEWAY.into_response(),
                    false => next.run(request).await,
                }
            }
        },
    )));
    chaosctl(&["-e", &edited, "on", "a", "b"]).expect(3);
    assert_eq!(port.rule("a")["site"], "db.other");
    assert_eq!(port.rule("a")["enabled"], false);
}

/// A guard rail has stopped a rule, which was deleted: its id stays locked, and another is drawn.
#[test]
fn an_id_that_is_locked_is_not_drawn() {
    let port = Port::new();
    let site = port.injector.site("http.server");
    let base = ["-e", &port.url, "try", "http.server=0.1%error(x)"];
    let trial = ["--id", "http.server-1", "--for", "1h"];
    let until = ["--until", "http.server errors>5%"];
    let mut child = command(&[&base[..], &trial, &until].concat());
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if let Some(mut call) = site.measure(&Call::new(), None) {
            call.end(true);
        }
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    let arm = ["-e", &port.url, "arm", "http.server=error(x)"];
    let named = chaosctl(&[&arm[..], &["--id", "http.server-1"]].concat()).expect(5);
    assert!(
        named.stderr.contains("a guard rail has stopped"),
        "{named:?}"
    );
    let ran = chaosctl(&arm).expect(0);
    assert!(ran.stdout.starts_with("made http.server-2, "), "{ran:?}");
    assert!(!ran.stderr.contains("guard rail"), "{ran:?}");
}
