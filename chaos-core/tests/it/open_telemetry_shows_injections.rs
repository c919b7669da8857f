//! What arrives in OpenTelemetry through `tracing-opentelemetry`: the attributes of the page *being
//! seen*, on the span of the call, and one span event for each injection.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{Fault, Injector, Latency, Rule, inject};
use opentelemetry::{KeyValue, Value, trace::TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{field::Empty, info_span};
use tracing_subscriber::{layer::SubscriberExt, registry};

use crate::support::listening::listening;

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

fn value(attributes: &[KeyValue], name: &str) -> Option<Value> {
    let mut named = attributes.iter().filter(|it| it.key.as_str() == name);
    named.next_back().map(|it| it.value.clone())
}

#[test]
fn attributes_of_the_span_and_an_event() {
    let injector = Injector::new();
    let latency = Latency::fixed(Duration::from_micros(1_500)).unwrap();
    let rule = Rule::new(
        "slow".parse().unwrap(),
        "db.read".parse().unwrap(),
        Fault::latency(latency),
    );
    injector.put(rule.then(Fault::error("lost")));

    let kept = Kept::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    listening(registry().with(layer), || {
        let span = info_span!(
            "request",
            chaos.site = Empty,
            chaos.rule = Empty,
            chaos.fault = Empty,
            chaos.delay_ms = Empty
        );
        let hit = span.in_scope(|| inject!(injector: &injector, "db.read"));
        assert!(hit.is_err());
        drop(span);
        info_span!("another", chaos.rule = Empty).in_scope(|| {});
    });
    provider.shutdown().unwrap();

    let spans = mem::take(&mut *kept.0.lock().unwrap());
    assert_eq!(spans.len(), 2);
    let (hit, free) = (&spans[0], &spans[1]);
    assert_eq!((&*hit.name, &*free.name), ("request", "another"));
    let expected = [
        ("site", Value::from("db.read")),
        ("rule", Value::from("slow")),
        ("fault", Value::from("latency+error")),
        ("delay_ms", Value::from(1.5)),
    ];
    let [event] = &hit.events.events[..] else {
        panic!("{:?}", hit.events);
    };
    assert_eq!(event.name, "fault injected");
    assert_eq!(value(&event.attributes, "target"), Some("chaos".into()));
    for (name, expected) in expected {
        let of_span = value(&hit.attributes, &format!("chaos.{name}"));
        assert_eq!(of_span.as_ref(), Some(&expected));
        assert_eq!(value(&event.attributes, name), Some(expected));
    }
    assert_eq!(value(&free.attributes, "chaos.rule"), None);
    assert!(free.events.events.is_empty());
}
