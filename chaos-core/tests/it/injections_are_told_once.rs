//! One event per injection, to tracing and to every observer, when it begins.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use chaos_core::{Call, Fault, Injection, Injector, Latency, LazyFacts, Plan, Rule, Trigger};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

use crate::support::listening::listening;

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "chaos" {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

#[test]
fn one_event_and_one_call_of_each_observer_per_injection() {
    let injector = Injector::new();
    let site = injector.site("told");
    let millis = std::time::Duration::from_millis;
    let fault = Fault::latency(Latency::fixed(millis(250)).unwrap());
    let rule = Rule::new("slow".parse().unwrap(), "told".parse().unwrap(), fault);
    injector.put(rule.then(Fault::error("and then it fails")));

    let (events, told) = (Events::default(), Arc::new(Mutex::new(Vec::new())));
    for _ in 0..2 {
        let told = Arc::clone(&told);
        injector.observe(move |injection: &Injection| told.lock().unwrap().push(injection.clone()));
    }
    listening(registry().with(events.clone()), || {
        let mut decision = site.decide(&Call::new()).unwrap();
        assert!(
            told.lock().unwrap().is_empty(),
            "decided is not yet injected"
        );
        while decision.next_plan().is_some() {}
    });
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2, "each of two observers, once");
    assert_eq!((told[0].site, told[0].rule.as_str()), ("told", "slow"));
    assert_eq!(
        (&*told[0].fault, told[0].delay),
        ("latency+error", millis(250))
    );
    let events = events.0.lock().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    for field in [
        "site=\"told\"",
        "rule=\"slow\"",
        "fault=\"latency+error\"",
        "delay_ms=250.0",
    ] {
        assert!(events[0].contains(field), "{field} in {}", events[0]);
    }
}

#[tokio::test]
async fn a_blocking_delay_in_a_task_is_warned_about_once() {
    let injector = Injector::new();
    let fault = Fault::latency(Latency::fixed(std::time::Duration::from_nanos(1)).unwrap());
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "told.block".parse().unwrap(),
        fault,
    ));
    let events = Events::default();
    let pass = || chaos_core::inject!(injector: injector, "told.block").unwrap();
    let warnings = || {
        let events = events.0.lock().unwrap();
        events
            .iter()
            .filter(|event| event.contains("may block a thread"))
            .count()
    };
    let subscriber = Arc::new(registry().with(events.clone()));
    let outside = std::thread::scope(|scope| {
        let subscriber = Arc::clone(&subscriber);
        scope.spawn(move || listening(subscriber, pass)).join()
    });
    outside.unwrap();
    assert_eq!(warnings(), 0, "a thread of no runtime may block");
    listening(subscriber, || {
        pass();
        pass();
    });
    assert_eq!(warnings(), 1);
}

/// An audit log behind a site, and a rule that aims everywhere: it must not be told of itself.
#[test]
fn what_an_observer_does_is_never_hit() {
    let injector = Injector::new();
    let site = injector.site("told.again");
    let (told, again) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let (count, hits) = (Arc::clone(&told), Arc::clone(&again));
    injector.observe(move |_| {
        *count.lock().unwrap() += 1;
        let hit = site.decide(&Call::new()).is_some();
        *hits.lock().unwrap() += u32::from(hit);
    });
    let fault = Fault::error("everywhere");
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "**".parse().unwrap(),
        fault,
    ));
    for _ in 0..3 {
        assert!(site.decide(&Call::new()).unwrap().next_plan().is_some());
    }
    assert_eq!((*told.lock().unwrap(), *again.lock().unwrap()), (3, 0));
    assert_eq!(injector.counts("r").unwrap().injected, 3);
}

/// As one from another thread may: what was counted is seen by whoever called, whatever comes between.
#[test]
fn a_halt_right_after_the_count_comes_too_late_for_that_one() {
    let injector = Arc::new(Injector::new());
    let site = injector.site("told.halt");
    let weak = Arc::downgrade(&injector);
    injector.observe(move |_| {
        let halted = weak
            .upgrade()
            .map(|injector| injector.halt("one is too many"));
        assert_eq!(halted, Some(true));
    });
    let fault = Fault::error("x");
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "told.halt".parse().unwrap(),
        fault,
    ));
    let mut decision = site.decide(&Call::new()).unwrap();
    assert!(matches!(decision.next_plan(), Some(Plan::Fail(_))));
    assert!(decision.next_plan().is_none());
    assert_eq!(injector.counts("r").unwrap().injected, 1);
    assert!(site.decide(&Call::new()).is_none());
}

