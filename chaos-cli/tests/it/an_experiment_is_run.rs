//! `run`: each verdict has its exit code, and whatever ends a run, nothing is injected afterwards. Real processes, against a
//! service that is called.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    Json,
    extract::Request,
    http::Method,
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use chaos_core::{Clock, Policy, Rate, SiteKind, wire};
use chaos_http_admin::Admin;
use serde_json::{Value, json};

use crate::{
    a_trial_ends_by_itself::kill,
    support::{
        experiment::Lab,
        port::{OBSERVER, Port, dead, serve},
        program::{command, run},
        relay::Relay,
    },
};

/// Waits for something that another process does.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !holds() {
        assert!(clock.now() < Duration::from_secs(30), "never: {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

fn is_idle(lab: &Lab) -> bool {
    lab.port.injector.status().state.as_str() == "idle"
}

#[test]
fn a_hypothesis_that_holds_is_0_and_each_hit_is_counted() {
    let lab = Lab::new();
    let injections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&injections);
    lab.port.injector.observe(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let compare = json!({ "rule": "lost", "error_ratio": { "at_most": 1.0 } });
    let report = lab.path("report.md");
    let fields = json!({
        "hypothesis": { "title": "Half of the calls are served", "probes": [
            { "name": "all calls", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } } },
            { "name": "no worse", "site": "http.server", "compare": compare },
        ] },
        "estimate": { "for": "1s", "hits": { "at_least": 5 } },
    });
    let arguments = ["--seed", "7", "--report", report.to_str().unwrap()];
    let ran = run(lab.command(fields, &arguments)).expect(0);
    assert!(ran.stdout.contains(": held\n"), "{ran:?}");
    // The last answer may be on its way.
    let injected = injections.load(Ordering::Relaxed);
    until("all answers are there", || {
        lab.traffic.as_ref().unwrap().faults() == injected
    });
    let journal = lab.journal();
    let details = &journal["x-chaos"];
    assert_eq!(details["hits"], injected);
    assert_eq!(details["comparisons"][0]["hit"]["calls"], injected);
    assert_eq!(details["comparisons"][0]["hit"]["failed"], injected);
    assert_eq!(details["comparisons"][0]["spared"]["failed"], 0);
    assert!(
        details["estimate"]["hits"].as_u64().unwrap() >= 5,
        "{details:#}"
    );
    assert_eq!(
        (&details["seed"], &journal["status"]),
        (&json!(7), &json!("completed"))
    );
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains("Half of the orders are lost"), "{text}");
    assert!(lab.port.ids().is_empty());
    assert!(is_idle(&lab));
}

#[test]
fn a_probe_that_does_not_hold_is_11() {
    let lab = Lab::new();
    let probe = json!({ "name": "few fail", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.1 } } });
    let ran = lab.run(
        11,
        json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
    );
    assert!(ran.stdout.contains(": deviated\n"), "{ran:?}");
    assert_eq!(lab.journal()["deviated"], true);
    assert!(lab.port.ids().is_empty());
}

#[test]
fn one_that_does_not_hold_before_is_12_and_nothing_is_armed() {
    let lab = Lab::new();
    let url = dead();
    for (probe, why) in [
        (
            json!({ "name": "up", "http": { "url": url }, "ask": ["before", "after"] }),
            "could not be asked",
        ),
        (
            json!({ "name": "up", "promql": { "url": url, "query": "up" }, "expect": { "at_least": 1 } , "ask": ["before", "after"] }),
            "could not be asked",
        ),
        (
            json!({ "name": "up", "http": { "url": lab.port.url }, "expect": { "status": 201 }, "ask": ["before", "after"] }),
            "did not hold",
        ),
    ] {
        let ran = lab.run(
            12,
            json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
        );
        assert!(ran.stdout.contains(why), "{ran:?}");
        assert!(!lab.was_armed());
        assert!(lab.port.ids().is_empty());
    }
}

