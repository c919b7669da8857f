//! The `metrics` facade has the same numbers as the port, in whatever recorder the service installed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use chaos_core::{Call, Fault, Injector, Latency, Rule};
use chaos_http_admin::{Admin, Metrics};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// A recorder as simple as can be.
#[derive(Default)]
struct Kept {
    numbers: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    delays: Arc<Delays>,
    described: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Delays(Mutex<Vec<f64>>);

impl HistogramFn for Delays {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Kept {
    fn number(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let series = [key.name().to_owned()].into_iter().chain(labels);
        let series = series.collect::<Vec<_>>().join(" ");
        Arc::clone(self.numbers.lock().unwrap().entry(series).or_default())
    }

    fn raw(&self, series: &str) -> Option<u64> {
        let numbers = self.numbers.lock().unwrap();
        numbers
            .get(series)
            .map(|number| number.load(Ordering::Relaxed))
    }

    #[track_caller]
    fn counter(&self, series: &str) -> u64 {
        self.raw(series).unwrap_or_else(|| panic!("no {series}"))
    }

    #[track_caller]
    fn gauge(&self, series: &str) -> f64 {
        f64::from_bits(self.counter(series))
    }

    fn describe(&self, name: &KeyName) {
        self.described
            .lock()
            .unwrap()
            .push(name.as_str().to_owned());
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        assert_eq!(key.name(), "chaos_injected_delay_seconds");
        Histogram::from_arc(Arc::clone(&self.delays))
    }
}

fn slow(id: &str, delay: u64) -> Rule {
    let latency = Latency::fixed(Duration::from_millis(delay)).unwrap();
    let site = "db.read".parse().unwrap();
    Rule::new(id.parse().unwrap(), site, Fault::latency(latency))
}

#[test]
fn what_has_grown_is_handed_on() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    let metrics = Metrics::of(&injector);
    // Counts the same, and hands nothing on.
    let _port = Admin::new(injector.clone());
    let pass = || {
        let mut decision = site.decide(&Call::new()).unwrap();
        while decision.next_plan().is_some() {}
    };
    let kept = Kept::default();
    let injections = "chaos_injections_total site=db.read rule=slow fault=latency";
    let matched = "chaos_matched_total site=db.read rule=slow";
    with_local_recorder(&kept, || {
        metrics.publish();
        injector.put(slow("slow", 100));
        pass();
        pass();
        assert_eq!(kept.raw(injections), None, "nobody asked yet");
        metrics.publish();
        metrics.publish();
        assert_eq!(kept.counter(injections), 2);
        assert_eq!(kept.counter(matched), 2);
        assert_eq!(kept.gauge("chaos_state"), 1.0);

        // Another rule in its place, whose own counts start anew: what was handed on goes up.
        injector.put(slow("slow", 300));
        pass();
        metrics.publish();
        assert_eq!(kept.counter(injections), 3);
        assert_eq!(kept.counter(matched), 3);
        injector.halt("enough");
        metrics.publish();
        assert_eq!(kept.gauge("chaos_state"), 2.0);
        assert_eq!(kept.gauge("chaos_generation"), 2.0);

        // What is gone is nothing, and not what it was at last.
        injector.resume();
        let held = site.decide(&Call::new()).unwrap();
        metrics.publish();
        let active = "chaos_active rule=slow";
        assert_eq!(kept.gauge(active), 1.0);
        injector.remove(&"slow".parse().unwrap());
        metrics.publish();
        assert_eq!(kept.gauge(active), 0.0);
        drop(held);
    });
    assert_eq!(*kept.delays.0.lock().unwrap(), [0.1, 0.1, 0.3]);
    let mut described = std::mem::take(&mut *kept.described.lock().unwrap());
    described.sort();
    described.dedup();
    let text = metrics.text();
    let served = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut served: Vec<_> = served.map(|line| line.split(' ').next().unwrap()).collect();
    served.sort_unstable();
    assert_eq!(described, served);
}

#[test]
fn whoever_publishes_at_the_same_time_hands_nothing_on_twice() {
    const EACH: usize = 200;
    let injector = Injector::new();
    let site = injector.site("db.read");
    let metrics = Metrics::of(&injector);
    injector.put(slow("slow", 100));
    let kept = Kept::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_local_recorder(&kept, || {
                    for _ in 0..EACH {
                        let mut decision = site.decide(&Call::new()).unwrap();
                        while decision.next_plan().is_some() {}
                        metrics.publish();
                    }
                });
            });
        }
    });
    let injections = "chaos_injections_total site=db.read rule=slow fault=latency";
    assert_eq!(kept.counter(injections), 4 * EACH as u64);
}
