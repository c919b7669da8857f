//! A rule reads back as it was written, in JSON and in code.

use chaos_core::wire::{rule_from_value, rule_to_value};
use serde_json::{Value, json};

/// Rules that are written in the shortest form: reading and writing them changes nothing.
fn rules() -> Vec<Value> {
    let mut rules = vec![json!({
        "id": "slow-checkout",
        "site": "http.server",
        "reason": "GameDay 12",
        "enabled": false,
        "mode": "shadow",
        "final": true,
        "match": {
            "method": ["GET", "POST"],
            "path": "/checkout/{id}",
            "host": "api.example.com",
            "grpc": "shop.v1.Orders/Place",
            "headers": { "x-tenant": "acme", "x-user": { "regex": "^a" },
                         "x-trace": { "full_regex": "[0-9a-f]{16}" } },
            "query": { "beta": "1" },
            "labels": { "table": { "not": { "prefix": "tmp_" } } },
        },
        "rate": 0.05,
        "seed": 42,
        "skip": 3,
        "every": 2,
        "limit": 100,
        "max_active": 20,
        "ttl": "1m 30s",
        "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }],
    })];
    for (key, value) in [
        ("faults", json!([{ "latency": "0s" }])),
        (
            "faults",
            json!([{ "latency": "1s 500ms" }, { "error": "gone" }]),
        ),
        (
            "faults",
            json!([{ "error": { "kind": "timed_out", "message": "too late" } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "p50": "20ms", "p99": "800ms" } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "p50": "20ms", "p90": "90ms", "p99.9": "2s" } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "mean": "20ms", "std_dev": "5ms" }, "when": "after" }]),
        ),
        (
            "faults",
            json!([{ "latency": { "pareto": { "min": "10ms", "alpha": 1.5 } } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "pareto": { "min": "10ms", "alpha": 1.5 }, "max": "1s" } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "p50": "20ms", "p99": "800ms", "max": "800ms" } }]),
        ),
        (
            "faults",
            json!([{ "latency": { "mean": "20ms", "std_dev": "5ms", "max": "24ms" } }]),
        ),
        ("faults", json!([{ "latency": { "at_least": "1s" } }])),
        ("key", json!("header:x-user-id")),
        ("key", json!("label:tenant")),
        ("key", json!("peer")),
        (
            "first_attempts",
            json!({ "n": 2, "key": "header:idempotency-key" }),
        ),
        ("replay", json!({ "ordinals": [1, 5, 7] })),
        (
            "window",
            json!({ "days": "mon-fri", "hours": "09:00-17:00", "zone": "Europe/Berlin" }),
        ),
        ("faults", json!([{ "latency": "200ms", "when": "after" }])),
        (
            "faults",
            json!([{ "status": { "code": 429, "body": "slow down",
                                 "headers": { "retry-after": "3" } } }]),
        ),
        (
            "faults",
            json!([{ "status": { "code": 503, "json": { "error": "down" } } }]),
        ),
        (
            "faults",
            json!([{ "status": { "code": 503, "body": "<p>", "content_type": "text/html" } }]),
        ),
        (
            "faults",
            json!([{ "grpc": { "code": "UNAVAILABLE", "message": "injected",
                               "metadata": { "a-bin": "CA4", "grpc-retry-pushback-ms": "100" } } }]),
        ),
        (
            "faults",
            json!([{ "grpc": { "code": "UNAVAILABLE", "message": "away: 5 %", "details": "CA4",
                               "after_messages": 3, "on": "request" } }]),
        ),
        ("faults", json!([{ "value": { "left": [1, 2] } }])),
        ("faults", json!([{ "value": null }])),
        // JSON that says nothing is no body as `json`, and one as a text.
        (
            "faults",
            json!([{ "status": { "code": 503, "body": "null", "content_type": "application/json" } }]),
        ),
        ("faults", json!([{ "abort": "reset", "after": "1KiB" }])),
        (
            "faults",
            json!([{ "abort": "reset", "after": "1KiB", "on": "request" }]),
        ),
        (
            "faults",
            json!([{ "abort": { "h2": "enhance_your_calm" } }]),
        ),
        ("faults", json!([{ "abort": "goaway" }])),
        ("faults", json!([{ "abort": "refuse" }])),
        ("faults", json!([{ "abort": "panic" }])),
        ("faults", json!([{ "abort": "exit" }])),
        (
            "faults",
            json!([{ "hang": "30s" }, { "pause": { "max": "30s" } }]),
        ),
        ("faults", json!([{ "block": "50ms" }])),
        ("faults", json!([{ "body": { "throttle": "10KiB/s" } }])),
        (
            "faults",
            json!([{ "body": { "truncate_after": "1000B", "on": "request" } }]),
        ),
        (
            "faults",
            json!([{ "body": { "stall_after": "1KiB", "for": "5s" } }]),
        ),
        ("faults", json!([{ "body": { "corrupt": 0.001 } }])),
        ("faults", json!([{ "body": { "first_byte": "1s" } }])),
        ("faults", json!([{ "body": { "chunk": "50ms" } }])),
        (
            "faults",
            json!([{ "headers": { "set": { "x-a": "1" }, "remove": ["etag"], "on": "request" } }]),
        ),
        ("faults", json!([{ "burn": { "cpu": 0.8, "for": "10s" } }])),
        (
            "faults",
            json!([{ "burn": { "memory": "256MiB", "for": "10s" } }]),
        ),
        (
            "faults",
            json!([{ "custom": { "name": "fail over", "to": "b" } }]),
        ),
        (
            "faults",
            json!([{ "one_of": [
                { "weight": 3, "fault": { "status": 503 } },
                { "fault": { "latency": "2s", "when": "after" } },
                { "weight": 1_000_000, "fault": { "custom": { "name": "fail over" } } },
            ] }]),
        ),
        // One option at least lets the call go on.
        (
            "faults",
            json!([
                { "one_of": [{ "fault": { "status": 503 } }, { "fault": { "latency": "2s" } }] },
                { "error": "gone" },
            ]),
        ),
        ("match", json!({ "path": { "prefix": "/a" } })),
        ("match", json!({ "path": ["/a", { "suffix": "/z" }] })),
        ("match", json!({ "headers": { "a": { "present": false } } })),
        ("ttl", json!("never")),
        // Said, and so no matter of the policy.
        ("ttl", json!("10m")),
        ("rate", json!(0.0)),
        ("seed", json!(u64::MAX)),
    ] {
        let mut rule = json!({
            "id": "r", "site": "db.**", "enabled": true, "faults": [{ "status": 599 }],
        });
        rule[key] = value;
        rules.push(rule);
    }
    rules
}

