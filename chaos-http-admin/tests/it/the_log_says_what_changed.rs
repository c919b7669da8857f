//! The log tells of each halt and resume that did something, once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::Clock;
use serde_json::json;
use tracing::{Dispatch, Event, Subscriber, field::Visit};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

use crate::support::port::Port;

#[tokio::test]
async fn what_changed_nothing_is_not_logged() {
    // While it knows of one subscriber alone, tracing asks the thread that comes to an event first whether
    // anyone listens, and remembers that for all of them.
    let _second = Dispatch::new(registry());
    let log = Messages::default();
    let _logging = tracing::subscriber::set_default(registry().with(log.clone()));
    let port = Port::new();
    for path in [
        "/v1/resume",
        "/v1/halt",
        "/v1/halt",
        "/v1/resume",
        "/v1/resume",
    ] {
        let reason = json!({ "reason": "drill" });
        port.write("POST", path, reason).await.expect(200);
    }
    // Another thread emits them.
    let clock = Clock::monotonic();
    while log.0.lock().unwrap().len() < 3 {
        assert!(clock.now() < Duration::from_secs(20), "{:?}", log.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        *log.0.lock().unwrap(),
        ["halted", "halted again", "resumed"]
    );
}

/// The messages that were logged by the admin port.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "chaos" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Messages {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}