#[test]
fn a_bound_is_13() {
    let lab = Lab::new();
    let probe = json!({ "name": "few fail", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.1 } }, "every": "100ms" });
    let worse = json!({ "rule": "lost", "site": "http.server", "error_ratio": 0.05 });
    let guard = json!({ "site": "http.server", "error_ratio": 0.2, "window": "10s", "at_least": 5, "then": "disarm" });
    let guarded = json!([{ "name": "lost", "for": "1m", "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }], "guards": [guard] },
    ] }]);
    let long = json!([{ "name": "lost", "for": "1m", "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
    ] }]);
    for (fields, why) in [
        (
            json!({ "phases": long, "hypothesis": { "title": "x", "probes": [probe] }, "stop": { "probes_failing": 3 } }),
            "has not held 3 times",
        ),
        (
            json!({ "phases": long, "stop": { "worse_than_control": worse } }),
            "fail more often",
        ),
        (json!({ "phases": guarded }), "a guard rail has broken"),
    ] {
        let ran = lab.run(13, fields);
        assert!(
            ran.stdout.contains(": stopped\n") && ran.stdout.contains(why),
            "{ran:?}"
        );
        assert!(is_idle(&lab));
        assert!(lab.port.ids().is_empty());
        lab.port.injector.acknowledge();
    }
}

/// Who halts a service keeps it halted; also after the last look at a phase that is soon over.
#[test]
fn a_halt_by_somebody_else_is_13() {
    for (length, pause) in [("1m", 0), ("1s", 300)] {
        let lab = Lab::new();
        let fields = json!({
            "phases": [{ "name": "lost", "for": length, "rules": [
                { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
            ] }],
            "conclusive": { "hits": { "at_least": 1 } },
        });
        let mut command = lab.command(fields, &[]);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        until("a call is hit", || {
            lab.traffic.as_ref().unwrap().faults() > 0
        });
        thread::park_timeout(Duration::from_millis(pause));
        lab.port.injector.halt("enough");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(13), "{output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("enough"));
        assert!(lab.port.is_halted());
    }
}

#[test]
fn without_traffic_it_is_14() {
    let mut lab = Lab::new();
    lab.traffic = None;
    let probe = json!({ "name": "all calls", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } }, "ask": ["before", "during"] });
    let ran = lab.run(
        14,
        json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
    );
    assert!(
        ran.stdout.contains("0 calls were hit, fewer than 10"),
        "{ran:?}"
    );
    assert_eq!(lab.journal()["x-chaos"]["hits"], 0);
    // The estimate sees that nobody calls.
    let ran = lab.run(
        14,
        json!({
            "hypothesis": { "title": "x", "probes": [probe] },
            "estimate": { "for": "1s", "hits": { "at_least": 1 } },
        }),
    );
    assert!(ran.stdout.contains("would have hit 0 calls"), "{ran:?}");
}

