//! Calls that a fault holds: the memory that they take, and how soon a halt releases them.

use std::{convert::Infallible, future::pending, time::Duration};

use axum::body::Body;
use chaos_core::{Fault, Injector};
use chaos_tower::InjectLayer;
use http::{Request, Response};
use tokio::{runtime::Builder, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    cases::http::SITE,
    growth::{Effort, Line, Point, ms},
    release,
    rules::hitting,
};

const HOUR: Duration = Duration::from_secs(3600);

fn hang() -> Fault {
    Fault::hang(HOUR).expect("a time")
}

pub(super) fn memory(effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    for count in effort.powers_of_ten(100_000) {
        let mut point = |series, bytes: u64| {
            let line = Line {
                picture: "held calls, memory",
                series,
            };
            points.push(line.point(count, vec![bytes as f64 / 1e6]));
        };
        let injector = Injector::new();
        injector.put(hitting(SITE, hang()));
        let layer = InjectLayer::with_injector(SITE, &injector);
        let never = service_fn(async |_: Request<Body>| {
            pending::<()>().await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        point("held by a fault", bytes_of(&layer.layer(never), count));
        point("waiting, without the layer", bytes_of(&never, count));
    }
    points
}

/// Returns the bytes that `count` tasks take, each of which waits for a response.
fn bytes_of<S>(service: &S, count: usize) -> u64
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    // All on this thread, whose allocations are counted.
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let counted = allocation_counter::measure(|| {
        for _ in 0..count {
            let service = service.clone();
            drop(runtime.spawn(async move {
                let _ = service.oneshot(Request::new(Body::empty())).await;
            }));
        }
        runtime.block_on(async {
            while runtime.metrics().global_queue_depth() > 0 {
                task::yield_now().await;
            }
            // Those that were taken from the queue wait after their first poll.
            for _ in 0..count {
                task::yield_now().await;
            }
        });
    });
    u64::try_from(counted.bytes_current).expect("more is kept than was there before")
}

pub(super) fn halt(effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    for count in effort.powers_of_ten(100_000) {
        let rounds = 0..effort.rounds.min(5);
        let halts: Vec<_> = rounds.map(|_| release::of_tasks(&hang(), count)).collect();
        let mut point = |series, time: fn(&release::Halted) -> Duration| {
            let line = Line {
                picture: "held calls, halt",
                series,
            };
            points.push(line.point(count, halts.iter().map(time).map(ms).collect()));
        };
        point("halt has returned", |halted| halted.returned);
        point("the last call goes on", |halted| halted.released);
    }
    points
}
