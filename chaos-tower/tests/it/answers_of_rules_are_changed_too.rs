//! What rules do to a response, they do to whatever response the call gets, one that a rule makes included:
//! in any order, across rules and within one. What has nothing to act on is not counted.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use chaos_core::{Clock, Injector, wire};
use chaos_tower::{FAULT_HEADER, InjectLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    app::TEXT, ask::Ask, axum_server, heard::End, hyper_server, peer::Protocol, server::Server,
};

const SITE: &str = "s";

/// What a caller got, and when.
struct Got {
    /// `None`: an error.
    head: Option<Response<()>>,
    head_after: Duration,
    body: Vec<u8>,
    is_whole: bool,
    body_after: Duration,
}

fn put(injector: &Injector, rules: &[(&str, Value)]) {
    for (id, rule) in rules {
        let mut rule = rule.clone();
        rule["site"] = SITE.into();
        injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
    }
}

async fn call(injector: &Injector) -> Got {
    let layer = InjectLayer::with_injector(SITE, injector);
    let served = service_fn(async |_| {
        let body = Full::new(Bytes::from_static(b"served"));
        Ok::<_, Infallible>(Response::new(body))
    });
    let service = layer.boxed_errors().wrapped_bodies().layer(served);
    let clock = Clock::monotonic();
    let request = Request::new(Full::new(Bytes::new()));
    let result = service.oneshot(request).await;
    let head_after = clock.now();
    let (mut body, mut is_whole, mut head) = (Vec::new(), false, None);
    if let Ok(response) = result {
        let (parts, mut frames) = response.into_parts();
        head = Some(Response::from_parts(parts, ()));
        is_whole = loop {
            match frames.frame().await {
                None => break true,
                Some(Ok(frame)) => body.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(_)) => break false,
            }
        };
    }
    Got {
        head,
        head_after,
        body,
        is_whole,
        body_after: clock.now(),
    }
}

fn injected(injector: &Injector, rule: &str) -> u64 {
    let counts = injector.counts(rule).unwrap();
    assert_eq!(counts.active, 0, "{rule}");
    counts.injected
}

/// Calls once with the two faults in rules of their own, in both orders, and within one rule.
async fn each_way(made: Value, changed: Value, check: impl AsyncFn(&str, Got)) {
    for is_first in [true, false] {
        let mut rules = [
            ("made", json!({"faults": [made]})),
            ("changed", json!({"faults": [changed]})),
        ];
        let mut faults = json!([made, changed]);
        if !is_first {
            rules.reverse();
            faults.as_array_mut().unwrap().reverse();
        }
        let injector = Injector::new();
        put(&injector, &rules);
        check(&format!("{rules:?}"), call(&injector).await).await;
        for rule in ["made", "changed"] {
            assert_eq!(injected(&injector, rule), 1, "{rule} of {rules:?}");
        }
        let injector = Injector::new();
        put(&injector, &[("both", json!({"faults": faults}))]);
        check(&faults.to_string(), call(&injector).await).await;
        assert_eq!(injected(&injector, "both"), 1, "{faults}");
    }
}

const PAD: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_rule_is_as_slow_as_one_of_the_service() {
    for made in [json!({"status": 503}), json!({"grpc": 14})] {
        for pad in [
            json!({"latency": "500ms", "when": "after"}),
            json!({"latency": {"at_least": "500ms"}}),
        ] {
            each_way(made.clone(), pad, async |case, got| {
                assert_eq!(got.head.unwrap().status(), 503, "{case}");
                assert!((PAD..2 * PAD).contains(&got.head_after), "{case}");
            })
            .await;
        }
    }
}

