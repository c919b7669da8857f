//! reqwest's client: errors are its own.

use std::io::ErrorKind;

use bytes::Bytes;
use chaos_core::{Clock, Injected, Injector, State, wire};
use chaos_tower::{Inject, InjectLayer};
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::{Body, Client, Error, Method, Request};
use tower::{Layer, ServiceExt};

use super::{
    DELAY, assert_injected, hit_by, io_kind,
    peer::{self, Peer},
};

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn layered(layer: InjectLayer) -> Inject<Client> {
    layer.layer(client())
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, url.parse().unwrap())
}

/// What callers ask of an error.
#[derive(Debug, PartialEq)]
struct Looks {
    connect: bool,
    timeout: bool,
    request: bool,
    kind: Option<ErrorKind>,
    text: String,
}

fn looks(error: &Error) -> Looks {
    Looks {
        connect: error.is_connect(),
        timeout: error.is_timeout(),
        request: error.is_request(),
        kind: io_kind(error),
        text: error.to_string(),
    }
}

/// What the fault makes of a call to a peer that would answer; the peer is not asked.
async fn injected(fault: &str, url: &str) -> Error {
    let (injector, layer) = hit_by(fault);
    let error = layered(layer).oneshot(get(url)).await.unwrap_err();
    assert_eq!(error.url().unwrap().as_str(), url);
    assert_injected(&error);
    assert_eq!(injector.counts("r").unwrap().injected, 1);
    error
}

#[tokio::test]
async fn nobody_there_looks_like_nobody_there() {
    let address = peer::refusing().await;
    let url = format!("http://{address}/hello?q=1");
    let real = client().execute(get(&url)).await.unwrap_err();
    assert!(real.is_connect());
    for fault in [
        r#"{ "error": { "kind": "connection_refused" } }"#,
        r#"{ "abort": "refuse" }"#,
    ] {
        assert_eq!(looks(&injected(fault, &url).await), looks(&real));
    }
}

#[tokio::test]
async fn a_reset_looks_like_a_reset() {
    let url = format!("http://{}/hello", peer::resetting().await);
    let real = client().execute(get(&url)).await.unwrap_err();
    assert_eq!(io_kind(&real), Some(ErrorKind::ConnectionReset));
    for fault in [
        r#"{ "error": { "kind": "connection_reset" } }"#,
        r#"{ "abort": "reset" }"#,
    ] {
        assert_eq!(looks(&injected(fault, &url).await), looks(&real));
    }
}

