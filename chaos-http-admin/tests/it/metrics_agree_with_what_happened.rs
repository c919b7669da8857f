//! What `/metrics` says is what happened: each injection once, under its site, rule and fault.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
};

use axum::Router;
use chaos_core::{Call, Injector, Overlay, Rule, Site, testing::ManualClock, wire};
use chaos_http_admin::{Admin, Metrics};
use serde_json::{Value, json};

use crate::support::{
    exposition::Exposition,
    port::{Answer, Port, failing},
};

/// One call through a site; says how many plans it got.
fn pass(site: &'static Site) -> usize {
    let decision = site.decide(&Call::new());
    decision.map_or(0, |mut decision| {
        std::iter::from_fn(|| decision.next_plan()).count()
    })
}

fn rule(id: &str, value: &Value) -> Rule {
    wire::rule_from_value(value.clone(), Some(id)).unwrap()
}

async fn scrape(port: &Port) -> Exposition {
    let answer = port.get("/metrics").await.expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    Exposition::read(&answer.text())
}

#[tokio::test]
async fn each_injection_is_counted_once() {
    const THREADS: usize = 8;
    const CALLS: usize = 2_000;
    let port = Port::new();
    let sites = ["db.read", "db.write", "http.server"].map(|name| port.injector.site(name));
    let rules = [
        (
            "half",
            json!({ "site": "db.*", "rate": 0.5, "faults": [{ "latency": "20ms" }] }),
        ),
        (
            "few",
            json!({ "site": "db.read", "limit": 777, "faults": [{ "latency": "5ms" }, { "error": "few" }] }),
        ),
        (
            "some",
            json!({ "site": "**", "rate": 0.1, "seed": 7, "faults": [{ "error": "some" }] }),
        ),
        (
            "shade",
            json!({ "site": "http.server", "mode": "shadow", "rate": 0.25, "faults": [{ "error": "no" }] }),
        ),
        (
            "choice",
            json!({ "site": "http.server", "faults": [{ "one_of": [
            { "fault": { "latency": "1s" } }, { "fault": { "error": "chosen" } },
        ] }] }),
        ),
    ];
    for (id, rule) in rules {
        port.write("PUT", &format!("/v1/rules/{id}"), rule)
            .await
            .expect(201);
    }

    // Someone looks while they are hit, too: no count goes down.
    let traffic = thread::spawn(move || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for at in 0..CALLS {
                        pass(sites[at % sites.len()]);
                    }
                });
            }
        });
    });
    let mut before = 0.0;
    while !traffic.is_finished() {
        let now = scrape(&port).await.sum("chaos_injections_total", &[]);
        assert!(now >= before, "{before} before, {now} now");
        before = now;
        tokio::task::yield_now().await;
    }
    traffic.join().unwrap();

    let seen = scrape(&port).await;
    let shown = port.rules().await;
    let mut injected = 0.0;
    for rule in shown["rules"].as_array().unwrap() {
        let (id, stats) = (rule["id"].as_str().unwrap(), &rule["stats"]);
        let of_rule = [("rule", id)];
        let number = |field: &str| stats[field].as_f64().unwrap();
        assert_eq!(
            seen.sum("chaos_injections_total", &of_rule),
            number("injected"),
            "{id}"
        );
        let site = rule["site"].as_str().unwrap();
        let labels = [("rule", id), ("site", site)];
        assert_eq!(
            seen.one("chaos_matched_total", &labels),
            number("matched"),
            "{id}"
        );
        assert_eq!(
            seen.one("chaos_shadowed_total", &labels),
            number("shadowed"),
            "{id}"
        );
        assert_eq!(seen.one("chaos_active", &of_rule), number("active"), "{id}");
        injected += number("injected");
    }
    assert_eq!(seen.sum("chaos_injections_total", &[]), injected);
    assert_eq!(
        injected,
        port.injector.status().injected as f64,
        "nothing else was hit"
    );

    // By site, and by what happened.
    let of = |rule, site| seen.sum("chaos_injections_total", &[("rule", rule), ("site", site)]);
    assert!(of("half", "db.read") > 0.0 && of("half", "db.write") > 0.0);
    assert_eq!(of("half", "http.server"), 0.0);
    let few = [("rule", "few"), ("fault", "latency+error")];
    assert_eq!(seen.one("chaos_injections_total", &few), 777.0);
    // Whom the limit spares, it has matched.
    let spared = seen.one("chaos_matched_total", &[("rule", "few")]) - 777.0;
    let of_limit = [("rule", "few"), ("limit", "limit")];
    assert_eq!(seen.one("chaos_overflow_total", &of_limit), spared);
    assert_eq!(seen.count("chaos_overflow_total", &[]), 1);
    let slow = [("rule", "choice"), ("fault", "latency")];
    let slow = seen.one("chaos_injections_total", &slow);
    let broken = [("rule", "choice"), ("fault", "error")];
    assert!(slow > 0.0 && seen.one("chaos_injections_total", &broken) > 0.0);

    // Each rule's delays are all the same, so their sum is known.
    let half = seen.sum("chaos_injections_total", &[("rule", "half")]);
    let delays = "chaos_injected_delay_seconds";
    let sum = 0.02 * half + 0.005 * 777.0 + slow;
    let close = (seen.one("chaos_injected_delay_seconds_sum", &[]) - sum).abs() < 1e-6 * sum;
    assert!(close, "{sum}");
    let count = half + 777.0 + slow;
    assert_eq!(seen.one(&format!("{delays}_count"), &[]), count);
    for (bound, expected) in [
        ("0.001", 0.0),
        ("0.005", 777.0),
        ("0.025", 777.0 + half),
        ("1", count),
        ("+Inf", count),
    ] {
        let bucket = seen.one(&format!("{delays}_bucket"), &[("le", bound)]);
        assert_eq!(bucket, expected, "up to {bound}");
    }
}

