//! What every request passes on its way in, and every answer on its way out.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{guard::Hosts, problem::Problem};

/// For a whole request. Nothing here takes long but a body that is slow to come.
const MAX_TIME: Duration = Duration::from_secs(10);

pub(crate) async fn keep(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match hosts.admit(request.method(), request.uri(), request.headers()) {
        Ok(()) => in_time(next.run(request)).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    // All that is said here is about this moment, and nothing of it is a script.
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

async fn in_time(response: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(MAX_TIME, response).await {
        Ok(response) => response,
        Err(_) => {
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long");
            let allowed = format!("{} seconds for a whole request", MAX_TIME.as_secs());
            problem.at("body", allowed).into_response()
        }
    }
}
