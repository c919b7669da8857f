//! `print` of the short form: an event of `tracing`, and nothing else.

use std::sync::{Arc, Mutex};

use chaos_core::{Injector, inject, wire};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

use crate::support::listening::listening;

#[derive(Clone)]
struct Lines {
    told: Arc<Mutex<Vec<String>>>,
    injector: Injector,
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(String);

        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }

        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.told.lock().unwrap().push(fields.0);
        // A subscriber that passes the same site is not printed without end.
        inject!(injector: &self.injector, "short.print").unwrap();
    }
}

#[test]
fn a_print_is_an_event_and_nothing_else() {
    let injector = Injector::new();
    let rules = wire::rules_from_short("short.print=print(here we are)").unwrap();
    injector.check(&rules).unwrap();
    injector.replace(rules).unwrap();
    let lines = Lines {
        told: Arc::default(),
        injector: injector.clone(),
    };
    listening(registry().with(lines.clone()), || {
        inject!(injector: &injector, "short.print").unwrap();
    });
    let lines = lines.told.lock().unwrap();
    assert_eq!(
        lines.len(),
        2,
        "the injection and what it prints: {lines:?}"
    );
    assert!(
        lines[1].contains("here we are") && lines[1].contains("short.print"),
        "{lines:?}"
    );
}
