//! Every kind of fault, at every kind of site, against every measure of a guard rail: what trips it, what
//! never can, and why. Each rail trips twice, with an acknowledgement between, and a rail whose bound is kept
//! does not trip.

mod stacks;

use std::{thread, time::Duration};

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use self::stacks::{Place, Stack};

/// What a guard rail measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Errors,
    Latency,
    LatencyToEnd,
}

const MEASURES: [Measure; 3] = [Measure::Errors, Measure::Latency, Measure::LatencyToEnd];

impl Measure {
    /// A guard rail of this measure, whose bound is low, or so high that nothing breaks it.
    fn rail(self, is_low: bool) -> Value {
        let mut rail = json!({"site": "http.server", "window": "10s", "at_least": 5});
        match (self, is_low) {
            (Self::Errors, true) => rail["error_ratio"] = json!(0.5),
            (Self::Errors, false) => rail["error_ratio"] = json!(1.0),
            (Self::Latency, true) => rail["latency"] = json!({"p50": "30ms"}),
            (Self::Latency, false) => rail["latency"] = json!({"p50": "1h"}),
            (Self::LatencyToEnd, true) => rail["latency_to_end"] = json!({"p50": "30ms"}),
            (Self::LatencyToEnd, false) => rail["latency_to_end"] = json!({"p50": "1h"}),
        }
        rail
    }
}

/// What the fault does to the measures of a layer, as far as that does not depend on the site.
struct Row {
    name: &'static str,
    fault: Value,
    /// For each measure: `None` if the rail trips, or the reason why it never can.
    never: [Option<&'static str>; 3],
}

const QUICK: &str = "the call is as quick as without the fault, or quicker";
const SERVED: &str = "the call is served";
const HEAD: &str = "this latency ends with the head of the response";
const WHOLE: &str = "a body that is whole is no failure";
const OTHER_THREADS: &str = "other threads burn, and the call is served";
const AT_CONNECTION: &str =
    "the layer does not see what happens to a connection before and after the call";
const NO_RESPONSE: &str = "a site in code has no response, so the fault does not happen";

fn rows() -> Vec<Row> {
    let row = |name, fault, errors: Option<&'static str>, latency: Option<&'static str>| Row {
        name,
        fault,
        // A call whose head is late ends late.
        never: [errors, latency, latency],
    };
    let of_body = |name, fault, errors: Option<&'static str>, to_end: Option<&'static str>| Row {
        name,
        fault,
        never: [errors, Some(HEAD), to_end],
    };
    let body = |body: Value| json!({"body": body});
    let fails = |name, fault| row(name, fault, None, Some(QUICK));
    let slow = |name, fault| row(name, fault, Some(SERVED), None);
    let later = |name, fault| of_body(name, fault, Some(WHOLE), None);
    let breaks_off = |name, fault| of_body(name, fault, None, Some(QUICK));
    let option = |code: u16| json!({"weight": 1, "fault": {"status": code}});
    vec![
        slow("latency, before", json!({"latency": "50ms"})),
        slow(
            "latency, after",
            json!({"latency": "50ms", "when": "after"}),
        ),
        slow("latency, padded", json!({"latency": {"at_least": "50ms"}})),
        fails("status", json!({"status": 503})),
        fails("grpc", json!({"grpc": "UNAVAILABLE"})),
        breaks_off(
            "grpc, after messages",
            json!({"grpc": {"code": 14, "after_messages": 1}}),
        ),
        fails("error", json!({"error": "odd"})),
        fails("value", json!({"value": 42})),
        fails("abort: close", json!({"abort": "close"})),
        fails("abort: reset", json!({"abort": "reset"})),
        fails("abort: refuse", json!({"abort": "refuse"})),
        fails("abort: h2", json!({"abort": {"h2": "cancel"}})),
        breaks_off(
            "abort: close, after bytes",
            json!({"abort": "close", "after": "1B"}),
        ),
        fails(
            "abort: close, after bytes of the request",
            json!({"abort": "close", "after": "1B", "on": "request"}),
        ),
        row(
            "abort: goaway",
            json!({"abort": "goaway"}),
            Some(SERVED),
            Some(QUICK),
        ),
        fails("abort: panic", json!({"abort": "panic"})),
        // Nobody gets an answer in half of the window, which counts as a failure.
        row("hang", json!({"hang": "1h"}), None, None),
        row("pause", json!({"pause": {"max": "1h"}}), None, None),
        slow("pause, released", json!({"pause": {"max": "50ms"}})),
        slow("block", json!({"block": "40ms"})),
        later("body: throttle", body(json!({"throttle": "100B/s"}))),
        breaks_off("body: truncate", body(json!({"truncate_after": "1B"}))),
        later(
            "body: stall",
            body(json!({"stall_after": "1B", "for": "50ms"})),
        ),
        of_body(
            "body: corrupt",
            body(json!({"corrupt": 1.0})),
            Some(WHOLE),
            Some(QUICK),
        ),
        later("body: first byte", body(json!({"first_byte": "50ms"}))),
        later("body: chunk", body(json!({"chunk": "50ms"}))),
        row(
            "body of the request: first byte",
            json!({"body": {"first_byte": "50ms"}, "on": "request"}),
            Some(SERVED),
            None,
        ),
        row(
            "headers",
            json!({"headers": {"set": {"x": "y"}}}),
            Some(SERVED),
            Some(QUICK),
        ),
        row(
            "burn",
            json!({"burn": {"memory": "64KiB", "for": "1ms"}}),
            Some(OTHER_THREADS),
            Some(OTHER_THREADS),
        ),
        fails("custom", json!({"custom": {"name": "down"}})),
        fails("one_of", json!({"one_of": [option(503), option(500)]})),
    ]
}

/// Why the rail can never trip; `None` if it trips.
fn never(row: &Row, place: Place, measure: Measure) -> Option<&'static str> {
    let is_http = matches!(place, Place::Axum | Place::Hyper | Place::Client);
    let at_once = match row.name {
        // There are no messages or bytes to count.
        "abort: close, after bytes" | "abort: goaway" => place == Place::Code,
        "grpc, after messages" => place == Place::Code || is_http,
        _ => false,
    };
    if at_once {
        return (measure != Measure::Errors).then_some(QUICK);
    }
    match (place, row.name) {
        (Place::Connection, _) => Some(AT_CONNECTION),
        (Place::Code, name) if name.starts_with("body") || name == "headers" => Some(NO_RESPONSE),
        _ => row.never[measure as usize],
    }
}