#[tokio::test]
async fn a_closed_connection_looks_like_one_but_for_the_kind_of_its_source() {
    let url = format!("http://{}/hello", peer::closing().await);
    let real = looks(&client().execute(get(&url)).await.unwrap_err());
    assert_eq!(real.kind, None, "hyper says it in words of its own");
    let injected = injected(r#"{ "abort": "close" }"#, &url).await;
    let expected = Looks {
        kind: Some(ErrorKind::ConnectionAborted),
        ..real
    };
    assert_eq!(looks(&injected), expected);
}

#[tokio::test]
async fn a_timeout_looks_like_a_timeout_but_for_the_kind_of_its_source() {
    let url = format!("http://{}/hello", peer::silent().await);
    let mut request = get(&url);
    *request.timeout_mut() = Some(DELAY);
    let real = looks(&client().execute(request).await.unwrap_err());
    assert!(real.timeout && !real.connect);
    let injected = injected(r#"{ "error": { "kind": "timed_out" } }"#, &url).await;
    let expected = Looks {
        kind: Some(ErrorKind::TimedOut),
        ..real
    };
    assert_eq!(looks(&injected), expected);
}

#[tokio::test]
async fn any_other_error_is_one_of_the_request_and_says_why() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    for (fault, message) in [
        (r#"{ "error": "out of luck" }"#, "out of luck"),
        (
            r#"{ "error": { "kind": "broken_pipe", "message": "m" } }"#,
            "m",
        ),
        (r#"{ "abort": { "h2": "cancel" } }"#, "stream reset: cancel"),
    ] {
        let error = injected(fault, &url).await;
        assert!(error.is_request() && !error.is_connect() && !error.is_timeout());
        assert_eq!(Injected::find(&error).unwrap().message(), message);
    }
    let error = injected(r#"{ "abort": { "h2": "enhance_your_calm" } }"#, &url).await;
    let source = std::error::Error::source(Injected::find(&error).unwrap()).unwrap();
    let reason = source.downcast_ref::<h2::Error>().unwrap().reason();
    assert_eq!(reason, Some(h2::Reason::ENHANCE_YOUR_CALM));
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn many_at_once_do_not_get_each_others_errors() {
    let layers: Vec<_> = (0..50)
        .map(|n| {
            let kind = ["connection_refused", "connection_reset"][n % 2];
            hit_by(&format!(
                r#"{{ "error": {{ "kind": "{kind}", "message": "{n}" }} }}"#
            ))
        })
        .collect();
    let call = |(_, layer): &(_, InjectLayer)| {
        tokio::spawn(layered(*layer).oneshot(get("http://stock.example/")))
    };
    let calls: Vec<_> = layers.iter().map(call).collect();
    for (n, call) in calls.into_iter().enumerate() {
        let error = call.await.unwrap().unwrap_err();
        let injected = Injected::find(&error).unwrap();
        assert_eq!(injected.message(), n.to_string());
        assert_eq!(error.is_connect(), n % 2 == 0);
    }
}

#[tokio::test]
async fn a_made_answer_is_marked_and_has_the_url() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello?q=1", peer.address);
    let (_injector, layer) = hit_by(r#"{ "status": 503 }"#);
    let answer = layered(layer).oneshot(get(&url)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.url().as_str()),
        (503, &*url)
    );
    assert_eq!(answer.headers()["x-chaos-fault"], "r");
    let error = answer.error_for_status_ref().unwrap_err();
    assert_eq!(error.url().unwrap().as_str(), url);
    let text = answer.text().await.unwrap();
    assert!(text.contains("by chaos rule r"), "{text}");
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn a_delayed_call_is_the_same_call() {
    let peer = Peer::start().await;
    let (_injector, layer) = hit_by(r#"{ "latency": "100ms" }"#);
    let url = format!("http://{}/moved#there", peer.address);
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    *request.body_mut() = Some(Body::from("a body"));
    let start = Clock::monotonic();
    let answer = layered(layer).oneshot(request).await.unwrap();
    assert!(start.now() >= DELAY);
    // The client has followed a redirect, for which it sent the body again.
    let moved = format!("http://{}/hello", peer.address);
    assert!(
        answer.url().as_str().starts_with(&moved),
        "{}",
        answer.url()
    );
    assert_eq!(answer.remote_addr(), Some(peer.address));
    assert_eq!(answer.content_length(), Some(6));
    assert_eq!(answer.text().await.unwrap(), "a body");
    assert_eq!(peer.asked(), 2);
}

/// The request failed no earlier than the delay ended, so a service without timeouts seemed to have some, and
/// one with timeouts to have none.
#[tokio::test]
async fn the_timeout_of_a_request_counts_the_delay() {
    let timed = |url: &str, time| {
        let mut request = get(url);
        *request.timeout_mut() = Some(time);
        request
    };
    let silent = format!("http://{}/hello", peer::silent().await);
    let real = client().execute(timed(&silent, DELAY)).await.unwrap_err();
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    for fault in [
        r#"{ "latency": "30s" }"#,
        r#"{ "latency": "30s", "when": "after" }"#,
        r#"{ "latency": { "at_least": "30s" } }"#,
        r#"{ "hang": "30s" }"#,
        r#"{ "pause": { "max": "30s" } }"#,
    ] {
        let (injector, layer) = hit_by(fault);
        let start = Clock::monotonic();
        let error = layered(layer)
            .oneshot(timed(&url, DELAY))
            .await
            .unwrap_err();
        let took = start.now();
        assert!((DELAY..20 * DELAY).contains(&took), "{fault}: {took:?}");
        let expected = Looks {
            text: looks(&real).text.replace(&silent, &url),
            ..looks(&real)
        };
        assert_eq!(looks(&error), expected, "{fault}");
        assert!(Injected::find(&error).is_none());
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.injected, counts.active), (1, 0), "{fault}");
    }
    // What is left of it bounds the client, and the body of the response.
    let (_injector, layer) = hit_by(r#"{ "latency": "200ms" }"#);
    let start = Clock::monotonic();
    let result = layered(layer).oneshot(timed(&silent, 3 * DELAY)).await;
    assert!(result.unwrap_err().is_timeout());
    assert!((3 * DELAY..4 * DELAY + DELAY / 2).contains(&start.now()));

    let (_injector, layer) = hit_by(r#"{ "body": { "stall_after": "3B", "for": "30s" } }"#);
    let mut answer = layered(layer)
        .oneshot(timed(&url, 3 * DELAY))
        .await
        .unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hel");
    let error = answer.chunk().await.unwrap_err();
    assert!(error.is_timeout() && error.is_decode(), "{error:?}");

    // A delay that is over in time, and a request or a client whose timeout is not the layer's to know.
    let (_injector, layer) = hit_by(r#"{ "latency": "100ms" }"#);
    let answer = layered(layer)
        .oneshot(timed(&url, 100 * DELAY))
        .await
        .unwrap();
    assert_eq!(answer.content_length(), Some(5));
    assert_eq!(answer.text().await.unwrap(), "hello");
    let (_injector, layer) = hit_by(r#"{ "latency": "300ms" }"#);
    let own = Client::builder().no_proxy().timeout(2 * DELAY);
    let answer = layer.layer(own.build().unwrap()).oneshot(get(&url)).await;
    assert_eq!(answer.unwrap().text().await.unwrap(), "hello");
}

/// A client's guard rail did not see calls that its own timeout ended.
#[tokio::test]
async fn a_call_that_is_out_of_time_has_failed() {
    let injector = Injector::new();
    let rule = r#"{ "id": "r", "site": "client", "faults": [{ "hang": "30s" }],
                    "guards": [{ "site": "client", "error_ratio": 0.5, "at_least": 2 }] }"#;
    let layer = InjectLayer::with_injector("client", &injector);
    injector.put(wire::rule_from_json(rule.as_bytes(), None).unwrap());
    for _ in 0..2 {
        let mut request = get("http://stock.example/");
        *request.timeout_mut() = Some(DELAY / 10);
        let error = layered(layer).oneshot(request).await.unwrap_err();
        assert!(error.is_timeout());
    }
    let state = injector.status().state;
    assert!(matches!(state, State::Halted { .. }), "{state:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_fails_where_it_is_read() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let (_injector, layer) = hit_by(r#"{ "abort": "reset", "after": "3B" }"#);
    let mut answer = layered(layer).oneshot(get(&url)).await.unwrap();
    assert_eq!(answer.headers()["x-chaos-fault"], "r");
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hel");
    let error = answer.chunk().await.unwrap_err();
    assert!(error.is_decode());
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    assert_injected(&error);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_fails_where_it_is_read() {
    let peer = Peer::start().await;
    for path in ["hello", "streamed"] {
        let url = format!("http://{}/{path}", peer.address);
        let (_injector, layer) = hit_by(r#"{ "body": { "truncate_after": "3B" } }"#);
        let answer = layered(layer).oneshot(get(&url)).await.unwrap();
        let error = answer.text().await.unwrap_err();
        assert!(error.is_decode() || error.is_body(), "{path}: {error:?}");
        assert_eq!(io_kind(&error), Some(ErrorKind::UnexpectedEof), "{path}");
        assert_injected(&error);
    }
}

#[tokio::test]
async fn a_request_that_is_cut_short_is_not_taken_for_whole() {
    let peer = Peer::start().await;
    let url = format!("http://{}/count", peer.address);
    let streamed = || {
        let words =
            ["a ", "bo", "dy"].map(|word| Ok::<_, std::io::Error>(Frame::data(Bytes::from(word))));
        Body::wrap(StreamBody::new(futures_util::stream::iter(words)))
    };
    let truncate = r#"{ "body": { "truncate_after": "3B", "on": "request" } }"#;
    let abort = r#"{ "abort": "reset", "after": "3B", "on": "request" }"#;
    for (fault, kind) in [
        (truncate, ErrorKind::UnexpectedEof),
        (abort, ErrorKind::ConnectionReset),
    ] {
        for body in [Body::from("a body"), streamed()] {
            let mut request = Request::new(Method::POST, url.parse().unwrap());
            *request.body_mut() = Some(body);
            let (_injector, layer) = hit_by(fault);
            let error = layered(layer).oneshot(request).await.unwrap_err();
            assert!(error.is_request(), "{fault}: {error:?}");
            assert_eq!(io_kind(&error), Some(kind), "{fault}");
            assert_injected(&error);
        }
    }
}

#[tokio::test]
async fn a_request_is_changed_on_its_way() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let post = || {
        let mut request = Request::new(Method::POST, url.parse().unwrap());
        *request.body_mut() = Some(Body::from("a body"));
        request
    };
    let (_injector, layer) = hit_by(r#"{ "body": { "corrupt": 1 }, "on": "request" }"#);
    let answer = layered(layer).oneshot(post()).await.unwrap();
    let text = answer.bytes().await.unwrap();
    assert!(text.len() == 6 && text != "a body", "{text:?}");

    let (_injector, layer) =
        hit_by(r#"{ "headers": { "set": { "x-say": "something else" } }, "on": "request" }"#);
    let answer = layered(layer).oneshot(get(&url)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "something else");
}

/// Above what makes the error another: a timeout, here.
#[tokio::test]
async fn boxed_errors_hold_the_clients_own() {
    let (_injector, layer) = hit_by(r#"{ "abort": "refuse" }"#);
    let inner = tower::ServiceBuilder::new()
        .timeout(DELAY)
        .service(client());
    let error = layer
        .boxed_errors()
        .layer(inner)
        .oneshot(get("http://x/"))
        .await;
    let error = error.unwrap_err().downcast::<Error>().unwrap();
    assert!(error.is_connect());
    assert_eq!(error.url().unwrap().as_str(), "http://x/");

    let silent = format!("http://{}/", peer::silent().await);
    let (_injector, layer) = hit_by(r#"{ "latency": "1ms" }"#);
    let inner = tower::ServiceBuilder::new()
        .timeout(DELAY)
        .service(client());
    let error = layer
        .boxed_errors()
        .layer(inner)
        .oneshot(get(&silent))
        .await;
    assert!(error.unwrap_err().is::<tower::timeout::error::Elapsed>());
}