#[test]
fn a_rule_reads_back_as_written() {
    for written in rules() {
        let rule = rule_from_value(written.clone(), None).unwrap();
        assert_eq!(rule_to_value(&rule), written);
        let again = rule_from_value(rule_to_value(&rule), None).unwrap();
        assert_eq!(again, rule);
    }
}

#[test]
fn short_forms_and_defaults_are_understood() {
    let short = json!({"id": "r", "site": "s", "faults": [{ "error": { "kind": "not_found" } }]});
    let rule = rule_from_value(short, None).unwrap();
    let long = json!({
        "id": "r", "site": "s", "enabled": true, "mode": "inject", "final": false, "match": {},
        "rate": 1, "skip": 0, "every": 1,
        "faults": [{ "error": { "kind": "not_found", "message": "entity not found" } }],
    });
    assert_eq!(rule, rule_from_value(long, None).unwrap());
}

#[test]
fn short_forms_of_faults_are_understood() {
    let fault = |fault: Value| {
        let rule = json!({ "id": "r", "site": "s", "faults": [fault] });
        rule_to_value(&rule_from_value(rule, None).unwrap())["faults"][0].clone()
    };
    for (short, long) in [
        (
            json!({ "grpc": 14 }),
            json!({ "grpc": { "code": "UNAVAILABLE", "message": "injected" } }),
        ),
        (
            json!({ "grpc": "NOT_FOUND" }),
            json!({ "grpc": { "code": "NOT_FOUND", "message": "injected" } }),
        ),
        (
            json!({ "status": { "code": 503 } }),
            json!({ "status": 503 }),
        ),
        (
            json!({ "latency": { "p50": "1s", "p99": "2s", "when": "after" } }),
            json!({ "latency": { "p50": "1s", "p99": "2s" }, "when": "after" }),
        ),
        (
            json!({ "latency": "1s", "when": "before" }),
            json!({ "latency": "1s" }),
        ),
        (
            json!({ "one_of": [{ "weight": 1, "fault": { "grpc": 8 } },
                               { "weight": 2, "fault": { "status": { "code": 503 } } }] }),
            json!({ "one_of": [
                { "fault": { "grpc": { "code": "RESOURCE_EXHAUSTED", "message": "injected" } } },
                { "weight": 2, "fault": { "status": 503 } },
            ] }),
        ),
        (
            json!({ "body": { "throttle": "1.5KiB/s" }, "on": "request" }),
            json!({ "body": { "throttle": "1536B/s", "on": "request" } }),
        ),
        (
            json!({ "body": { "throttle": "10 kB/s", "on": "response" } }),
            json!({ "body": { "throttle": "10000B/s" } }),
        ),
    ] {
        assert_eq!(fault(short), long);
    }
}