#[test]
fn what_a_target_would_not_take_is_told_before_anything_is_armed() {
    let lab = Lab::new();
    let phases = |rule: Value| json!([{ "name": "lost", "for": "2s", "rules": [rule] }]);
    let rule = |more: Value| {
        let mut rule =
            json!({ "id": "lost", "site": "http.server", "faults": [{ "status": 503 }] });
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        rule
    };
    for (fields, why) in [
        (
            json!({ "phases": phases(rule(json!({ "rate": 5 }))) }),
            "rate: rule `lost`: 5 is out of range",
        ),
        (
            json!({ "phases": phases(rule(json!({ "site": "http.servr" }))) }),
            "such as http.server",
        ),
        (
            json!({ "phases": phases(rule(json!({ "ratte": 1 }))) }),
            "ratte",
        ),
        (json!({ "fases": [] }), "unknown field `fases`"),
        (
            json!({ "hypothesis": { "title": "x", "probes": [{ "name": "a", "site": "nowhere", "expect": { "error_ratio": { "at_most": 1 } } }] } }),
            "no site \"nowhere\"",
        ),
    ] {
        let ran = lab.run(2, fields);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
    let longest = Policy::new().max_ttl(Duration::from_secs(6));
    lab.port.injector.set_policy(longest);
    let ran = lab.run(2, json!({}));
    assert!(
        ran.stderr.contains("max_ttl") || ran.stderr.contains("ttl"),
        "{ran:?}"
    );
    assert!(!lab.was_armed());
    lab.port.injector.set_policy(Policy::new());
    let report = lab.path("nowhere/report.html");
    let ran = run(lab.command(json!({}), &["--report", report.to_str().unwrap()])).expect(2);
    assert!(ran.stderr.contains("report.html"), "{ran:?}");
    let ran = run(lab.command(json!({}), &["--journal", report.to_str().unwrap()])).expect(2);
    assert!(ran.stderr.contains("cannot be written"), "{ran:?}");
    lab.port.injector.halt("not now");
    let ran = lab.run(5, json!({}));
    assert!(ran.stderr.contains("halted by"), "{ran:?}");
    assert!(!lab.was_armed());
    let nobody = json!({ "target": { "endpoint": dead() } });
    lab.run(3, nobody);
}

#[test]
fn a_rule_of_somebody_else_is_left_alone() {
    let lab = Lab::new();
    lab.port.put("http.server=latency(1ms)", "lost");
    let ran = lab.run(5, json!({}));
    assert!(
        ran.stderr.contains("there is a rule `lost` already"),
        "{ran:?}"
    );
    assert_eq!(lab.port.ids(), ["lost"]);
}

#[test]
fn a_token_that_may_only_observe_is_4() {
    let lab = Lab::of(Port::with_tokens());
    let mut command = lab.command(json!({}), &[]);
    command.env("CHAOSCTL_TOKEN", OBSERVER);
    run(command).expect(4);
    assert!(!lab.was_armed());
}

/// Counts of a run that was killed are none of the next one's.
#[test]
fn a_rule_that_was_left_brings_no_counts() {
    let mut lab = Lab::new();
    let rule = json!({ "id": "lost", "site": "http.server", "rate": 0.5, "seed": 7, "ttl": "1s", "faults": [{ "status": 503 }] });
    let put = || {
        lab.port
            .injector
            .put(chaos_core::wire::rule_from_value(rule.clone(), None).unwrap())
    };
    put();
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

/// An answer that is waited for when the phase ends counts.
#[test]
fn a_probe_that_hangs_at_the_end_is_not_forgotten() {
    let lab = Lab::new();
    let hangs = axum::Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let url = serve(hangs);
    let probes = json!([
        { "name": "all calls", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } } },
        { "name": "hangs", "http": { "url": url, "timeout": "30s" }, "ask": ["during"] },
    ]);
    let ran = lab.run(
        14,
        json!({ "hypothesis": { "title": "x", "probes": probes } }),
    );
    assert!(
        ran.stdout.contains("\"hangs\" could not be asked"),
        "{ran:?}"
    );
}

/// What one port refuses is taken back at the others, and what somebody else has made stays.
#[test]
fn a_rule_that_is_taken_at_one_port_is_armed_nowhere() {
    let (lab, other) = (Lab::new(), Lab::new());
    let targets = json!({ "endpoints": [lab.port.url, other.port.url] });
    // It is taken after it was checked.
    let mut fields = json!({ "target": targets });
    fields["observe"] = json!({ "before": "2s", "after": "0s" });
    let child = lab
        .command(fields, &[])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
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
    assert_eq!(lab.traffic.as_ref().unwrap().faults(), 0);
}

#[test]
fn a_site_that_is_not_steady_before_is_12() {
    let lab = Lab::new();
    lab.port.put("http.server=50%status(503)", "broken");
    let probe = json!({ "name": "few fail", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.1 } }, "ask": ["before", "during"] });
    let fields = json!({ "hypothesis": { "title": "x", "probes": [probe] }, "observe": { "before": "1s", "after": "0s" } });
    let ran = lab.run(12, fields);
    assert!(
        ran.stdout.contains("the probe \"few fail\" did not hold"),
        "{ran:?}"
    );
}