#[tokio::test]
async fn states_and_numbers_are_those_of_the_status() {
    let port = Port::new();
    let expect = async |state: f64, generation: f64, rules: f64, overlays: f64| {
        let seen = scrape(&port).await;
        assert_eq!(seen.one("chaos_state", &[]), state);
        assert_eq!(seen.one("chaos_generation", &[]), generation);
        assert_eq!(seen.one("chaos_rules", &[]), rules);
        assert_eq!(seen.one("chaos_overlays", &[]), overlays);
        let audited = port.injector.audit().last() as f64;
        assert_eq!(seen.one("chaos_audit_entries_total", &[]), audited);
        assert_eq!(seen.one("chaos_rules_without_series", &[]), 0.0);
        assert_eq!(seen.one("chaos_breaches", &[]), 0.0);
        let version = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("compiled_out", "false"),
        ];
        assert_eq!(seen.one("chaos_build_info", &version), 1.0);
    };
    expect(0.0, 0.0, 0.0, 0.0).await;
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    let overlay = Overlay::new(&port.injector);
    expect(1.0, 1.0, 1.0, 1.0).await;
    port.injector.halt("enough");
    expect(2.0, 1.0, 1.0, 1.0).await;
    port.injector.resume();
    drop(overlay);
    port.injector.clear();
    expect(0.0, 2.0, 0.0, 0.0).await;
}

#[tokio::test]
async fn injections_go_on_when_a_rule_is_changed_and_its_own_counts_start_anew() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    for times in 1..=3 {
        let mut changed = failing("db.read");
        changed["faults"][0]["error"] = json!(format!("broken {times}"));
        port.write("PUT", "/v1/rules/a", changed).await;
        pass(site);
        pass(site);
        let seen = scrape(&port).await;
        let of_rule = [("rule", "a")];
        let injections = seen.one("chaos_injections_total", &of_rule);
        assert_eq!(injections, 2.0 * f64::from(times));
        assert_eq!(seen.one("chaos_matched_total", &of_rule), 2.0);
    }
    port.injector.clear();
    let seen = scrape(&port).await;
    assert_eq!(seen.one("chaos_injections_total", &[("rule", "a")]), 6.0);
    assert_eq!(seen.count("chaos_matched_total", &[]), 0);
}

