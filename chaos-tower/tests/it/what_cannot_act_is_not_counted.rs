//! A fault on the bytes of a message that has none, or too few, does not happen: it is not counted, leaves no
//! mark, and gives back what it had reserved.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use chaos_core::{Clock, Injector, wire};
use chaos_tower::{FAULT_HEADER, InjectLayer};
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;

type Bodied = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn full(bytes: &'static [u8]) -> Bodied {
    Response::new(Full::new(Bytes::from_static(bytes)).boxed_unsync())
}

/// A body that does not say its length, of a response that may.
fn streamed(length: Option<&'static str>) -> Bodied {
    let frame = Ok(Frame::data(Bytes::from_static(b"0123456789")));
    let mut response = Response::new(StreamBody::new(stream::iter([frame])).boxed_unsync());
    if let Some(length) = length {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
    }
    response
}

fn status(status: u16) -> Bodied {
    let mut response = streamed(None);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn armed(fault: &Value) -> Injector {
    let injector = Injector::new();
    let rule = json!({"site": "s", "faults": [fault], "limit": 1});
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    injector
}

/// Returns whether the answer was marked.
async fn call<A>(injector: &Injector, request: Request<A>, answer: fn() -> Bodied) -> bool
where
    A: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let layer = InjectLayer::with_injector("s", injector);
    let served = service_fn(move |request: Request<_>| async move {
        let body: chaos_tower::FaultBody<A> = request.into_body();
        let _ = body.collect().await;
        Ok::<_, Infallible>(answer())
    });
    let service = layer.wrapped_bodies().layer(served);
    let response = service.oneshot(request).await.unwrap();
    let is_marked = response.headers().contains_key(FAULT_HEADER);
    let _ = response.into_body().collect().await;
    is_marked
}

fn request(method: Method) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    request
}

/// Each fault on the bytes of a response.
fn all() -> Vec<Value> {
    let mut all = after("0B");
    all.extend([
        json!({"body": {"throttle": "1GiB/s"}}),
        json!({"body": {"corrupt": 1.0}}),
        json!({"body": {"first_byte": "1ms"}}),
        json!({"body": {"chunk": "1ms"}}),
    ]);
    all
}

/// The faults of a body that act after a number of bytes.
fn after(bytes: &str) -> Vec<Value> {
    vec![
        json!({"body": {"truncate_after": bytes}}),
        json!({"body": {"stall_after": bytes, "for": "1ms"}}),
        json!({"abort": "close", "after": bytes}),
        json!({"abort": "reset", "after": bytes}),
        json!({"abort": {"h2": "cancel"}, "after": bytes}),
    ]
}

