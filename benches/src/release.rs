//! Measures how soon a halt releases all waiting calls: from the call of `halt` until the last of them
//! continues.
//!
//! These are times, because most of the work is waking tasks and threads. They are meaningful only on an
//! otherwise idle machine, so the table has targets but no check.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use axum::body::Body;
use chaos_core::{
    Clock, Direction, Fault, Injector, Latency, Rule,
    fault::{Burn, BytesFault},
    inject,
};
use chaos_tower::InjectLayer;
use comfy_table::{CellAlignment, Table, presets};
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

const MINUTE: Duration = Duration::from_secs(60);

/// Measures each kind of waiting, with several numbers of waiting calls, and returns the table as text.
///
/// # Panics
/// Panics if a call fails, or if `rounds` is 0.
#[must_use]
pub fn report(rounds: usize) -> String {
    let fixed = Latency::fixed(MINUTE);
    let one_a_second = BytesFault::throttle(std::num::NonZeroU64::MIN);
    let stall = BytesFault::stall_after(0, MINUTE);
    let body = |fault| Fault::Body(fault, Direction::Response);
    let tasks = [
        Fault::latency(fixed.expect("a minute")),
        Fault::hang(MINUTE).expect("a minute"),
        Fault::pause(MINUTE).expect("a minute"),
        body(one_a_second),
        body(stall.expect("a minute")),
    ];
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "what waits",
        "how many",
        "best, ms",
        "median, ms",
        "target, ms",
    ]);
    let mut row = |what: &str, count: usize, target: &str, run: &dyn Fn() -> Duration| {
        let mut times: Vec<Duration> = (0..rounds).map(|_| run()).collect();
        times.sort();
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let count = count.to_string();
        let (best, median) = (ms(times[0]), ms(times[times.len() / 2]));
        table.add_row([what, &count, &best, &median, target]);
    };
    for fault in tasks {
        let what = match &fault {
            Fault::Body(bytes, _) if *bytes == one_a_second => "throttle",
            Fault::Body(..) => "stall",
            fault => fault.name(),
        };
        for (count, target) in [(1_000, "3"), (10_000, "15")] {
            row(&format!("{what}, tasks"), count, target, &|| {
                of_tasks(&fault, count).released
            });
        }
    }
    let block = Fault::block(MINUTE).expect("a minute");
    for (count, target) in [(100, ""), (1_000, "3")] {
        row("block, threads", count, target, &|| {
            of_threads(&block, count).released
        });
    }
    let burns = [
        ("burn cpu", Burn::cpu(1.0, MINUTE)),
        ("burn memory", Burn::memory(64 << 20, MINUTE)),
    ];
    for (what, burn) in burns {
        let burn = Fault::Burn(burn.expect("a minute"));
        row(what, 1, "3", &|| of_a_burn(&burn));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn armed(fault: &Fault) -> Injector {
    let injector = Injector::new();
    let (id, site) = ("r".parse(), "bench.release".parse());
    let rule = Rule::new(id.expect("an id"), site.expect("a site"), fault.clone());
    injector.put(rule);
    injector
}

/// Counts down to the last of several calls, and sends the time at which it is done.
#[derive(Clone)]
struct Last {
    clock: Clock,
    left: Arc<AtomicUsize>,
    done: mpsc::Sender<Duration>,
}

impl Last {
    fn of(count: usize) -> (Self, mpsc::Receiver<Duration>) {
        let (done, time) = mpsc::channel();
        let left = Arc::new(AtomicUsize::new(count));
        let clock = Clock::monotonic();
        (Self { clock, left, done }, time)
    }

    fn one_is_done(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done
                .send(self.clock.now())
                .expect("someone waits for it");
        }
    }
}

/// How long a halt took.
pub(crate) struct Halted {
    /// Until it had returned.
    pub(crate) returned: Duration,
    /// Until the last call was released.
    pub(crate) released: Duration,
}

/// Halts when all wait, and says how long it took.
fn halt(
    injector: &Injector,
    clock: &Clock,
    count: usize,
    last: &mpsc::Receiver<Duration>,
) -> Halted {
    while injector.status().injected < count as u64 {
        thread::yield_now();
    }
    // The calls that began last need time to start waiting.
    thread::park_timeout(Duration::from_millis(300));
    let start = clock.now();
    injector.halt("a bench");
    let returned = clock.now() - start;
    let released = last.recv().expect("all calls are released") - start;
    Halted { returned, released }
}

/// Halts while `fault` holds the calls of `count` tasks.
pub(crate) fn of_tasks(fault: &Fault, count: usize) -> Halted {
    let injector = armed(fault);
    let layer = InjectLayer::with_injector("bench.release", &injector);
    let service = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::from("two lines\nof text\n")))
    }));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_time().worker_threads(2).build();
    let runtime = runtime.expect("a runtime");
    let (last, time) = Last::of(count);
    let clock = last.clock.clone();
    for _ in 0..count {
        let (service, last) = (service.clone(), last.clone());
        runtime.spawn(async move {
            let response = service.oneshot(Request::new(Body::empty())).await;
            let response = response.unwrap_or_else(|never| match never {});
            let body = response.into_body().collect().await;
            assert!(body.is_ok_and(|body| !body.to_bytes().is_empty()));
            last.one_is_done();
        });
    }
    halt(&injector, &clock, count, &time)
}

fn of_threads(fault: &Fault, count: usize) -> Halted {
    let injector = armed(fault);
    let (last, time) = Last::of(count);
    let clock = last.clock.clone();
    for _ in 0..count {
        let (injector, last) = (injector.clone(), last.clone());
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let passed = inject!(injector: &injector, "bench.release");
            assert!(passed.is_ok());
            last.one_is_done();
        });
        thread.expect("a thread");
    }
    halt(&injector, &clock, count, &time)
}

fn of_a_burn(fault: &Fault) -> Duration {
    let injector = armed(fault);
    let passed = inject!(injector: &injector, "bench.release");
    assert!(passed.is_ok());
    thread::park_timeout(Duration::from_millis(300));
    let clock = Clock::monotonic();
    injector.halt("a bench");
    while injector.status().active > 0 {
        thread::yield_now();
    }
    clock.now()
}
