//! A write to several endpoints is made at all, or at none.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode},
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use chaos_core::{inject, wire};
use chaos_http_admin::Admin;

use crate::support::{
    port::{Port, dead, serve},
    program::chaosctl,
    relay::Relay,
};

/// Whether a request changes something.
pub(crate) fn is_write(request: &Request) -> bool {
    let is_dry = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("dry_run=true"));
    request.method() != Method::GET && !is_dry
}

/// The port of an injector that is gone once it has answered the dry run.
pub(crate) fn gone_before_the_write(port: &Port) -> Router {
    Admin::new(port.injector.clone()).router().layer(from_fn(
        async |request: Request, next: Next| match is_write(&request) {
            true => StatusCode::BAD_GATEWAY.into_response(),
            false => next.run(request).await,
        },
    ))
}

/// The port of an injector whose rules somebody else edits right before each write.
pub(crate) fn edited_before_each_write(port: &Port) -> Router {
    let injector = Arc::new(port.injector.clone());
    let admin = Admin::new(port.injector.clone());
    admin
        .router()
        .layer(from_fn(move |request: Request, next: Next| {
            let injector = Arc::clone(&injector);
            async move {
                if is_write(&request) {
                    let rules = wire::rules_from_short("x=error(x)").unwrap();
                    injector.put(rules[0].clone());
                }
                next.run(request).await
            }
        }))
}

fn everywhere(ports: [&str; 2], arguments: &[&str]) -> crate::support::program::Ran {
    chaosctl(&[&["-e", ports[0], "-e", ports[1]], arguments].concat())
}

#[test]
fn all_take_it() {
    let (one, two) = (Port::new(), Port::new());
    let urls = [one.url.as_str(), two.url.as_str()];
    everywhere(urls, &["arm", "db.read=error(x)"]).expect(0);
    everywhere(urls, &["off", "db.read-1"]).expect(0);
    for port in [&one, &two] {
        assert_eq!(port.rule("db.read-1")["enabled"], false);
    }
    everywhere(urls, &["rm", "db.read-1"]).expect(0);
    assert!(one.ids().is_empty() && two.ids().is_empty());
}

