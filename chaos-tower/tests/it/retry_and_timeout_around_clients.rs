//! Faults among the layers that people put around a client: each try is a call of its own, a timeout
//! counts what is below it, and a limit holds its permits for as long as a delay takes.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use chaos_core::{Clock, Counts, Injected, Injector, wire};
use chaos_tower::{BoxError, InjectLayer};
use reqwest::{Client, Method, Request, Response};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer,
    load_shed::error::Overloaded, retry::Policy, service_fn, timeout::error::Elapsed,
    util::BoxCloneService,
};

const MS: Duration = Duration::from_millis(1);

/// A stand-in for a client that takes 10 ms, and how often it was asked.
#[derive(Clone, Default)]
struct Mock(Arc<AtomicU32>);

impl Mock {
    fn client(&self) -> BoxCloneService<Request, Response, reqwest::Error> {
        let asked = self.0.clone();
        BoxCloneService::new(service_fn(move |_: Request| {
            asked.fetch_add(1, Relaxed);
            async {
                tokio::time::sleep(10 * MS).await;
                Ok(http::Response::new("hello").into())
            }
        }))
    }

    fn asked(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// Up to so many tries, whatever it was that failed.
#[derive(Clone)]
struct Tries(u32);

impl<E> Policy<Request, Response, E> for Tries {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, E>) -> Option<Ready<()>> {
        let failed = !matches!(result, Ok(answer) if answer.status().is_success());
        self.0 -= 1;
        (failed && self.0 > 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
    }
}

fn hit_by(rule: &str) -> (Injector, InjectLayer) {
    let injector = Injector::new();
    let rule = format!(r#"{{ "id": "r", "site": "client", {rule} }}"#);
    injector.put(wire::rule_from_json(rule.as_bytes(), None).unwrap());
    let layer = InjectLayer::with_injector("client", &injector);
    (injector, layer)
}

fn delayed() -> (Injector, InjectLayer) {
    hit_by(r#""faults": [ { "latency": "100ms" } ]"#)
}

fn counts(injector: &Injector) -> Counts {
    injector.counts("r").unwrap()
}

fn request() -> Request {
    Request::new(Method::GET, "http://stock.example/".parse().unwrap())
}

/// Eight calls at once, each on a clone of its own, and how long they took together.
async fn eight<S>(service: S) -> (Duration, Vec<Result<Response, BoxError>>)
where
    S: Service<Request, Response = Response, Error: Into<BoxError> + Send> + Clone + Send + 'static,
    S::Future: Send,
{
    let start = Clock::monotonic();
    let call = |_| tokio::spawn(service.clone().oneshot(request()));
    let calls: Vec<_> = (0..8).map(call).collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap().map_err(Into::into));
    }
    (start.now(), results)
}

#[tokio::test(start_paused = true)]
async fn retry_above_hides_as_many_failures_as_it_has_tries() {
    for fault in [
        r#"{ "abort": "refuse" }"#,
        r#"{ "error": "out of luck" }"#,
        r#"{ "status": 503 }"#,
    ] {
        let (injector, layer) = hit_by(&format!(r#""limit": 2, "faults": [{fault}]"#));
        let mock = Mock::default();
        let service = ServiceBuilder::new().retry(Tries(3)).layer(layer);
        let answer = service.service(mock.client()).oneshot(request()).await;
        assert_eq!(answer.unwrap().text().await.unwrap(), "hello", "{fault}");
        assert_eq!((counts(&injector).injected, mock.asked()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_above_gives_up_with_the_last_failure() {
    let (injector, layer) = hit_by(r#""faults": [ { "abort": "refuse" } ]"#);
    let mock = Mock::default();
    let service = ServiceBuilder::new().retry(Tries(3)).layer(layer);
    let error = service.service(mock.client()).oneshot(request()).await;
    let error = error.unwrap_err();
    assert!(error.is_connect() && Injected::find(&error).is_some());
    assert_eq!((counts(&injector).injected, mock.asked()), (3, 0));
}

/// Each try has a timeout and a delay of its own.
#[tokio::test(start_paused = true)]
async fn retry_above_timeout_above_a_delay() {
    let (injector, layer) = hit_by(r#""limit": 2, "faults": [ { "latency": "100ms" } ]"#);
    let mock = Mock::default();
    let start = Clock::monotonic();
    let service = ServiceBuilder::new().retry(Tries(3)).timeout(50 * MS);
    let service = service.layer(layer).service(mock.client());
    assert!(service.oneshot(request()).await.is_ok());
    let took = start.now();
    assert!((110 * MS..120 * MS).contains(&took), "{took:?}");
    assert_eq!((counts(&injector).injected, mock.asked()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_above_counts_the_delay_and_ends_it() {
    let (injector, layer) = delayed();
    let mock = Mock::default();
    let start = Clock::monotonic();
    let service = ServiceBuilder::new().timeout(50 * MS).layer(layer);
    let error = service.service(mock.client()).oneshot(request()).await;
    assert!(error.unwrap_err().is::<Elapsed>());
    assert!(start.now() < 60 * MS);
    assert_eq!((counts(&injector).active, mock.asked()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_below_does_not_count_it() {
    let (_injector, layer) = delayed();
    let below = ServiceBuilder::new().timeout(50 * MS);
    let service = layer
        .boxed_errors()
        .layer(below.service(Mock::default().client()));
    assert!(service.oneshot(request()).await.is_ok());
}

/// Though some errors are made by way of loopback, and the clock is paused.
#[tokio::test(start_paused = true)]
async fn a_timeout_above_does_not_mistake_an_error() {
    for fault in [r#"{ "abort": "refuse" }"#, r#"{ "abort": "reset" }"#] {
        let (_injector, layer) = hit_by(&format!(r#""faults": [{fault}]"#));
        let service = ServiceBuilder::new().timeout(60_000 * MS).layer(layer);
        let service = service.service(Mock::default().client());
        let error = service.oneshot(request()).await.unwrap_err();
        assert!(error.is::<reqwest::Error>(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_its_permits_during_a_delay_above_or_below() {
    let limit = ConcurrencyLimitLayer::new(2);
    let (_injector, layer) = delayed();
    let client = Mock::default().client();
    let (above, results) = eight(limit.layer(layer.layer(client.clone()))).await;
    assert!(results.iter().all(Result::is_ok));
    let (below, results) = eight(layer.layer(limit.layer(client))).await;
    assert!(results.iter().all(Result::is_ok));
    // Four rounds of two, each 110 ms.
    for took in [above, below] {
        assert!((440 * MS..460 * MS).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn load_shed_lets_as_many_pass_as_there_are_permits_above_or_below() {
    let (injector, layer) = delayed();
    let shed = ServiceBuilder::new().load_shed();
    let limited = shed.concurrency_limit(2).service(Mock::default().client());
    let (_, below) = eight(layer.boxed_errors().layer(limited)).await;
    assert_eq!(counts(&injector).injected, 8, "it sheds after the delay");

    let shed = ServiceBuilder::new().load_shed().layer(layer);
    let limited = shed.concurrency_limit(2).service(Mock::default().client());
    let (_, above) = eight(limited).await;
    assert_eq!(counts(&injector).injected, 10, "it sheds before the delay");

    for results in [below, above] {
        let (served, shed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((served.len(), shed.len()), (2, 6));
        let is_shed = |result: &Result<Response, BoxError>| {
            result.as_ref().is_err_and(|error| error.is::<Overloaded>())
        };
        assert!(shed.iter().all(is_shed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_below_gives_its_places_to_those_who_are_delayed() {
    let (_injector, layer) = delayed();
    let buffered = ServiceBuilder::new()
        .buffer(4)
        .service(Mock::default().client());
    let (took, results) = eight(layer.boxed_errors().layer(buffered)).await;
    assert!(results.iter().all(Result::is_ok));
    // Four wait, and four more when those have gone on, which takes them another 10 ms.
    assert!((210 * MS..225 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_buffer_above_delays_all_at_once() {
    let (_injector, layer) = delayed();
    let buffered = ServiceBuilder::new().buffer(8).layer(layer);
    let (took, results) = eight(buffered.service(Mock::default().client())).await;
    assert!(results.iter().all(Result::is_ok));
    assert!((110 * MS..120 * MS).contains(&took), "{took:?}");
}

/// Not a mock: the type that people have in their services.
#[tokio::test]
async fn the_whole_stack_can_be_cloned_and_sent() {
    let (_injector, layer) = hit_by(r#""faults": [ { "abort": "refuse" } ]"#);
    let service = ServiceBuilder::new()
        .retry(Tries(2))
        .timeout(60_000 * MS)
        .layer(layer)
        .service(Client::new());
    let boxed = BoxCloneService::new(service);
    let call = tokio::spawn(boxed.clone().oneshot(request()));
    let error = call.await.unwrap().unwrap_err();
    assert!(error.downcast::<reqwest::Error>().unwrap().is_connect());
}