async fn check(faults: Vec<Value>, method: Method, answer: fn() -> Bodied, acts: bool) {
    for fault in faults {
        let injector = armed(&fault);
        let is_marked = call(&injector, request(method.clone()), answer).await;
        let counts = injector.counts("r").unwrap();
        let seen = (is_marked, counts.injected, counts.active);
        assert_eq!(seen, (acts, u64::from(acts), 0), "{method} {fault}");
        if !acts {
            // The limit has been given back.
            assert!(
                call(&injector, request(Method::GET), || full(
                    b"0123456789abcdef"
                ))
                .await
            );
            assert_eq!(
                injector.counts("r").unwrap().injected,
                1,
                "{method} {fault}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_without_bytes_is_left_alone() {
    check(all(), Method::HEAD, || full(b"0123456789"), false).await;
    check(all(), Method::HEAD, || streamed(None), false).await;
    check(all(), Method::CONNECT, || status(200), false).await;
    check(all(), Method::GET, || full(b""), false).await;
    check(all(), Method::GET, || streamed(Some("0")), false).await;
    check(all(), Method::GET, || status(101), false).await;
    check(all(), Method::GET, || status(204), false).await;
    check(all(), Method::GET, || status(304), false).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_too_short_is_left_alone() {
    for bytes in ["10B", "11B"] {
        check(after(bytes), Method::GET, || full(b"0123456789"), false).await;
        check(after(bytes), Method::GET, || streamed(Some("10")), false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_with_bytes_is_hit() {
    check(all(), Method::GET, || full(b"0123456789"), true).await;
    check(all(), Method::CONNECT, || status(502), true).await;
    check(all(), Method::POST, || status(500), true).await;
    check(after("9B"), Method::GET, || full(b"0123456789"), true).await;
    check(after("9B"), Method::GET, || streamed(Some("10")), true).await;
    check(after("9B"), Method::GET, || streamed(None), true).await;
}

/// What changes the head of a response needs no body.
#[tokio::test(start_paused = true)]
async fn a_head_without_a_body_can_be_changed() {
    let faults = || {
        vec![
            json!({"headers": {"set": {"x-a": "1"}}}),
            json!({"headers": {"set": {"x-a": "1"}}}),
        ]
    };
    check(faults(), Method::HEAD, || full(b"0123456789"), true).await;
    check(faults(), Method::GET, || status(101), true).await;
    check(faults(), Method::GET, || status(204), true).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_bytes_is_left_alone() {
    let on_request = |mut fault: Value| {
        fault["on"] = "request".into();
        fault
    };
    let faults = || {
        all()
            .into_iter()
            .filter(|fault| fault.get("body").is_some())
    };
    for fault in faults().map(on_request) {
        let injector = armed(&fault);
        call(&injector, request(Method::GET), || full(b"")).await;
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.injected, counts.active), (0, 0), "{fault}");
        let upload = Request::post("/").body(Full::new(Bytes::from_static(b"0123")));
        call(&injector, upload.unwrap(), || full(b"")).await;
        assert_eq!(injector.counts("r").unwrap().injected, 1, "{fault}");
    }
    for bytes in ["4B", "5B"] {
        let injector = armed(&on_request(json!({"body": {"truncate_after": bytes}})));
        let upload = Request::post("/").body(Full::new(Bytes::from_static(b"0123")));
        call(&injector, upload.unwrap(), || full(b"")).await;
        assert_eq!(injector.counts("r").unwrap().injected, 0, "{bytes}");
    }
}

/// Over HTTP/1 a client of gRPC-Web received two messages and no status; in base64, all of them and OK.
#[tokio::test(start_paused = true)]
async fn the_messages_of_grpc_web_are_not_counted() {
    for kind in ["", "+proto", "-text", "-text+proto"] {
        let content_type = format!("application/grpc-web{kind}");
        let ask = || {
            let mut ask = Request::post("/").body(Full::new(Bytes::from_static(MESSAGES)));
            let headers = ask.as_mut().unwrap().headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            ask.unwrap()
        };
        for on in ["request", "response"] {
            let fault = json!({"grpc": {"code": 14, "after_messages": 1, "on": on}});
            let injector = armed(&fault);
            let service = service_fn(async |_| Ok::<_, Infallible>(full(MESSAGES)));
            let layer = InjectLayer::with_injector("s", &injector).wrapped_bodies();
            let answer = layer.layer(service).oneshot(ask()).await.unwrap();
            assert!(!answer.headers().contains_key("x-chaos-fault"), "{fault}");
            let whole = answer.into_body().collect().await.unwrap();
            assert_eq!(whole.to_bytes(), MESSAGES, "{fault}");
            assert_eq!(injector.counts("r").unwrap().injected, 0, "{fault}");
        }
        // A status without messages is the same as in gRPC.
        let injector = armed(&json!({"grpc": {"code": 14, "message": "gone"}}));
        let service = service_fn(async |_| Ok::<_, Infallible>(full(MESSAGES)));
        let layer = InjectLayer::with_injector("s", &injector).wrapped_bodies();
        let answer = layer.layer(service).oneshot(ask()).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "14");
        assert_eq!(answer.headers()["content-type"], *content_type);
        assert_eq!(injector.counts("r").unwrap().injected, 1);
    }
}

/// Three gRPC messages of a byte.
const MESSAGES: &[u8] = &[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 1, 9];

/// A trailers-only answer of gRPC has no messages.
#[tokio::test(start_paused = true)]
async fn a_grpc_answer_without_messages_has_its_own_status() {
    for on in ["request", "response"] {
        let fault = json!({"grpc": {"code": 14, "after_messages": 1, "on": on}});
        let injector = armed(&fault);
        let mut ask = request(Method::POST);
        let grpc = HeaderValue::from_static("application/grpc");
        ask.headers_mut().insert(header::CONTENT_TYPE, grpc);
        assert!(!call(&injector, ask, || full(b"")).await);
        assert_eq!(injector.counts("r").unwrap().injected, 0, "{fault}");
    }
}

/// What acts by itself is not held up by what cannot act.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_rule_acts() {
    let injector = Injector::new();
    let faults = json!([{"body": {"corrupt": 1.0}}, {"latency": "500ms", "when": "after"}]);
    let rule = json!({"site": "s", "faults": faults});
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    let clock = Clock::monotonic();
    assert!(!call(&injector, request(Method::HEAD), || full(b"0123")).await);
    assert!(clock.now() >= Duration::from_millis(500));
    assert_eq!(injector.counts("r").unwrap().injected, 1);
}

/// A rule that cannot act kept every rule behind it from acting.
#[tokio::test(start_paused = true)]
async fn the_next_rule_acts_in_place_of_one_that_cannot() {
    let cases = [
        (Method::HEAD, "text/plain", json!({"abort": "close"})),
        (
            Method::POST,
            "application/grpc-web+proto",
            json!({"grpc": {"code": 14, "after_messages": 1}}),
        ),
    ];
    for (method, content_type, fault) in cases {
        let injector = Injector::new();
        for (id, fault) in [("a", &fault), ("b", &json!({"status": 503}))] {
            let rule = json!({"site": "s", "faults": [fault], "final": true});
            injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
        }
        let mut ask = Request::new(axum::body::Body::from(MESSAGES));
        *ask.method_mut() = method;
        let content_type = HeaderValue::from_static(content_type);
        ask.headers_mut().insert(header::CONTENT_TYPE, content_type);
        let service = service_fn(async |_| {
            Ok::<_, Infallible>(Response::new(axum::body::Body::from(MESSAGES)))
        });
        let layer = InjectLayer::with_injector("s", &injector);
        let answer = layer.layer(service).oneshot(ask).await.unwrap();
        assert_eq!(answer.headers()[FAULT_HEADER], "b", "{fault}");
        let injected = ["a", "b"].map(|id| injector.counts(id).unwrap().injected);
        assert_eq!(injected, [0, 1], "{fault}");
    }
}

/// Each of them would act alone.
#[tokio::test(start_paused = true)]
async fn what_comes_behind_the_end_of_a_body_is_not_counted() {
    let truncate = |bytes: &str| json!({"body": {"truncate_after": bytes}});
    let stall = |bytes: &str| json!({"body": {"stall_after": bytes, "for": "1ms"}});
    let close = |bytes: &str| json!({"abort": "close", "after": bytes});
    let cases = [
        ([truncate("5B"), close("8B")], [1, 0]),
        ([close("8B"), truncate("5B")], [0, 1]),
        ([stall("6B"), truncate("5B")], [0, 1]),
        ([stall("5B"), truncate("5B")], [0, 1]),
        ([truncate("5B"), stall("5B")], [1, 1]),
        ([stall("4B"), truncate("5B")], [1, 1]),
        ([truncate("5B"), close("5B")], [0, 1]),
        ([truncate("0B"), json!({"body": {"corrupt": 1.0}})], [1, 0]),
    ];
    for (faults, expected) in cases {
        let injector = Injector::new();
        for (id, fault) in ["a", "b"].into_iter().zip(&faults) {
            let rule = json!({"site": "s", "faults": [fault]});
            injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
        }
        call(&injector, request(Method::GET), || full(b"0123456789")).await;
        let injected = ["a", "b"].map(|id| injector.counts(id).unwrap().injected);
        assert_eq!(injected, expected, "{faults:?}");
    }
}

/// A service that is not called reads no request.
#[tokio::test(start_paused = true)]
async fn a_fault_on_a_request_that_is_not_served_is_not_counted() {
    let truncate = json!({"body": {"truncate_after": "2B"}, "on": "request"});
    let close = |bytes: &str| json!({"abort": "close", "after": bytes, "on": "request"});
    let status = json!({"status": 503});
    let cases = [
        ([truncate.clone(), status.clone()], [0, 1]),
        ([close("1B"), status], [0, 1]),
        ([truncate.clone(), close("3B")], [1, 0]),
        ([close("3B"), truncate.clone()], [0, 1]),
        ([close("1B"), truncate], [1, 0]),
    ];
    for (faults, expected) in cases {
        let injector = Injector::new();
        for (id, fault) in ["a", "b"].into_iter().zip(&faults) {
            let rule = json!({"site": "s", "faults": [fault]});
            injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
        }
        let upload = Request::post("/").body(Full::new(Bytes::from_static(b"0123")));
        call(&injector, upload.unwrap(), || full(b"0123456789")).await;
        let counts = ["a", "b"].map(|id| injector.counts(id).unwrap());
        assert_eq!(
            counts.each_ref().map(|it| it.injected),
            expected,
            "{faults:?}"
        );
        assert_eq!(counts.map(|it| it.active), [0, 0], "{faults:?}");
    }
}

/// axum's router drops the body of an answer to HEAD, so a cut was counted that no client saw.
#[tokio::test]
async fn a_head_over_http2_is_not_cut_above_layers_that_change_the_body_either() {
    let injector = armed(&json!({"abort": "close"}));
    let layer = InjectLayer::with_injector("s", &injector);
    let app = || {
        let router = axum::Router::new().route("/", axum::routing::get(async || "hello"));
        TraceLayer::new_for_http().layer(router)
    };
    let head = || {
        let head = Request::head("/").version(Version::HTTP_2);
        head.body(axum::body::Body::empty()).unwrap()
    };
    let answer = layer.wrapped_responses().layer(app()).oneshot(head());
    assert_eq!(answer.await.unwrap().status(), 200);
    let answer = layer.wrapped_bodies().layer(app()).oneshot(head());
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(injector.counts("r").unwrap().injected, 0);
}