/// A generator of requests found out: JSON Schema has them for whole numbers, too.
#[test]
fn whole_numbers_may_have_a_fraction_of_zero() {
    let rule = |one: Value| {
        json!({
            "site": "s", "key": "peer", "seed": one, "skip": one, "every": one, "limit": one,
            "max_active": one, "first_attempts": { "n": one, "key": "peer" },
            "replay": { "ordinals": [one] },
            "faults": [
                { "one_of": [{ "weight": one, "fault": { "hang": "1s" } }, { "fault": { "hang": "2s" } }] },
                { "grpc": { "code": one, "after_messages": one } },
            ],
        })
    };
    let read = |value: Value| rule_from_value(value, Some("r"));
    assert_eq!(
        read(rule(json!(1.0))).unwrap(),
        read(rule(json!(1))).unwrap()
    );
    for status in [
        json!({ "status": 503.0 }),
        json!({ "status": { "code": 503.0 } }),
    ] {
        read(json!({ "site": "s", "faults": [status] })).unwrap();
    }
    for number in [json!(0.5), json!(-1.0), json!(18_446_744_073_709_551_616.0)] {
        let error = read(json!({ "site": "s", "seed": number, "faults": [{ "hang": "1s" }] }));
        let error = error.unwrap_err();
        assert_eq!(
            (error.field(), error.allowed()),
            ("seed", "a whole number from 0 to 2^64 - 1")
        );
    }
}

#[test]
fn what_the_admin_port_shows_can_be_written_back() {
    let shown = json!({
        "generation": 7,
        "rules": [{
            "id": "r", "site": "s", "enabled": true, "faults": [{ "status": 503 }],
            "stats": { "matched": 1 }, "sites": ["s"],
        }],
    });
    let rules = chaos_core::wire::rules_from_json(shown.to_string().as_bytes()).unwrap();
    let written = &shown["rules"][0];
    assert_eq!(rule_to_value(&rules[0])["site"], written["site"]);
    assert!(rule_to_value(&rules[0]).get("stats").is_none());
}

