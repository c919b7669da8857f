//! A delay of no time is no wait: tokio's timer would make a millisecond of it.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use chaos_core::{Injector, inject_async, wire::rule_from_value};
use serde_json::{Value, json};

/// Whether a call is served at the first poll, with one injection counted.
async fn is_ready_at_once(mut rule: Value) -> bool {
    rule["site"] = json!("no.time");
    let injector = Injector::new();
    injector.put(rule_from_value(rule.clone(), Some("r")).unwrap());
    let pass = async { inject_async!(injector: &injector, "no.time").await };
    let mut pass = pin!(pass);
    let polled = pass.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let counts = injector.counts("r").unwrap();
    assert_eq!(counts.injected, 1, "{rule}");
    match polled {
        Poll::Ready(result) => {
            result.unwrap();
            assert_eq!(injector.counts("r").unwrap().active, 0, "{rule}");
            true
        }
        Poll::Pending => {
            pass.await.unwrap();
            false
        }
    }
}

#[tokio::test]
async fn no_delay_is_ready_at_once() {
    for fault in [
        json!({"latency": "0ms"}),
        json!({"latency": "0s..0s"}),
        json!({"latency": {"at_least": "0ms"}}),
        json!({"latency": "0ms", "when": "after"}),
        json!({"pause": {"max": "0s"}}),
        json!({"hang": "0s"}),
        json!({"block": "0ms"}),
    ] {
        let rule = json!({"faults": [fault]});
        assert!(is_ready_at_once(rule.clone()).await, "{rule}");
    }
}

#[tokio::test]
async fn nor_is_one_that_is_scaled_to_nothing() {
    let rule = json!({"program": [{"scale": 0}], "faults": [{"latency": "10s"}]});
    assert!(is_ready_at_once(rule).await);
}

#[tokio::test]
async fn a_millisecond_is_waited_for() {
    assert!(!is_ready_at_once(json!({"faults": [{"latency": "1ms"}]})).await);
}