/// The levels of the events of one thread.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<tracing::Level>>>);

impl<S: tracing::Subscriber> Layer<S> for Levels {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "chaos" {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }
}

/// At 650 injections a second, a log of level INFO grew by 22 MB in four minutes.
#[test]
fn a_log_of_the_usual_level_has_ten_injections_a_second() {
    let clock = chaos_core::testing::ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("paced");
    let fault = Fault::error("x");
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "paced".parse().unwrap(),
        fault,
    ));
    let levels = Levels::default();
    listening(registry().with(levels.clone()), || {
        for _ in 0..3 {
            clock.advance(std::time::Duration::from_secs(1));
            for _ in 0..100 {
                let mut decision = site.decide(&Call::new()).unwrap();
                while decision.next_plan().is_some() {}
            }
        }
    });
    let levels = levels.0.lock().unwrap();
    let of = |level| levels.iter().filter(|it| **it == level).count();
    assert_eq!(
        (of(tracing::Level::INFO), of(tracing::Level::DEBUG)),
        (30, 270)
    );
    assert_eq!(injector.counts("r").unwrap().injected, 300);
}

/// What an operator at night asks: which call was hit?
#[test]
fn an_injection_says_which_call_was_hit() {
    let injector = Injector::new();
    let site = injector.site("told.call");
    let lost = Rule::new(
        "lost".parse().unwrap(),
        "told.call".parse().unwrap(),
        Fault::error("lost"),
    );
    injector.put(lost);
    let told = Arc::new(Mutex::new(Vec::new()));
    injector.observe({
        let told = Arc::clone(&told);
        move |injection: &Injection| told.lock().unwrap().push(injection.clone())
    });
    let uri = "http://shop/orders/42?secret=1".parse().unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap();
    let headers = http::HeaderMap::from_iter([("traceparent".parse().unwrap(), parent)]);
    let long = "é".repeat(300);
    let labels = [("table", "orders".into()), ("note", long.as_str().into())];
    let events = Events::default();
    listening(registry().with(events.clone()), || {
        let request = Call::http(&http::Method::PUT, &uri, &headers).labels(&labels);
        for call in [request, Call::new()] {
            let mut decision = site.decide(&call).unwrap();
            while decision.next_plan().is_some() {}
        }
    });
    let told = told.lock().unwrap();
    let call = &told[0].call;
    assert_eq!(call.method, Some(http::Method::PUT));
    assert_eq!(
        (call.path.as_deref(), call.route.as_deref()),
        (Some("/orders/42"), None)
    );
    assert_eq!(call.trace_id.as_deref(), Some(trace));
    assert_eq!(call.labels[0], ("table", "orders".into()));
    assert_eq!(call.labels[1].1.len(), 256, "texts are bounded");
    assert_eq!(*told[1].call, chaos_core::HitCall::default());
    let events = events.0.lock().unwrap();
    let expected = format!(
        "method=\"PUT\" path=\"/orders/42\" trace_id=\"{trace}\" labels=\"table=orders note=éé"
    );
    assert!(events[0].contains(&expected), "{}", events[0]);
    assert!(
        !events[1].contains("method") && !events[1].contains("labels"),
        "{}",
        events[1]
    );
}

/// What the rule's limits allow was once taken for good.
#[test]
fn a_panic_while_a_call_is_copied_gives_back_what_was_taken() {
    struct Panics;

    impl LazyFacts for Panics {
        fn route(&self) -> Option<&str> {
            panic!("it has no route");
        }
    }

    let injector = Injector::new();
    let site = injector.site("told.panics");
    let rule = Rule::new(
        "once".parse().unwrap(),
        "told.panics".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule.trigger(Trigger::new().limit(1.try_into().unwrap())));
    injector.observe(|_| {});
    let (method, uri, headers) = Default::default();
    let call = Call::http(&method, &uri, &headers);
    let panics = call.lazy_facts(&Panics);
    let decided = catch_unwind(AssertUnwindSafe(|| site.decide(&panics).is_some()));
    assert!(decided.is_err());
    assert_eq!(injector.counts("once").unwrap().active, 0);
    assert!(site.decide(&call).is_some(), "the only injection is left");
}
