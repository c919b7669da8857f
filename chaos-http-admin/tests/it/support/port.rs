//! The admin routes of an injector of one's own, asked without a socket.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header, request},
};
use chaos_core::{Injector, testing::ManualClock};
use chaos_http_admin::Admin;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) injector: Injector,
    pub(crate) router: Router,
}

impl Port {
    /// Time stands still, so that two equal states are shown equally.
    pub(crate) fn new() -> Self {
        Self::of(Injector::with_clock(ManualClock::new()))
    }

    /// The port of an injector, as it is without any setting.
    pub(crate) fn of(injector: Injector) -> Self {
        let router = Admin::new(injector.clone()).router();
        Self { injector, router }
    }

    /// Sends a request; it goes to `localhost` unless it says otherwise.
    pub(crate) async fn send(&self, request: request::Builder, body: impl Into<Body>) -> Answer {
        let mut request = request.body(body.into()).unwrap();
        let host = request.headers_mut().entry(header::HOST);
        host.or_insert_with(|| "localhost:9900".parse().unwrap());
        self.send_as_is(request).await
    }

    pub(crate) async fn send_as_is(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let body = match content_type.is_some_and(|it| it == "text/event-stream") {
            // It goes on; its first part shows what it is.
            true => body.into_data_stream().next().await.unwrap(),
            false => to_bytes(body, usize::MAX).await,
        };
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.unwrap().into(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(crate) async fn write(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(json_request(method, path), body.to_string())
            .await
    }

    /// The list of rules as the port shows it.
    pub(crate) async fn rules(&self) -> Value {
        self.get("/v1/rules").await.json()
    }
}

pub(crate) fn json_request(method: &str, path: &str) -> request::Builder {
    let request = Request::builder().method(method).uri(path);
    request.header(header::CONTENT_TYPE, "application/json")
}

/// A rule that hits every call of `site`.
pub(crate) fn failing(site: &str) -> Value {
    json!({ "site": site, "faults": [{ "error": "broken" }] })
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A refusal, which must look like one.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
        problem
    }
}