/// What a document has, the reference explains.
#[test]
fn every_field_stands_in_the_reference() {
    let pages = ["rules.md", "faults.md"].map(|page| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pages/reference/");
        std::fs::read_to_string(folder.to_owned() + page).unwrap()
    });
    let reference = pages.concat();
    // The fields that the first column names, with the row.
    let rows = reference.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<_> = rows
        .map(|row| (row.split('|').nth(1).unwrap(), row))
        .collect();
    let row_of = |field: &str| {
        let mut rows = rows.iter();
        rows.find(|(names, _)| names.contains(&format!("`{field}`")))
            .map(|(_, row)| *row)
    };
    let definitions = chaos_core::wire::schema()["$defs"].take();
    let fields = |name: &str| {
        let fields = definitions[name]["properties"].as_object().unwrap();
        fields.keys().cloned().collect::<Vec<_>>()
    };
    for field in fields("Rule") {
        let is_read = !["stats", "sites", "warnings"].contains(&&*field);
        assert!(!is_read || row_of(&field).is_some(), "{field} of a rule");
    }
    for field in fields("Fault") {
        // Options stand in the rows of their faults.
        let of = match &*field {
            "when" => "latency",
            "after" => "abort",
            "on" => "body",
            kind => kind,
        };
        let row = row_of(of).unwrap_or_else(|| panic!("{field} of a fault"));
        assert!(row.contains(&*field), "{field}: {row}");
    }
    for (document, field) in [
        ("Match", "match"),
        ("StatusFault", "status"),
        ("GrpcFault", "grpc"),
        ("ErrorFault", "error"),
        ("StreamAbort", "abort"),
        ("PauseFault", "pause"),
        ("BodyFault", "body"),
        ("HeadersFault", "headers"),
        ("BurnFault", "burn"),
        ("WeightedFault", "one_of"),
        ("LatencyCurve", "latency"),
        ("ParetoCurve", "latency"),
        ("FirstAttempts", "first_attempts"),
        ("ProgramPhase", "program"),
        ("Budget", "budget"),
        ("HoursWindow", "window"),
    ] {
        // Those of a rule and of a fault that have the same name stand in two rows.
        let rows = rows
            .iter()
            .filter(|(names, _)| names.contains(&format!("`{field}`")));
        let rows: String = rows.map(|(_, row)| *row).collect();
        for name in fields(document) {
            let is_there = [format!("\"{name}\""), format!("`{name}`")];
            let is_there = is_there.iter().any(|name| rows.contains(name));
            assert!(is_there, "{name} of {document}: {rows}");
        }
    }
}

#[test]
fn every_method_of_a_service_can_be_matched() {
    let injector = chaos_core::Injector::new();
    let rule = json!({
        "site": "grpc.server", "match": {"grpc": "greeter.v1.Greeter/*"}, "faults": [{"grpc": 14}],
    });
    injector.put(rule_from_value(rule, Some("r")).unwrap());
    let site = injector.site("grpc.server");
    let headers = http::HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    )]);
    let is_hit = |path: &str| {
        let uri = path.parse().unwrap();
        let call = chaos_core::Call::http(&http::Method::POST, &uri, &headers);
        site.decide(&call).is_some()
    };
    assert!(is_hit("/greeter.v1.Greeter/Greet") && is_hit("/greeter.v1.Greeter/Chat"));
    assert!(!is_hit("/greeter.v1.Greeters/Greet") && !is_hit("/greeter.v1/Greet"));
}

/// A number of bytes is a size, wherever a size is read.
#[test]
fn a_size_can_be_a_number() {
    let read = |fault: &Value| {
        let rule = json!({"site": "http.server", "faults": [fault]});
        rule_from_value(rule, Some("r"))
    };
    for (number, text) in [
        (
            json!({"body": {"truncate_after": 10}}),
            json!({"body": {"truncate_after": "10B"}}),
        ),
        (
            json!({"body": {"stall_after": 2048.0, "for": "1s"}}),
            json!({"body": {"stall_after": "2KiB", "for": "1s"}}),
        ),
        (
            json!({"abort": "close", "after": 0}),
            json!({"abort": "close", "after": "0B"}),
        ),
        (
            json!({"burn": {"memory": 1_048_576, "for": "1s"}}),
            json!({"burn": {"memory": "1MiB", "for": "1s"}}),
        ),
    ] {
        assert_eq!(read(&number).unwrap(), read(&text).unwrap(), "{number}");
    }
    for wrong in [json!(-1), json!(1.5), json!(true), json!([10]), json!(1e30)] {
        let error = read(&json!({"body": {"truncate_after": wrong}})).unwrap_err();
        assert_eq!(
            error.field(),
            "faults[0].body.truncate_after",
            "{wrong}: {error}"
        );
        assert!(
            error.allowed().contains("a number of bytes"),
            "{wrong}: {error}"
        );
    }
}
