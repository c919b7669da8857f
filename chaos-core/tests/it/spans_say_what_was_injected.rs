//! An injection is recorded on the span that its call is in, if that was declared with the fields.

use std::sync::{Arc, Mutex};

use chaos_core::{Call, Fault, Injector, Latency, Rule, Site};
use tracing::{
    Span,
    field::{Empty, Field, Visit},
    info_span,
    span::{Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

use crate::support::listening::listening;

/// The fields that were recorded after their span had begun, and a site that is passed meanwhile.
#[derive(Clone, Default)]
struct Recorded {
    fields: Arc<Mutex<Vec<String>>>,
    passes: Option<&'static Site>,
}

impl<S: tracing::Subscriber> Layer<S> for Recorded {
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(site) = self.passes {
            assert!(site.decide(&Call::new()).is_none(), "it is not hit");
        }
        values.record(&mut Fields(&mut self.fields.lock().unwrap()));
    }
}

struct Fields<'a>(&'a mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(format!("{}={value:?}", field.name()));
    }
}

fn slow(injector: &Injector, id: &str) {
    let latency = Latency::fixed(std::time::Duration::from_micros(1_500)).unwrap();
    let rule = Rule::new(
        id.parse().unwrap(),
        "db.*".parse().unwrap(),
        Fault::latency(latency),
    );
    injector.put(rule);
}

/// What one call at `site` in the span records.
fn recorded(span: fn() -> Span, site: &'static Site, recorded: &Recorded) -> Vec<String> {
    listening(registry().with(recorded.clone()), || {
        let span = span();
        let _in = span.enter();
        let mut decision = site.decide(&Call::new()).unwrap();
        while decision.next_plan().is_some() {}
    });
    std::mem::take(&mut *recorded.fields.lock().unwrap())
}

const ALL: fn() -> Span = || {
    info_span!(
        "all",
        chaos.site = Empty,
        chaos.rule = Empty,
        chaos.fault = Empty,
        chaos.delay_ms = Empty
    )
};

#[test]
fn the_fields_that_a_span_declares() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    slow(&injector, "slow");
    let of = |span| recorded(span, site, &Recorded::default());
    let all = [
        "chaos.site=\"db.read\"",
        "chaos.rule=\"slow\"",
        "chaos.fault=\"latency\"",
        "chaos.delay_ms=1.5",
    ];
    assert_eq!(of(ALL), all);
    let one = || info_span!("one", other = 1, chaos.rule = Empty);
    assert_eq!(of(one), ["chaos.rule=\"slow\""]);
    assert!(of(|| info_span!("none", other = 1)).is_empty());
    assert!(of(Span::none).is_empty());
    // The innermost span is meant, and no other.
    let within = || {
        let outer = ALL().entered();
        let inner = info_span!("inner");
        drop(outer);
        inner
    };
    assert!(of(within).is_empty());
}

#[test]
fn each_injection_in_turn() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    slow(&injector, "first");
    slow(&injector, "second");
    let seen = recorded(ALL, site, &Recorded::default());
    assert_eq!(seen[1], "chaos.rule=\"first\"");
    assert_eq!(seen[5], "chaos.rule=\"second\"");
    assert_eq!(seen.len(), 8);
}

#[test]
fn a_subscriber_that_passes_a_site_is_not_hit() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    slow(&injector, "slow");
    let passing = Recorded {
        passes: Some(site),
        ..Recorded::default()
    };
    assert_eq!(recorded(ALL, site, &passing).len(), 4);
    assert_eq!(injector.status().injected, 1);
}