/// Runs without a clock that anyone waits for, unless the fault holds its thread.
fn runtime(row: &Row) -> Runtime {
    let mut builder = Builder::new_current_thread();
    let holds_thread = row.name == "block";
    builder.enable_all().start_paused(!holds_thread);
    builder.build().expect("a runtime")
}

/// Returns whether the rail trips: the first time, and once more after an acknowledgement.
async fn trips(stack: &Stack, row: &Row, rail: Value) -> [bool; 2] {
    stack.aim(&row.fault, rail);
    let first = stack.trips().await;
    stack.injector.acknowledge();
    // Nothing to resume where nothing has tripped.
    stack.injector.resume();
    [first, stack.trips().await]
}

/// Returns what is wrong with a fault at one kind of site.
fn wrong(row: &Row, place: Place) -> Vec<String> {
    let mut wrong = Vec::new();
    for measure in MEASURES {
        let expected = never(row, place, measure);
        for is_low in [true, false] {
            let rail = measure.rail(is_low);
            let seen = runtime(row).block_on(async {
                let stack = Stack::new(place);
                tokio::time::timeout(Duration::from_secs(3600), trips(&stack, row, rail)).await
            });
            if seen != Ok([is_low && expected.is_none(); 2]) {
                let bound = if is_low { "low" } else { "high" };
                let name = row.name;
                wrong.push(format!("{name}, {place:?}, {measure:?}, {bound}: {seen:?}"));
            }
        }
    }
    wrong
}

#[test]
fn every_fault_trips_what_it_should_twice_and_nothing_else() {
    let rows = rows();
    let of_place = |place| {
        let rows = &rows;
        move || {
            rows.iter()
                .flat_map(|row| wrong(row, place))
                .collect::<Vec<_>>()
        }
    };
    let wrong: Vec<_> = thread::scope(|scope| {
        let threads = Place::ALL.map(|place| scope.spawn(of_place(place)));
        let wrong = threads.map(|thread| thread.join().expect("no panic of its own"));
        wrong.into_iter().flatten().collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