#[test]
fn a_comparison_is_made_in_the_phases_that_have_its_rule() {
    let lab = Lab::new();
    let compare = json!({ "name": "no worse", "site": "http.server", "compare": { "rule": "lost", "error_ratio": { "at_most": 1.0 } } });
    let phases = json!([
        { "name": "slow", "for": "1s", "rules": [{ "id": "slow", "site": "http.server", "faults": [{ "latency": "1ms" }] }] },
        { "name": "lost", "for": "1s", "rules": [{ "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] }] },
        { "name": "pause", "for": "1s" },
    ]);
    lab.run(
        0,
        json!({ "hypothesis": { "title": "x", "probes": [compare] }, "phases": phases }),
    );
    let details = &lab.journal()["x-chaos"];
    let lost = details["comparisons"].as_array().unwrap();
    let lost = lost.iter().find(|it| it["rule"] == "lost").unwrap();
    assert!(
        lost["hit"]["calls"].as_u64().unwrap() < details["hits"].as_u64().unwrap(),
        "{details:#}"
    );
}

#[test]
fn a_second_run_on_a_target_is_5() {
    let lab = Lab::new();
    let first = lab
        .command(json!({}), &[])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("a call is hit", || {
        lab.traffic.as_ref().unwrap().faults() > 0
    });
    let other = json!({ "phases": [{ "name": "slow", "for": "2s", "rules": [
        { "id": "slow", "site": "http.server", "faults": [{ "latency": "1ms" }] },
    ] }] });
    let journal = lab.path("second.json");
    let ran = run(lab.command(other, &["--journal", journal.to_str().unwrap()])).expect(5);
    // What is refused leaves no journal, and none of another run is lost.
    assert!(!journal.exists());
    assert!(
        ran.stderr.contains("another experiment is under way"),
        "{ran:?}"
    );
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert!(lab.port.ids().is_empty());
}

#[test]
fn a_signal_ends_it_at_once() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let lab = Lab::new();
        let child = lab
            .command(long(), &[])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        until("a call is hit", || {
            lab.traffic.as_ref().unwrap().faults() > 0
        });
        kill(&child, signal);
        let clock = Clock::monotonic();
        until("it is idle", || is_idle(&lab));
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
    let mut child = lab
        .command(fields, &["--timeout", "1m"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the phase begins", || {
        lab.path("experiment.journal.json").exists()
            && lab.journal()["x-chaos"]["ended_in"] == "lost"
    });
    relay.cut();
    // Some send two at once, which are one.
    kill(&child, "-HUP");
    kill(&child, "-HUP");
    thread::park_timeout(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None);
    kill(&child, "-INT");
    let clock = Clock::monotonic();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    let journal = lab.journal();
    assert_eq!(journal["status"], "interrupted");
    assert_eq!(journal["x-chaos"]["verdict"], Value::Null);
}

fn long() -> Value {
    json!({ "phases": [{ "name": "lost", "for": "1m", "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
    ] }] })
}

/// Killed at any moment, it leaves rules that end with their phase and five seconds, and a journal that says where it was.
/// `CHAOS_TEST_KILLS` is how many moments are tried.
#[test]
fn nothing_has_to_be_reached_for_its_faults_to_end() {
    let kills = std::env::var("CHAOS_TEST_KILLS").map_or(2, |text| text.parse().unwrap());
    for nth in 0..kills {
        let lab = Lab::new();
        let fields = json!({ "estimate": { "for": "1s", "hits": { "at_least": 1 } } });
        let mut child = lab
            .command(fields, &[])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("it has begun", || {
            lab.path("experiment.journal.json").exists()
        });
        // Spread over the parts, which take 3.4 seconds.
        let moment = Duration::from_millis((nth * 2_357 + 1_571) % 3_400);
        thread::park_timeout(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        let journal = lab.journal();
        assert_eq!(journal["status"], "interrupted", "{moment:?}");
        assert_ne!(journal["x-chaos"]["ended_in"], "", "{moment:?}");
        let clock = Clock::monotonic();
        while clock.now() < Duration::from_secs(7) {
            thread::park_timeout(Duration::from_millis(50));
        }
        let before = lab.traffic.as_ref().unwrap().faults();
        thread::park_timeout(Duration::from_millis(500));
        assert_eq!(lab.traffic.as_ref().unwrap().faults(), before, "{moment:?}");
        // What the dead one has left is in nobody's way.
        lab.port
            .injector
            .remove(&"experiment-lock".parse().unwrap());
        lab.run(0, json!({}));
    }
}

#[test]
fn a_port_that_is_lost_is_never_0() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let mut fields = long();
    fields["target"] = json!({ "endpoint": relay.url });
    let child = lab
        .command(fields, &["--timeout", "1s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("a call is hit", || {
        lab.traffic.as_ref().unwrap().faults() > 0
    });
    relay.cut();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(15), "{output:?}");
    assert_eq!(lab.journal()["x-chaos"]["targets"][0]["fate"], "cut_off");
}

