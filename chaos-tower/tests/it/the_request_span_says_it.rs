//! tower-http's `TraceLayer` makes the span of a request; what is injected is recorded there.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, extract::Request, routing::get};
use chaos_core::{Injector, inject_async, wire};
use chaos_tower::InjectLayer;
use serde_json::json;
use tower::ServiceExt;
use tower_http::trace::TraceLayer;
use tracing::{
    Dispatch,
    field::{Empty, Field, Visit},
    info_span,
    span::{Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
    registry::LookupSpan,
};

/// Each field that was recorded after its span had begun: the span's name, the field's, and its value.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Recorded {
    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap().name();
        values.record(&mut Fields(span, &mut self.0.lock().unwrap()));
    }
}

struct Fields<'a>(&'static str, &'a mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.1
            .push(format!("{} {}={value:?}", self.0, field.name()));
    }
}

#[tokio::test]
async fn at_the_layer_and_within() {
    let injector = Injector::new();
    let within = injector.clone();
    let read = async move || -> Result<&str, String> {
        let hit = inject_async!(injector: &within, "db.read").await;
        hit.map(|()| "served").map_err(|error| error.to_string())
    };
    let app = Router::new()
        .route("/{id}", get(read))
        .layer(InjectLayer::with_injector("http.server", &injector))
        .layer(
            TraceLayer::new_for_http().make_span_with(|request: &Request| {
                info_span!(
                    "request",
                    path = request.uri().path(),
                    chaos.site = Empty,
                    chaos.rule = Empty,
                    chaos.fault = Empty,
                    chaos.delay_ms = Empty,
                )
            }),
        );
    for (id, rule) in [
        (
            "slow",
            json!({ "site": "http.server", "match": { "path": "/1" }, "faults": [{ "latency": "2ms" }] }),
        ),
        (
            "lost",
            json!({ "site": "db.read", "match": {}, "faults": [{ "error": "lost" }] }),
        ),
    ] {
        injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
    }
    let recorded = Recorded::default();
    // While it knows of one subscriber alone, tracing asks the thread that comes to a span first whether
    // anyone listens, and remembers that for all of them.
    let _second = Dispatch::new(registry());
    let _here = tracing::subscriber::set_default(registry().with(recorded.clone()));
    for (path, expected) in [
        (
            "/1",
            &["http.server slow latency 2.0", "db.read lost error 0.0"][..],
        ),
        ("/2", &["db.read lost error 0.0"]),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
        let seen = std::mem::take(&mut *recorded.0.lock().unwrap());
        let expected = expected.iter().flat_map(|line| {
            let names = ["site", "rule", "fault", "delay_ms"];
            let values = line.split(' ').zip(names);
            values.map(|(value, name)| match name {
                "delay_ms" => format!("request chaos.{name}={value}"),
                _ => format!("request chaos.{name}={value:?}"),
            })
        });
        assert_eq!(seen, expected.collect::<Vec<_>>(), "{path}");
    }
}
