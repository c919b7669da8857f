//! An upload that breaks off after so many bytes: the service behind reads an error, and its answer is lost.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use chaos_core::{Injected, Injector, wire};
use chaos_tower::{BoxError, FaultBody, InjectLayer};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// What a service read of a body, and whether it failed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Upload {
    bytes: Vec<u8>,
    failed: bool,
}

fn armed(fault: Value) -> Injector {
    let injector = Injector::new();
    let rule = json!({"id": "r", "site": "http.server", "faults": [fault]});
    injector.put(wire::rule_from_value(rule, None).unwrap());
    injector
}

/// Uploads a body to a service that answers as soon as it can read no more. Returns what it has read, and
/// whether the caller received the answer whole.
async fn upload<B>(injector: &Injector, body: B) -> (Upload, bool)
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let seen = Arc::<Mutex<Upload>>::default();
    let note = Arc::clone(&seen);
    let service = service_fn(move |request: Request<FaultBody<B>>| {
        let note = Arc::clone(&note);
        async move {
            let mut body = std::pin::pin!(request.into_body());
            let mut upload = Upload::default();
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => upload.bytes.extend(frame.into_data().unwrap()),
                    Err(error) => {
                        assert!(Injected::find(&*error).is_some());
                        upload.failed = true;
                    }
                }
            }
            *note.lock().unwrap() = upload;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
        }
    });
    let layer = InjectLayer::with_injector("http.server", injector);
    let service = layer.wrapped_bodies().layer(service);
    let response = service.oneshot(Request::post("/").body(body).unwrap());
    let answer: Result<_, BoxError> = response.await.unwrap().into_body().collect().await;
    let upload = seen.lock().unwrap().clone();
    (upload, answer.is_ok())
}

fn sized() -> Full<Bytes> {
    Full::new(Bytes::from_static(b"0123456789"))
}

fn unsized_pieces() -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let pieces = [&b"0123"[..], b"4567", b"89"];
    let frame = |piece| Ok(Frame::data(Bytes::from_static(piece)));
    StreamBody::new(futures_util::stream::iter(pieces.map(frame)))
}

fn cut(kind: &str, bytes: &str) -> Value {
    json!({"abort": kind, "after": bytes, "on": "request"})
}

#[tokio::test(start_paused = true)]
async fn after_so_many_bytes_the_upload_fails() {
    for kind in ["close", "reset"] {
        for bytes in 0..10 {
            let fault = cut(kind, &format!("{bytes}B"));
            let expected = Upload {
                bytes: b"0123456789"[..bytes].to_vec(),
                failed: true,
            };
            let injector = armed(fault.clone());
            let sized = upload(&injector, sized()).await;
            assert_eq!(sized, (expected.clone(), false), "{fault}");
            let pieces = upload(&injector, unsized_pieces()).await;
            assert_eq!(pieces, (expected, false), "{fault}");
            let counts = injector.counts("r").unwrap();
            assert_eq!((counts.injected, counts.active), (2, 0), "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_not_so_long_arrives() {
    let whole = Upload {
        bytes: b"0123456789".to_vec(),
        failed: false,
    };
    let injector = armed(cut("close", "10B"));
    assert_eq!(upload(&injector, sized()).await, (whole.clone(), true));
    assert_eq!(injector.counts("r").unwrap().injected, 0);
    let injector = armed(cut("close", "11B"));
    assert_eq!(upload(&injector, unsized_pieces()).await, (whole, true));
}

/// It acts on the request, so other rules may still answer and change the response.
#[tokio::test(start_paused = true)]
async fn what_acts_on_the_response_is_lost_with_it() {
    let injector = armed(cut("close", "5B"));
    let rule = json!({"id": "edit", "site": "http.server", "faults": [{"headers": {"set": {"x-a": "1"}}}]});
    injector.put(wire::rule_from_value(rule, None).unwrap());
    assert!(!upload(&injector, sized()).await.1);
    let counts = |rule| injector.counts(rule).unwrap().injected;
    assert_eq!((counts("r"), counts("edit")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_halt_lets_the_upload_go_on() {
    let injector = armed(cut("close", "5B"));
    injector.halt("enough");
    let (read, is_answered) = upload(&injector, sized()).await;
    assert!(read.bytes.len() == 10 && is_answered);
}