/// Of several, it is told which one was lost, and nothing of those where nothing was armed.
#[test]
fn a_port_that_is_lost_before_is_the_only_one_that_is_told() {
    let (lab, other) = (Lab::new(), Lab::new());
    let relay = Relay::new(&other.port.url);
    let fields = json!({
        "target": { "endpoints": [lab.port.url, relay.url] },
        "observe": { "before": "1m", "after": "0s" },
    });
    let child = lab
        .command(fields, &["--timeout", "1s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("the run begins", || {
        lab.path("experiment.journal.json").exists()
    });
    relay.cut();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    let targets = &lab.journal()["x-chaos"]["targets"];
    assert_eq!(targets.as_array().unwrap().len(), 1, "{targets:#}");
    assert_eq!(targets[0]["target"], relay.url);
    assert_eq!(targets[0]["fate"], "cut_off");
}

/// Its rules are gone, and nobody else has deleted them.
#[test]
fn a_port_that_is_started_again_is_14() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let mut fields = long();
    fields["target"] = json!({ "endpoint": relay.url });
    let child = lab
        .command(fields, &[])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("a call is hit", || {
        lab.traffic.as_ref().unwrap().faults() > 0
    });
    relay.restart();
    lab.port.injector.clear();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("it has been started again"), "{printed}");
    assert_eq!(lab.journal()["x-chaos"]["targets"][0]["fate"], "cut_off");
}

/// What a guard rail has ended does not end the run at other ports, as long as it may break.
#[test]
fn as_many_guard_rails_break_as_are_allowed() {
    let (lab, mut other) = (Lab::new(), Lab::new());
    other.traffic = None;
    let guard = |then: &str| json!({ "site": "http.server", "error_ratio": 0.2, "window": "10s", "at_least": 5, "then": then });
    for then in ["disarm", "halt"] {
        let phases = json!([{ "name": "lost", "for": "3s", "rules": [
            { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }], "guards": [guard(then)] },
        ] }]);
        let probe = json!({ "name": "port", "http": { "url": format!("{}/healthz", lab.port.url) }, "expect": { "status": 200 } });
        let fields = |targets: Value| {
            json!({
                "target": targets,
                "phases": phases,
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

#[test]
fn each_line_of_json_parses() {
    let lab = Lab::new();
    let ran = run(lab.command(json!({}), &["--json"])).expect(0);
    let lines = ran.stdout.lines();
    let events: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["event"], "begin");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["verdict"]),
        (&json!("end"), &json!("held"))
    );
    assert!(
        events.iter().any(|event| event["event"] == "second"),
        "{ran:?}"
    );
}

