//! `run`: whatever ends it, nothing is injected afterwards. Real processes, against a service that is called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::Request,
    http::Method,
    middleware::{Next, from_fn},
};
use chaos_core::{Clock, wire};
use chaos_http_admin::Admin;
use serde_json::{Value, json};

use crate::support::{
    experiment::{Lab, long, phase},
    port::serve,
    program::kill,
    relay::Relay,
    wait::{pause, until},
};

/// Who halts a service keeps it halted; also after the last look at a phase that is soon over.
#[test]
fn a_halt_by_somebody_else_is_13() {
    for (length, millis) in [("1m", 0), ("1s", 300)] {
        let lab = Lab::new();
        let fields = json!({
            "phases": [phase("lost", length, json!({}))],
            "conclusive": { "hits": { "at_least": 1 } },
        });
        let child = lab.start(fields, &[]);
        until("a call is hit", || lab.faults() > 0);
        pause(Duration::from_millis(millis));
        lab.port.injector.halt("enough");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(13), "{output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("enough"));
        assert!(lab.port.is_halted());
    }
}

/// Counts of a run that was killed are none of the next one's.
#[test]
fn a_rule_that_was_left_brings_no_counts() {
    let mut lab = Lab::new();
    let rule = json!({ "id": "lost", "site": "http.server", "rate": 0.5, "seed": 7, "ttl": "1s", "faults": [{ "status": 503 }] });
    lab.port
        .injector
        .put(wire::rule_from_value(rule, None).unwrap());
    let traffic = lab.traffic.take().unwrap();
    until("calls are hit", || traffic.faults() > 20);
    drop(traffic);
    let counts = || lab.port.injector.counts("lost").unwrap();
    until("it is over", || counts().expires_in == Some(Duration::ZERO));
    let probe = json!({ "name": "port", "http": { "url": format!("{}/healthz", lab.port.url) }, "expect": { "status": 200 } });
    let ran = lab.run(14, json!({
        "hypothesis": { "title": "x", "probes": [probe] },
        "phases": [{ "name": "lost", "for": "1s", "rules": [
            { "id": "lost", "site": "http.server", "rate": 0.5, "seed": 7, "faults": [{ "status": 503 }] },
        ] }],
    }));
    assert!(ran.stdout.contains("0 calls were hit"), "{ran:?}");
}

/// What one port refuses is taken back at the others, and what somebody else has made stays.
#[test]
fn a_rule_that_is_taken_at_one_port_is_armed_nowhere() {
    let (lab, other) = (Lab::new(), Lab::new());
    let targets = json!({ "endpoints": [lab.port.url, other.port.url] });
    // It is taken after it was checked.
    let mut fields = json!({ "target": targets });
    fields["observe"] = json!({ "before": "2s", "after": "0s" });
    let child = lab.start(fields, &[]);
    until("the lock is taken", || {
        lab.port.ids() == ["experiment-lock"]
    });
    other.port.put("http.server=latency(1ms)", "lost");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    assert!(lab.port.ids().is_empty());
    assert_eq!(other.port.ids(), ["lost"]);
    let targets = &lab.journal()["x-chaos"]["targets"];
    assert_eq!(targets[0]["fate"], "withdrawn");
    assert_eq!(targets[1]["fate"], "refused");
    assert!(!lab.was_armed());
    assert_eq!(lab.faults(), 0);
}

/// Hits of another fault than the experiment's show nothing.
#[test]
fn a_rule_that_somebody_changes_is_13() {
    let lab = Lab::new();
    let child = lab.start(long(), &[]);
    // What a rule was at the first look is what it is compared with.
    lab.until_hits_are_seen();
    lab.port.put("http.server=50%latency(1ms)", "lost");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(13), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains("somebody else has changed the rule `lost`"),
        "{printed}"
    );
    assert!(lab.is_idle());
}

#[test]
fn a_signal_ends_it_at_once() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let lab = Lab::new();
        let child = lab.start(long(), &[]);
        until("a call is hit", || lab.faults() > 0);
        kill(&child, signal);
        let clock = Clock::monotonic();
        until("it is idle", || lab.is_idle());
        assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(lab.port.ids().is_empty());
        assert_eq!(lab.journal()["status"], "interrupted");
    }
}

/// Who cannot wait for a port that is silent does not have to.
#[test]
fn a_second_signal_ends_it_without_a_verdict() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let mut fields = long();
    fields["target"] = json!({ "endpoint": relay.url });
    let mut child = lab.start(fields, &["--timeout", "1m"]);
    lab.until_hits_are_seen();
    relay.cut();
    // Some send two at once, which are one.
    kill(&child, "-HUP");
    kill(&child, "-HUP");
    pause(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None);
    kill(&child, "-INT");
    let clock = Clock::monotonic();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    let journal = lab.journal();
    assert_eq!(journal["status"], "interrupted");
    assert_eq!(journal["x-chaos"]["verdict"], Value::Null);
}

