//! The log tells of each halt and resume that did something, once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::Clock;
use serde_json::json;
use tracing::{Dispatch, Event, Metadata, Subscriber, field::Visit, span};

use crate::support::port::Port;

#[tokio::test]
async fn what_changed_nothing_is_not_logged() {
    // While it knows of one subscriber alone, tracing asks the thread that comes to an event first whether
    // anyone listens, and remembers that for all of them.
    let _second = Dispatch::new(Log::default());
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
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
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "chaos"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}