/// What a service answers may be nobody else's business.
#[test]
fn a_body_is_shown_only_if_it_is_not_as_expected() {
    let lab = Lab::new();
    let url = serve(axum::Router::new().fallback(async || format!("ann{}", "!".repeat(1_000))));
    for (pattern, code, shown) in [("ann", 0, None), ("bob", 12, Some(200))] {
        let probe = json!({ "name": "who", "http": { "url": url }, "expect": { "body": pattern }, "ask": ["before", "after"] });
        let fields = json!({ "hypothesis": { "title": "x", "probes": [probe] } });
        let ran = run(lab.command(fields, &["--json"])).expect(code);
        let events = ran.stdout.lines().map(serde_json::from_str);
        let probes = events.map(Result::unwrap);
        let probes: Vec<Value> = probes.filter(|it: &Value| it["event"] == "probe").collect();
        assert!(!probes.is_empty(), "{ran:?}");
        for probe in probes {
            assert_eq!(probe["output"]["body"].as_str().map(str::len), shown);
        }
        assert!(!lab.journal().to_string().contains("ann!"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let journal = std::fs::metadata(lab.path("experiment.journal.json")).unwrap();
            assert_eq!(journal.permissions().mode() & 0o777, 0o600);
        }
    }
}

/// One number is an answer; all else is not.
#[test]
fn a_query_has_to_have_one_number() {
    let lab = Lab::new();
    let sample = |value: &str| json!({ "metric": {}, "value": [1, value] });
    for (data, code) in [
        (
            json!({ "resultType": "vector", "result": [sample("1")] }),
            0,
        ),
        (json!({ "resultType": "scalar", "result": [1, "1"] }), 0),
        (
            json!({ "resultType": "vector", "result": [sample("0")] }),
            12,
        ),
        (
            json!({ "resultType": "vector", "result": [sample("NaN")] }),
            12,
        ),
        (json!({ "resultType": "vector", "result": [] }), 12),
        (
            json!({ "resultType": "vector", "result": [sample("1"), sample("1")] }),
            12,
        ),
    ] {
        let answer = json!({ "status": "success", "data": data }).to_string();
        let answer = move || {
            let answer = answer.clone();
            async move { ([("content-type", "application/json")], answer) }
        };
        let url = serve(axum::Router::new().fallback(answer));
        let probe = json!({ "name": "up", "promql": { "url": url, "query": "up" }, "expect": { "at_least": 1 }, "ask": ["before", "after"] });
        let ran = lab.run(
            code,
            json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
        );
        assert!(
            code == 0 || ran.stdout.contains("the probe \"up\""),
            "{ran:?}"
        );
    }
}

#[test]
fn an_experiment_is_begun_checked_and_shown() {
    let lab = Lab::new();
    let begun = run(command(&[
        "experiment",
        "new",
        "A \"quoted\" <script>: title",
    ]))
    .expect(0);
    let path = lab.path("new.yaml");
    std::fs::write(&path, &begun.stdout).unwrap();
    let path = path.to_str().unwrap();
    run(command(&["experiment", "check", "--offline", path])).expect(0);
    let exported = run(command(&["experiment", "export", "--chaostoolkit", path])).expect(0);
    let exported: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert_eq!(exported["title"], "A \"quoted\" <script>: title");
    for arguments in [
        &["experiment", "schema"][..],
        &["experiment", "schema", "--journal"],
    ] {
        let schema = run(command(arguments)).expect(0);
        assert!(serde_json::from_str::<Value>(&schema.stdout).unwrap()["properties"].is_object());
    }
    let mine = lab.experiment(json!({}));
    let ran = run(command(&["experiment", "check", mine.to_str().unwrap()])).expect(0);
    assert!(ran.stdout.contains("would take it"), "{ran:?}");
    assert!(!lab.was_armed());
}

#[cfg(not(feature = "fleet"))]
#[test]
fn a_fleet_needs_the_feature_of_this_name() {
    let lab = Lab::new();
    let fleet = json!({ "fleet": { "etcd": ["http://127.0.0.1:2379"], "name": "demo" } });
    let ran = lab.run(2, json!({ "target": fleet }));
    assert!(ran.stderr.contains("the feature `fleet`"), "{ran:?}");
}

/// A site in code does not see how calls end.
#[test]
fn failures_are_asked_for_only_where_they_are_counted() {
    let lab = Lab::new();
    let _ = lab.port.injector.site_of("db.read", SiteKind::Sync);
    let probe = json!({ "name": "few fail", "site": "db.read", "expect": { "error_ratio": { "at_most": 0.1 } } });
    let compare = json!({ "name": "no worse", "site": "db.read", "compare": { "rule": "lost", "error_ratio": { "at_most": 0.1 } } });
    let worse = json!({ "rule": "lost", "site": "db.read", "error_ratio": 0.05 });
    for (fields, field) in [
        (
            json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
            "hypothesis.probes[0].site: ",
        ),
        (
            json!({ "hypothesis": { "title": "x", "probes": [compare] } }),
            "hypothesis.probes[0].site: ",
        ),
        (
            json!({ "stop": { "worse_than_control": worse } }),
            "stop.worse_than_control.site: ",
        ),
    ] {
        let ran = lab.run(2, fields);
        assert!(
            ran.stderr.contains(field) && ran.stderr.contains("the site of a layer"),
            "{field}: {ran:?}"
        );
        assert!(!lab.was_armed());
    }
}

/// What is not counted for this run any longer judges nothing, and what another run counts goes on.
#[test]
fn counts_that_are_lost_end_it() {
    for is_taken in [true, false] {
        let lab = Lab::new();
        let child = lab
            .command(long(), &[])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        until("a call is hit", || {
            lab.traffic.as_ref().unwrap().faults() > 0
        });
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
fn an_audit_is_not_trusted() {
    let lab = Lab::new();
    let admin = Admin::new(lab.port.injector.clone());
    let url = serve(
        admin.router().layer(from_fn(
            async |request: Request, next: Next| match request.uri().path() {
                "/v1/audit" => Json(json!({ "entries": ["a text", 7, null, [1]] })).into_response(),
                _ => next.run(request).await,
            },
        )),
    );
    lab.run(0, json!({ "target": { "endpoint": url } }));
    assert_eq!(lab.journal()["x-chaos"]["verdict"], "held");
}

/// The lock is no more than the rule that it stands for.
#[test]
fn a_policy_that_permits_the_rules_permits_the_lock() {
    let lab = Lab::new();
    let half = Policy::new().rate(Rate::new(0.5).unwrap());
    lab.port
        .injector
        .set_policy(half.clone().max_ttl(Duration::from_secs(60)));
    lab.run(0, json!({}));
    let program = json!([{ "for": "2s", "rate": "0.4..0.5" }]);
    let phases = json!([{ "name": "lost", "for": "2s", "rules": [
        { "id": "lost", "site": "http.server", "program": program, "faults": [{ "status": 503 }] },
    ] }]);
    lab.run(0, json!({ "phases": phases }));
    lab.port.injector.set_policy(half);
    let program = json!([{ "for": "15m", "rate": "0.4..0.5" }]);
    let phases = json!([{ "name": "lost", "for": "20m", "rules": [
        { "id": "lost", "site": "http.server", "program": program, "faults": [{ "status": 503 }] },
    ] }]);
    let path = lab.experiment(json!({ "phases": phases }));
    run(command(&["experiment", "check", path.to_str().unwrap()])).expect(0);
}

/// Whatever phase it was of, and however its durations are written.
#[test]
fn what_a_killed_run_has_left_is_recognised() {
    let lab = Lab::new();
    let rule = |fault: Value| json!({ "id": "lost", "site": "http.server", "rate": 0.5, "faults": [fault] });
    let (fails, is_slow) = (json!({ "status": 503 }), json!({ "latency": "1000us" }));
    let mut left = rule(is_slow.clone());
    left["enabled"] = false.into();
    let phases = json!([
        { "name": "lost", "for": "1s", "rules": [rule(fails)] },
        { "name": "slow", "for": "1s", "rules": [rule(is_slow)] },
    ]);
    lab.port
        .injector
        .put(wire::rule_from_value(left, None).unwrap());
    lab.run(0, json!({ "phases": phases }));
    assert!(lab.port.ids().is_empty());
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
    let child = lab
        .command(fields, &["--timeout", "1m"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
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