#[tokio::test]
async fn overlays_are_counted_with_the_rest() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    let overlay = Overlay::new(&port.injector);
    overlay.put(rule("private", &failing("db.read")));
    overlay.run_sync(|| pass(site));
    let seen = scrape(&port).await;
    let private = [("rule", "private"), ("site", "db.read"), ("fault", "error")];
    assert_eq!(seen.one("chaos_injections_total", &private), 1.0);
    assert_eq!(seen.count("chaos_matched_total", &[]), 0);
}

/// Rules come and go by the thousand; what is said of them does not grow for ever.
#[tokio::test]
async fn series_are_bounded() {
    let port = Port::new();
    let site = port.injector.site("db.read");
    port.injector.put(rule("first", &failing("db.write")));
    let first = port.injector.site("db.write");
    pass(first);
    for n in 0..1_500 {
        let id = format!("r{n}");
        port.injector.put(rule(&id, &failing("db.read")));
        pass(site);
        port.injector.remove(&id.parse().unwrap());
    }

    let seen = scrape(&port).await;
    let total = "chaos_injections_total";
    // One of the rule that is there, those of 200 that are gone, and all that found no room.
    assert_eq!(seen.count(total, &[]), 202);
    let other = [
        ("site", "(other)"),
        ("rule", "(other)"),
        ("fault", "(other)"),
    ];
    assert_eq!(seen.one(total, &other), 501.0);
    assert_eq!(seen.one(total, &[("rule", "first")]), 1.0);

    // There is room again; who counts is kept, and no count goes down.
    let newest = rule("newest", &failing("db.read"));
    for _ in 0..3 {
        port.injector.put(newest.clone());
        pass(site);
        port.injector.remove(newest.id());
        pass(first);
    }
    let seen = scrape(&port).await;
    assert_eq!(seen.count(total, &[]), 202);
    assert_eq!(seen.one(total, &other), 501.0);
    assert_eq!(seen.one(total, &[("rule", "first")]), 4.0);
    assert_eq!(seen.one(total, &[("rule", "newest")]), 3.0);
}

#[tokio::test]
async fn thousands_of_rules_do_not_make_thousands_of_series() {
    let port = Port::new();
    let rules = (0..1_234).map(|n| rule(&format!("r{n}"), &failing("db.read")));
    port.injector.replace(rules.collect()).unwrap();
    let seen = scrape(&port).await;
    assert_eq!(seen.one("chaos_rules", &[]), 1_234.0);
    assert_eq!(seen.one("chaos_rules_without_series", &[]), 234.0);
    for name in ["chaos_matched_total", "chaos_active"] {
        assert_eq!(seen.count(name, &[]), 1_000);
        assert_eq!(seen.count(name, &[("rule", "r999")]), 1);
        assert_eq!(seen.count(name, &[("rule", "r1000")]), 0);
    }
}

#[tokio::test]
async fn however_many_ask_each_counts_once() {
    let injector = Injector::with_clock(ManualClock::new());
    let site = injector.site("db.read");
    injector.put(rule("a", &failing("db.read")));
    pass(site);
    let admin = Admin::new(injector.clone());
    let nested = Router::new()
        .nest("/one", admin.router())
        .nest("/two", admin.clone().allow_host("example.com").router());
    drop(Metrics::of(&injector));
    let of_code = Metrics::of(&injector);
    pass(site);
    pass(site);
    let port = Port {
        injector,
        router: nested,
    };
    for path in ["/one/metrics", "/two/metrics"] {
        let answer: Answer = port.get(path).await.expect(200);
        let seen = Exposition::read(&answer.text());
        // Since there is an admin, that is; the rule knows of the call before.
        assert_eq!(seen.one("chaos_injections_total", &[]), 2.0);
        assert_eq!(seen.one("chaos_matched_total", &[]), 3.0);
        assert_eq!(answer.text(), of_code.text());
    }
    assert_eq!(admin.metrics().text(), of_code.text());
}