#[test]
fn one_whose_policy_refuses_keeps_it_from_all() {
    let (one, two) = (Port::new(), Port::new());
    let policy = wire::policy_from_json(br#"{"faults":["latency"]}"#).unwrap();
    two.injector.set_policy(policy);
    let ran = everywhere([&one.url, &two.url], &["arm", "db.*=error(lost)"]).expect(1);
    for expected in ["would take it", "allowed", "nothing was changed anywhere"] {
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    assert_eq!(one.injector.rules().generation(), 0);
    assert_eq!(two.injector.rules().generation(), 0);
}

#[test]
fn one_that_is_dead_keeps_it_from_all() {
    let one = Port::new();
    everywhere([&one.url, &dead()], &["arm", "db.*=error(lost)"]).expect(3);
    assert_eq!(one.injector.rules().generation(), 0);
}

/// Gone between the dry run and the write: the other is put back, and keeps the counts of rules that were not
/// written to.
#[test]
fn one_that_dies_in_between_is_told_and_the_other_is_as_before() {
    let (one, two) = (Port::new(), Port::new());
    for port in [&one, &two] {
        port.put("db.read=error(x)", "kept");
        port.put("db.write=error(x)", "edited");
    }
    let injector = &one.injector;
    assert!(inject!(injector: injector, "db.read").is_err());
    let before: Vec<_> = one.ids().iter().map(|id| one.rule(id)).collect();
    let dying = serve(gone_before_the_write(&two));
    for arguments in [
        &["arm", "db.read=error(lost)"][..],
        &["arm", "db.write=error(other)", "--id", "edited"],
        &["on", "edited"],
    ] {
        let ran = everywhere([&one.url, &dying], arguments).expect(6);
        assert!(ran.stderr.contains("taken back"), "{ran:?}");
        assert!(ran.stderr.contains("may have been changed"), "{ran:?}");
        let after: Vec<_> = one.ids().iter().map(|id| one.rule(id)).collect();
        assert_eq!(after, before, "{arguments:?}");
        assert_eq!(one.injector.counts("kept").unwrap().injected, 1);
    }
}

/// What only takes faults away stays at the endpoint that took it: putting it back would arm rules.
#[test]
fn what_takes_faults_away_is_not_taken_back() {
    for arguments in [
        &["off", "live", "ended"][..],
        &["rm", "live", "ended"],
        &["-y", "rm", "--all"],
    ] {
        let (one, two) = (Port::new(), Port::new());
        for port in [&one, &two] {
            port.put("db.write=error(x)", "live");
            port.put_ended("ended");
        }
        let dying = serve(gone_before_the_write(&two));
        let ran = everywhere([&one.url, &dying], arguments).expect(6);
        assert!(!ran.stderr.contains("taken back"), "{ran:?}");
        assert!(ran.stderr.contains("may have been changed"), "{ran:?}");
        let injector = &one.injector;
        assert!(
            inject!(injector: injector, "db.write").is_ok(),
            "{arguments:?}"
        );
        assert!(
            inject!(injector: injector, "db.read").is_ok(),
            "{arguments:?}"
        );
        let is_enabled = |id: &String| one.rule(id)["enabled"] != false;
        assert!(!one.ids().iter().any(is_enabled), "{arguments:?}");
    }
}

/// A rule whose time is over is armed by each write: it is put back disabled.
#[test]
fn a_rule_that_had_ended_is_not_armed_by_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    let rule = r#"{"rules":[{"id":"new","site":"db.write","faults":[{"error":"x"}]}]}"#;
    std::fs::write(&file, rule).unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["arm", "db.read=error(y)", "--id", "ended"][..],
        &["-y", "apply", "--prune", "-f", file],
    ] {
        let (one, two) = (Port::new(), Port::new());
        for port in [&one, &two] {
            port.put_ended("ended");
        }
        let dying = serve(gone_before_the_write(&two));
        let ran = everywhere([&one.url, &dying], arguments).expect(6);
        assert!(ran.stderr.contains("taken back"), "{ran:?}");
        let injector = &one.injector;
        assert!(inject!(injector: injector, "db.read").is_ok(), "{ran:?}");
        assert_eq!(one.ids(), ["ended"]);
        assert_eq!(one.rule("ended")["enabled"], false);
    }
}

/// Killed at the moment of the write, so that the connection breaks and nothing listens any longer.
#[test]
fn one_that_is_killed_at_the_write_is_told_and_the_other_is_as_before() {
    for json in [&[][..], &["--json"]] {
        let (one, two) = (Port::new(), Port::new());
        one.put("db.write=error(x)", "kept");
        two.put("db.write=error(x)", "kept");
        let relay = Relay::that_dies_at_a_write(&two.url);
        let arguments = [json, &["arm", "db.*=error(lost)"]].concat();
        let ran = everywhere([&one.url, &relay.url], &arguments).expect(6);
        assert!(ran.stderr.contains("may have been changed"), "{ran:?}");
        assert_eq!(
            (one.ids(), two.ids()),
            (vec!["kept".to_owned()], vec!["kept".to_owned()])
        );
        if !json.is_empty() {
            let document = ran.json();
            assert_eq!(document[0]["result"], "taken_back");
            assert_eq!(document[1]["result"], "unknown");
        }
    }
}

/// Edited by somebody else in between: that edit stays, and ours is at neither.
#[test]
fn one_that_is_edited_in_between_keeps_that_edit() {
    let (one, two) = (Port::new(), Port::new());
    for port in [&one, &two] {
        port.put("db.read=error(x)", "a");
        chaosctl(&["-e", &port.url, "off", "a"]).expect(0);
    }
    let edited = serve(edited_before_each_write(&two));
    let ran = everywhere([&one.url, &edited], &["on", "a"]).expect(6);
    assert!(
        ran.stderr.contains("have changed since they were read"),
        "{ran:?}"
    );
    assert_eq!(one.rule("a")["enabled"], false);
    assert_eq!(two.rule("a")["enabled"], false);
    assert_eq!(two.ids(), ["a", "env.x.1"]);
}