/// Killed at any moment, it leaves rules that end with their phase and five seconds, and a journal that says where it was.
/// `CHAOS_TEST_KILLS` is how many moments are tried.
#[test]
fn nothing_has_to_be_reached_for_its_faults_to_end() {
    let kills = std::env::var("CHAOS_TEST_KILLS").map_or(2, |text| text.parse().unwrap());
    for nth in 0..kills {
        let lab = Lab::new();
        let fields = json!({ "estimate": { "for": "1s", "hits": { "at_least": 1 } } });
        let mut child = lab.start(fields, &[]);
        until("the run begins", || !lab.place().is_empty());
        // Spread over the parts, which take 3.4 seconds.
        let moment = Duration::from_millis((nth * 2_357 + 1_571) % 3_400);
        pause(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        let journal = lab.journal();
        assert_eq!(journal["status"], "interrupted", "{moment:?}");
        assert_ne!(journal["x-chaos"]["ended_in"], "", "{moment:?}");
        pause(Duration::from_secs(7));
        let before = lab.faults();
        pause(Duration::from_millis(500));
        assert_eq!(lab.faults(), before, "{moment:?}");
        // What the dead one has left is in nobody's way.
        lab.port
            .injector
            .remove(&"experiment-lock".parse().unwrap());
        lab.run(0, json!({}));
    }
}

/// What a guard rail has ended does not end the run at other ports, as long as it may break.
#[test]
fn as_many_guard_rails_break_as_are_allowed() {
    let (lab, mut other) = (Lab::new(), Lab::new());
    other.traffic = None;
    let guard = |then: &str| json!({ "site": "http.server", "error_ratio": 0.2, "window": "10s", "at_least": 5, "then": then });
    for then in ["disarm", "halt"] {
        let mut phase = phase("lost", "3s", json!({}));
        phase["rules"][0]["guards"] = json!([guard(then)]);
        let probe = json!({ "name": "port", "http": { "url": format!("{}/healthz", lab.port.url) }, "expect": { "status": 200 } });
        let fields = |targets: Value| {
            json!({
                "target": targets,
                "phases": [phase],
                "hypothesis": { "title": "x", "probes": [probe] },
                "stop": { "breaches": 2 },
                "conclusive": { "hits": { "at_least": 1 } },
            })
        };
        let again = || {
            lab.port.injector.acknowledge();
            lab.port.injector.resume();
        };
        lab.run(
            0,
            fields(json!({ "endpoints": [lab.port.url, other.port.url] })),
        );
        assert!(!lab.port.injector.status().breaches.is_empty());
        again();
        // Nothing is left to inject at.
        let ran = lab.run(13, fields(json!({ "endpoint": lab.port.url })));
        assert!(ran.stdout.contains("a guard rail has broken"), "{ran:?}");
        again();
    }
}

/// A run whose counts were ended or replaced is inconclusive, and leaves the counts of the other run alone.
#[test]
fn counts_that_are_lost_end_it() {
    for is_taken in [true, false] {
        let lab = Lab::new();
        let child = lab.start(long(), &[]);
        lab.until_hits_are_seen();
        let injector = &lab.port.injector;
        if is_taken {
            let mut lock = lab.port.rule("experiment-lock");
            lock["reason"] = "that of another run".into();
            injector.put(wire::rule_from_value(lock, None).unwrap());
            injector
                .observe_outcomes("experiment-lock", ["http.server"])
                .unwrap();
        } else {
            injector.end_outcomes("experiment-lock");
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(14), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(
            printed.contains("calls are not counted for this run"),
            "{printed}"
        );
        assert_eq!(injector.outcomes("experiment-lock").is_some(), is_taken);
        let ids: &[&str] = match is_taken {
            true => &["experiment-lock"],
            false => &[],
        };
        assert_eq!(lab.port.ids(), ids);
    }
}

#[test]
fn a_lock_whose_answer_is_lost_is_taken_back() {
    let lab = Lab::new();
    let relay = Relay::that_loses_an_answer(&lab.port.url);
    lab.run(3, json!({ "target": { "endpoint": relay.url } }));
    let entries = lab.port.injector.audit().after(0).entries;
    let mut changes = entries.iter().flat_map(|entry| entry.changes());
    assert!(changes.any(|change| change.1.is_some()), "it was taken");
    assert!(lab.port.ids().is_empty());
}

/// A signal while rules are made: they are not in force.
#[test]
fn an_arming_that_is_cut_has_not_succeeded() {
    let lab = Lab::new();
    let admin = Admin::new(lab.port.injector.clone());
    let is_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_asked);
    let url = serve(
        admin
            .router()
            .layer(from_fn(move |request: Request, next: Next| {
                let uri = request.uri();
                let is_real = uri.query().is_none_or(|query| !query.contains("dry_run"));
                let hangs =
                    request.method() == Method::PUT && uri.path() == "/v1/rules/lost" && is_real;
                let asked = Arc::clone(&asked);
                async move {
                    if hangs {
                        asked.store(true, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_secs(60)).await;
                    }
                    next.run(request).await
                }
            })),
    );
    let fields = json!({ "target": { "endpoint": url } });
    let child = lab.start(fields, &["--timeout", "1m"]);
    until("the rule is to be made", || {
        is_asked.load(Ordering::Relaxed)
    });
    kill(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let journal = lab.journal();
    let mut entries = journal["run"].as_array().unwrap().iter();
    let arming = entries.find(|entry| entry["activity"]["name"] == "arm lost for lost");
    let arming = arming.unwrap_or_else(|| panic!("{journal:#}"));
    assert_eq!(arming["status"], "failed", "{arming:#}");
    assert_eq!(arming["output"], "signal 2", "{arming:#}");
}
