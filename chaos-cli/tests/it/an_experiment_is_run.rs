//! `run`: each verdict has its exit code, and what was counted is what was injected. Real processes, against a service that is
//! called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json,
    extract::Request,
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use chaos_http_admin::Admin;
use serde_json::{Value, json};

use crate::support::{
    experiment::{JOURNAL, Lab, phase},
    port::{dead, serve},
    program::{command, run},
    wait::until,
};

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
    until("all answers are there", || lab.faults() == injected);
    let journal = lab.journal();
    let details = &journal["x-chaos"];
    assert_eq!(details["hits"], injected);
    assert_eq!(details["comparisons"][0]["hit"]["calls"], injected);
    assert_eq!(details["comparisons"][0]["hit"]["failed"], injected);
    assert_eq!(details["comparisons"][0]["spared"]["failed"], 0);
    assert!(details["comparisons"][0]["error_ratio"].is_object());
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
    assert!(lab.is_idle());
}

/// A call that one rule hits is another one for the next.
#[test]
fn each_call_is_once_in_the_plot_of_a_rule() {
    let lab = Lab::new();
    let phases = json!([{ "name": "lost", "for": "5s", "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }] },
        { "id": "slow", "site": "http.server", "rate": 0.5, "faults": [{ "latency": "1ms" }] },
    ] }]);
    lab.run(0, json!({ "phases": phases }));
    let details = &lab.journal()["x-chaos"];
    let count = |counts: &Value| counts["calls"].as_u64().unwrap();
    let lost = &details["comparisons"][0];
    assert_eq!(lost["rule"], "lost");
    let calls = count(&lost["hit"]) + count(&lost["spared"]);
    let phase = details["phases"].as_array().unwrap().iter();
    let phase = phase.clone().find(|it| it["name"] == "lost").unwrap();
    let (start, end) = (phase["start"].as_f64(), phase["end"].as_f64());
    let series = details["sites"].as_array().unwrap();
    let rules: Vec<_> = series.iter().map(|it| &it["rule"]).collect();
    for series in series {
        let samples = series["samples"].as_array().unwrap().iter();
        let samples = samples.filter(|it| it["at"].as_f64() >= start && it["at"].as_f64() <= end);
        let seen: u64 = samples
            .map(|it| count(&it["hit"]) + count(&it["others"]))
            .sum();
        // The last part of a second is not in it, and calls before the rule is enabled are.
        assert!(
            calls / 2 < seen && seen < calls * 4 / 3,
            "{calls}: {series:#}"
        );
    }
    assert_eq!(rules, ["lost", "slow"]);
}

/// A limit decides which calls are spared: later ones.
#[test]
fn what_chance_does_not_decide_is_counted_and_not_compared() {
    let lab = Lab::new();
    let phases = json!([{ "name": "lost", "for": "2s", "rules": [
        { "id": "lost", "site": "http.server", "rate": 0.5, "limit": 1000, "faults": [{ "status": 503 }] },
    ] }]);
    lab.run(0, json!({ "phases": phases }));
    let comparison = &lab.journal()["x-chaos"]["comparisons"][0];
    assert!(comparison["hit"]["calls"].as_u64().unwrap() >= 10);
    assert!(comparison["error_ratio"].is_null(), "{comparison:#}");
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
    let long = phase("lost", "1m", json!({}));
    let mut guarded = long.clone();
    guarded["rules"][0]["guards"] = json!([guard]);
    for (fields, why) in [
        (
            json!({ "phases": [long], "hypothesis": { "title": "x", "probes": [probe] }, "stop": { "probes_failing": 3 } }),
            "has not held 3 times",
        ),
        (
            json!({ "phases": [long], "stop": { "worse_than_control": worse } }),
            "fail more often",
        ),
        (json!({ "phases": [guarded] }), "a guard rail has broken"),
    ] {
        let ran = lab.run(13, fields);
        assert!(
            ran.stdout.contains(": stopped\n") && ran.stdout.contains(why),
            "{ran:?}"
        );
        assert!(lab.is_idle());
        assert!(lab.port.ids().is_empty());
        lab.port.injector.acknowledge();
    }
}

/// The command line may name another target than the file.
#[test]
fn the_journal_names_the_target_that_was_injected_into() {
    let lab = Lab::new();
    let fields = json!({ "target": { "endpoint": "http://127.0.0.1:1" } });
    let command = lab.command(fields, &["--endpoint", &lab.port.url]);
    run(command).expect(0);
    let target = &lab.journal()["experiment"]["target"];
    assert!(target.to_string().contains(&lab.port.url), "{target}");
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
        phase("lost", "1s", json!({})),
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
            let journal = std::fs::metadata(lab.path(JOURNAL)).unwrap();
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
