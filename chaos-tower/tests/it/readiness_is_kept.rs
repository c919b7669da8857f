//! The service that was polled ready is the one that is called; one that is not called lets go of
//! what it reserved.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use chaos_core::{Fault, Injector, Latency, Rule};
use chaos_tower::{Inject, InjectLayer};
use http::{Request, Response};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit, service_fn,
    util::BoxCloneService,
};

const MS: Duration = Duration::from_millis(1);

fn armed(fault: Fault) -> (Injector, InjectLayer) {
    let injector = Injector::new();
    injector.put(Rule::new(
        "r".parse().unwrap(),
        "ready".parse().unwrap(),
        fault,
    ));
    let layer = InjectLayer::with_injector("ready", &injector);
    (injector, layer)
}

fn delay(by: Duration) -> Fault {
    Fault::latency(Latency::fixed(by).unwrap())
}

fn inner() -> BoxCloneService<Request<Body>, Response<Body>, Infallible> {
    BoxCloneService::new(service_fn(async |_: Request<Body>| {
        tokio::time::sleep(10 * MS).await;
        Ok(Response::new(Body::empty()))
    }))
}

/// Eight calls at once, each on a clone of its own, and how long they took together.
async fn eight<S>(service: S) -> (Duration, Vec<Result<S::Response, S::Error>>)
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
{
    let start = chaos_core::Clock::monotonic();
    let call = |_| tokio::spawn(service.clone().oneshot(Request::new(Body::empty())));
    let calls: Vec<_> = (0..8).map(call).collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap());
    }
    (start.now(), results)
}

#[tokio::test(start_paused = true)]
async fn a_delay_over_a_concurrency_limit_holds_its_permit() {
    let (_injector, layer) = armed(delay(100 * MS));
    let service = layer.layer(ConcurrencyLimit::new(inner(), 2));
    let (took, results) = eight(service).await;
    assert!(results.iter().all(Result::is_ok));
    // Four rounds of two, each 100 ms late; nobody panics for want of readiness.
    assert!((440 * MS..460 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_above_counts_the_delay_too() {
    let (_injector, layer) = armed(delay(100 * MS));
    let (took, results) = eight(ConcurrencyLimit::new(layer.layer(inner()), 2)).await;
    assert!(results.iter().all(Result::is_ok));
    assert!((440 * MS..460 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn over_load_shed_and_over_buffer() {
    let (_injector, layer) = armed(delay(100 * MS));
    let shed = ServiceBuilder::new().load_shed().concurrency_limit(2);
    let (_, results) = eight(layer.layer(shed.service(inner()))).await;
    // How many are shed is the limit's business; that they are answered at all is ours.
    assert!(results.iter().any(Result::is_ok));
    let buffered = ServiceBuilder::new().buffer(16).service(inner());
    let (took, results) = eight(layer.layer(buffered)).await;
    assert!(results.iter().all(Result::is_ok));
    assert!((100 * MS..150 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_above_sees_the_delay_and_one_below_does_not() {
    let (injector, layer) = armed(delay(100 * MS));
    let above = ServiceBuilder::new().timeout(50 * MS).layer(layer);
    let error = above
        .service(inner())
        .oneshot(Request::new(Body::empty()))
        .await;
    assert!(error.is_err_and(|error| error.is::<tower::timeout::error::Elapsed>()));
    assert_eq!(injector.status().active, 0, "the abandoned delay is over");
    let below = layer.layer(ServiceBuilder::new().timeout(50 * MS).service(inner()));
    assert!(below.oneshot(Request::new(Body::empty())).await.is_ok());
}

#[tokio::test]
async fn an_injected_answer_does_not_strand_the_permit() {
    let (injector, layer) = armed(Fault::status(503).unwrap());
    let service: Inject<_> = layer.layer(ConcurrencyLimit::new(inner(), 2));
    // Three clones, kept alive, two permits: each is made ready, answered, and not dropped.
    let mut clones = vec![service.clone(), service.clone(), service];
    for clone in &mut clones {
        let ready = tokio::time::timeout(Duration::from_secs(5), clone.ready()).await;
        let answer = ready
            .expect("a permit is free")
            .unwrap()
            .call(Request::new(Body::empty()));
        assert_eq!(answer.await.unwrap().status(), 503);
    }
    assert_eq!(injector.counts("r").unwrap().injected, 3);
}

#[tokio::test(start_paused = true)]
async fn retry_above_draws_again_for_each_try() {
    #[derive(Clone)]
    struct Twice(u32);

    impl tower::retry::Policy<Request<Body>, Response<Body>, Infallible> for Twice {
        type Future = std::future::Ready<()>;

        fn retry(
            &mut self,
            _: &mut Request<Body>,
            result: &mut Result<Response<Body>, Infallible>,
        ) -> Option<Self::Future> {
            let failed = result.as_ref().is_ok_and(|answer| answer.status() == 503);
            self.0 -= u32::from(failed && self.0 > 0);
            (failed && self.0 > 0).then(|| std::future::ready(()))
        }

        fn clone_request(&mut self, _: &Request<Body>) -> Option<Request<Body>> {
            Some(Request::new(Body::empty()))
        }
    }

    let (injector, layer) = armed(Fault::status(503).unwrap());
    let limit = chaos_core::Trigger::new().limit(2.try_into().unwrap());
    let rule = injector.rules().find("r").unwrap().as_ref().clone();
    injector.put(rule.trigger(limit));
    let service = ServiceBuilder::new()
        .retry(Twice(3))
        .layer(layer)
        .service(inner());
    assert_eq!(
        service
            .oneshot(Request::new(Body::empty()))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(injector.counts("r").unwrap().injected, 2);
}

#[tokio::test(start_paused = true)]
async fn tower_test_mock_sees_the_request_only_after_the_delay() {
    let (_injector, layer) = armed(delay(100 * MS));
    let (mut service, mut handle) =
        tower_test::mock::spawn_with::<Request<Body>, Response<Body>, _, _>(|mock| {
            layer.layer(mock)
        });
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(matches!(
        service.poll_ready(),
        std::task::Poll::Ready(Ok(()))
    ));
    let start = chaos_core::Clock::monotonic();
    let call = tokio::spawn(service.call(Request::new(Body::empty())));
    let (_, answer) = handle.next_request().await.unwrap();
    assert!(start.now() >= 100 * MS);
    answer.send_response(Response::new(Body::empty()));
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}