/// Whatever comes in place of an answer: an error, a cut.
#[tokio::test(start_paused = true)]
async fn a_failure_is_as_slow_as_an_answer() {
    for made in [json!({"error": "gone"}), json!({"abort": "close"})] {
        let pad = json!({"latency": {"at_least": "500ms"}});
        each_way(made, pad, async |case, got| {
            assert!(got.head.is_none(), "{case}");
            assert!((PAD..2 * PAD).contains(&got.head_after), "{case}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_rule_gets_the_headers_of_another() {
    let edit = json!({"headers": {"set": {"retry-after": "7"}, "remove": ["content-type"]}});
    each_way(json!({"status": 503}), edit, async |case, got| {
        let head = got.head.unwrap();
        assert_eq!(head.status(), 503, "{case}");
        assert_eq!(head.headers()["retry-after"], "7", "{case}");
        assert!(!head.headers().contains_key("content-type"), "{case}");
        let marks = head.headers().get_all(FAULT_HEADER).iter();
        assert_eq!(marks.count(), 2, "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_body_of_an_answer_of_a_rule_is_damaged_as_any_other() {
    let made = json!({"status": {"code": 503, "body": "x".repeat(3000)}});
    let throttle = json!({"body": {"throttle": "1kB/s"}});
    each_way(made.clone(), throttle, async |case, got| {
        assert_eq!((got.body.len(), got.is_whole), (3000, true), "{case}");
        assert!(got.head_after < PAD && got.body_after > 4 * PAD, "{case}");
    })
    .await;
    let truncate = json!({"body": {"truncate_after": "5B"}});
    each_way(made.clone(), truncate, async |case, got| {
        assert_eq!((got.body.len(), got.is_whole), (5, false), "{case}");
    })
    .await;
    let cut = json!({"abort": "close", "after": "5B"});
    each_way(made, cut, async |case, got| {
        assert_eq!((got.body.len(), got.is_whole), (5, false), "{case}");
        assert_eq!(got.head.unwrap().status(), 503, "{case}");
    })
    .await;
}

/// Only what acts on the response comes after the end.
#[tokio::test(start_paused = true)]
async fn what_comes_before_the_service_does_not_follow_an_answer() {
    let injector = Injector::new();
    put(
        &injector,
        &[
            ("fail", json!({"faults": [{"status": 503}]})),
            ("slow", json!({"faults": [{"latency": "500ms"}]})),
            ("again", json!({"faults": [{"status": 404}]})),
            (
                "half",
                json!({"faults": [{"latency": "500ms"}, {"headers": {"set": {"x-a": "1"}}}]}),
            ),
        ],
    );
    let got = call(&injector).await;
    let head = got.head.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["x-a"]),
        (503, &"1".parse().unwrap())
    );
    assert!(got.head_after < PAD);
    let counts = ["fail", "slow", "again", "half"].map(|rule| injected(&injector, rule));
    assert_eq!(counts, [1, 0, 0, 1]);
}

/// A rule that is final is the last one, on the way back too.
#[tokio::test(start_paused = true)]
async fn nothing_follows_a_rule_that_is_final() {
    let injector = Injector::new();
    put(
        &injector,
        &[
            ("fail", json!({"faults": [{"status": 503}], "final": true})),
            (
                "pad",
                json!({"faults": [{"latency": {"at_least": "500ms"}}]}),
            ),
        ],
    );
    assert!(call(&injector).await.head_after < PAD);
    assert_eq!(injected(&injector, "pad"), 0);
}

/// Neither a limit, nor a budget, nor the sum of the delays that observers are told of.
#[tokio::test(start_paused = true)]
async fn what_has_not_begun_spends_nothing() {
    let injector = Injector::new();
    let delay = std::sync::Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let sum = delay.clone();
    injector.observe(move |injection| *sum.lock().unwrap() += injection.delay);
    let pad = json!({
        "faults": [{"latency": "500ms", "when": "after"}],
        "limit": 1,
        "budget": {"delay": "500ms"},
    });
    put(
        &injector,
        &[("hold", json!({"faults": [{"hang": "1h"}]})), ("pad", pad)],
    );
    // The caller leaves before there is an answer.
    let left = timeout(PAD, call(&injector)).await;
    assert!(left.is_err());
    assert_eq!(
        (injected(&injector, "hold"), injected(&injector, "pad")),
        (1, 0)
    );
    injector.remove(&"hold".parse().unwrap());
    let got = call(&injector).await;
    assert!(got.head_after >= PAD && got.body == b"served");
    assert_eq!(injected(&injector, "pad"), 1);
    assert_eq!(*delay.lock().unwrap(), PAD);
    let got = call(&injector).await;
    assert!(got.head_after < PAD, "the limit is reached");
}

/// A pad that a call has outlasted adds nothing.
#[tokio::test(start_paused = true)]
async fn a_pad_of_a_longer_call_is_not_counted() {
    let injector = Injector::new();
    put(
        &injector,
        &[
            (
                "pad",
                json!({"faults": [{"latency": {"at_least": "100ms"}}]}),
            ),
            ("slow", json!({"faults": [{"latency": "500ms"}]})),
        ],
    );
    let got = call(&injector).await;
    assert!((PAD..PAD + PAD / 5).contains(&got.head_after));
    let counts = ["pad", "slow"].map(|rule| injected(&injector, rule));
    assert_eq!(counts, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_error_has_no_headers_to_change() {
    let injector = Injector::new();
    put(
        &injector,
        &[
            (
                "edit",
                json!({"faults": [{"headers": {"set": {"x-a": "1"}}}]}),
            ),
            (
                "cut",
                json!({"faults": [{"body": {"truncate_after": "1B"}}]}),
            ),
            ("fail", json!({"faults": [{"error": "gone"}]})),
        ],
    );
    assert!(call(&injector).await.head.is_none());
    let counts = ["edit", "cut", "fail"].map(|rule| injected(&injector, rule));
    assert_eq!(counts, [0, 0, 1]);
}

async fn answers_slowly(server: &Server) {
    for protocol in Protocol::BOTH {
        let unavailable = json!({"status": {"code": 503, "body": "0123456789".repeat(40)}});
        server.aim(json!([
            {"headers": {"set": {"retry-after": "1"}}},
            unavailable,
            {"latency": "300ms", "when": "after"},
            {"body": {"throttle": "1kB/s"}},
        ]));
        let heard = server.ask(protocol, &Ask::get("/")).await;
        assert_eq!((heard.end, heard.status()), (End::Whole, 503));
        assert_eq!(heard.header("retry-after"), "1");
        assert_eq!(heard.body().len(), 400);
        assert!(heard.head().at - heard.asked_at >= Duration::from_millis(300));
        let body_took = heard.ended_at - heard.head().at;
        assert!(body_took >= Duration::from_millis(250), "{body_took:?}");
        assert_eq!(server.calls.count(), protocol.either(0, 1));
        server.until_active(0).await;
        server.aim(json!([{"abort": "close", "after": "5B"}, {"status": 503}]));
        let heard = server.ask(protocol, &Ask::get("/")).await;
        assert_eq!((heard.status(), heard.body().len()), (503, 5));
        assert_ne!(heard.end, End::Whole);
        server.injector.clear();
        server.ask(protocol, &Ask::get("/")).await.is_served(TEXT);
    }
}

#[tokio::test]
async fn peers_of_axum_see_it() {
    answers_slowly(&axum_server::start().await).await;
}

#[tokio::test]
async fn peers_of_hyper_see_it() {
    answers_slowly(&hyper_server::start().await).await;
}
