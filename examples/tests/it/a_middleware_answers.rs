//! Faults in front of a client of reqwest-middleware: a middleware that passes a site, and answers for a rule.

use axum::{Router, routing::get};
use chaos_core::{Injected, Overlay, global, inject_async, wire};
use chaos_examples::Error;
use reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Makes each request pass the site `http.client`. Those above it, such as a retry, see a fault as they see what
/// the client itself returns.
struct Faults;

#[async_trait::async_trait]
impl Middleware for Faults {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut axum::http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let (method, url) = (request.method().as_str(), request.url());
        let (host, path) = (url.host_str().unwrap_or_default(), url.path());
        match inject_async!("http.client", method = method, host = host, path = path).await {
            Ok(()) => next.run(request, extensions).await,
            Err(injected) => respond(injected),
        }
    }
}

/// Returns the answer of a `status` or `grpc` fault, and the error of any other.
fn respond(injected: Injected) -> reqwest_middleware::Result<Response> {
    let Some(answer) = injected.answer() else {
        return Err(reqwest_middleware::Error::middleware(injected));
    };
    let (status, headers, body) = answer.clone().into_parts();
    let mut response = axum::http::Response::new(body.unwrap_or_default());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response.into())
}

/// Asks again after an answer with a status of a server's failure.
struct Retry;

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut axum::http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let again = request.try_clone().filter(|it| it.method().is_idempotent());
        let response = next.clone().run(request, extensions).await?;
        match again.filter(|_| response.status().is_server_error()) {
            Some(request) => next.run(request, extensions).await,
            None => Ok(response),
        }
    }
}

async fn start() -> Result<(String, ClientWithMiddleware), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/price", listener.local_addr()?);
    let app = Router::new().route("/price", get(async || "42"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let plain = reqwest::Client::builder().no_proxy().build()?;
    Ok((
        url,
        ClientBuilder::new(plain).with(Retry).with(Faults).build(),
    ))
}

fn armed(fault: Value) -> Result<Overlay, Error> {
    let overlay = Overlay::new(global());
    let site = json!({ "site": "http.client", "match": { "labels": { "path": "/price" } } });
    let mut rule = site;
    rule["faults"] = json!([fault]);
    rule["limit"] = json!(1);
    overlay.put(wire::rule_from_value(rule, Some("r"))?);
    Ok(overlay)
}

#[tokio::test]
async fn a_status_fault_is_an_answer() -> Result<(), Error> {
    let (url, client) = start().await?;
    let headers = json!({ "retry-after": "3" });
    let fault = json!({ "status": { "code": 429, "json": { "code": 7 }, "headers": headers } });
    let overlay = armed(fault)?;
    let response = overlay.run(client.get(&url).send()).await?;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "3");
    assert_eq!(response.json::<Value>().await?["code"], 7);
    // The rule is used up.
    let response = overlay.run(client.get(&url).send()).await?;
    assert_eq!(response.text().await?, "42");

    let overlay = armed(json!({ "grpc": { "code": "UNAVAILABLE", "message": "soon" } }))?;
    let response = overlay.run(client.post(&url).send()).await?;
    assert_eq!(
        (response.status().as_u16(), &*response.text().await?),
        (503, "soon\n")
    );
    Ok(())
}

#[tokio::test]
async fn a_retry_above_hides_it() -> Result<(), Error> {
    let (url, client) = start().await?;
    let overlay = armed(json!({ "status": 503 }))?;
    let response = overlay.run(client.get(&url).send()).await?;
    assert_eq!(response.text().await?, "42");
    assert_eq!(overlay.counts("r").ok_or("armed")?.injected, 1);
    Ok(())
}

#[tokio::test]
async fn an_error_fault_is_an_error_of_the_middleware() -> Result<(), Error> {
    let (url, client) = start().await?;
    let overlay = armed(json!({ "error": { "kind": "connection_refused" } }))?;
    let error = overlay.run(client.get(&url).send()).await.unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else {
        return Err(error.into());
    };
    let injected = error
        .downcast_ref::<Injected>()
        .ok_or("an injected error")?;
    assert_eq!(injected.rule().as_str(), "r");
    Ok(())
}