#[tokio::test]
async fn tokens_are_counted_by_whoever_has_them() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).tokens_seen(|| [("accepted", 3), ("expired", 1)]);
    let port = Port {
        router: admin.router(),
        injector,
    };
    let seen = scrape(&port).await;
    let outcome = |name| seen.one("chaos_tokens_total", &[("outcome", name)]);
    assert_eq!((outcome("accepted"), outcome("expired")), (3.0, 1.0));
    assert_eq!(
        scrape(&Port::new()).await.count("chaos_tokens_total", &[]),
        0
    );
}

#[tokio::test]
async fn documents_are_counted_by_whoever_follows_a_fleet() {
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).fleet_documents(|| [("applied", 2), ("refused", 0)]);
    let port = Port {
        router: admin.router(),
        injector,
    };
    let seen = scrape(&port).await;
    let outcome = |name| seen.one("chaos_fleet_documents", &[("outcome", name)]);
    assert_eq!((outcome("applied"), outcome("refused")), (2.0, 0.0));
    let without = scrape(&Port::new()).await;
    assert_eq!(without.count("chaos_fleet_documents", &[]), 0);
}

#[tokio::test]
async fn a_source_that_fails_is_shown_by_its_name() {
    let injector = Injector::new();
    let wrong = Arc::new(Mutex::new(None));
    let told = Arc::clone(&wrong);
    let admin = Admin::new(injector.clone())
        .source("a.yaml", || Some("replaced below".to_owned()))
        .source("a.yaml", move || told.lock().unwrap().clone())
        .source("b.toml", || None);
    let port = Port {
        router: admin.router(),
        injector,
    };
    for (error, failing) in [(None, 0.0), (Some("line 3".to_owned()), 1.0), (None, 0.0)] {
        wrong.lock().unwrap().clone_from(&error);
        let status = port.get("/v1/status").await.expect(200).json();
        let (a, b) = (
            json!({ "name": "a.yaml", "error": error }),
            json!({ "name": "b.toml", "error": null }),
        );
        assert_eq!(status["sources"], json!([a, b]));
        let seen = scrape(&port).await;
        let source = |name| seen.one("chaos_source_failing", &[("source", name)]);
        assert_eq!((source("a.yaml"), source("b.toml")), (failing, 0.0));
    }
}

/// Who adds this text to another's keeps the format.
#[test]
fn all_are_announced_before_anything_has_happened() {
    let text = Metrics::of(&Injector::new()).text();
    let seen = Exposition::read(&(text.clone() + "# HELP own Mine.\n# TYPE own gauge\nown 1\n"));
    let names = seen.families.iter().map(|(name, ..)| name.as_str());
    let names: Vec<_> = names.collect();
    for name in [
        "chaos_injections_total",
        "chaos_matched_total",
        "chaos_active",
        "chaos_rules",
        "chaos_state",
        "chaos_injected_delay_seconds",
        "chaos_overflow_total",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

/// Nothing is locked on the way to an observer, or in one.
#[test]
fn a_scrape_by_an_observer_does_not_wait_for_itself() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    // Taken out by whoever asks first, since an observer must not own an injector.
    let metrics = Mutex::new(Some(Metrics::of(&injector)));
    let (told, heard) = mpsc::channel();
    injector.observe(move |_| {
        let metrics = metrics.lock().unwrap().take();
        told.send(metrics.unwrap().text()).unwrap();
    });
    injector.put(rule("a", &failing("db.read")));
    pass(site);
    let seen = Exposition::read(&heard.recv().unwrap());
    assert_eq!(seen.one("chaos_injections_total", &[]), 1.0);
}
