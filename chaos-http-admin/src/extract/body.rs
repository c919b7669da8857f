//! The extractor of a JSON body, which checks its content type and size.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mime::Mime;

use crate::{
    openapi::operation::{Asks, Operation},
    problem::Problem,
};

/// The size limit of a body, in bytes. It fits about ten thousand rules, and bounds the memory that
/// a request uses.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

const JSON: &str = "application/json";
/// The content type of a `PATCH` by RFC 7396. Plain JSON is accepted as well.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The bytes of a body whose content type is JSON.
///
/// A body with another content type is refused before it is read: a form on another site's page can
/// send any text, but a cross-origin request with this type needs a preflight, which the port does
/// not answer.
#[derive(Debug)]
pub(crate) struct JsonBody(pub(crate) Bytes);

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let types = types(request.method());
        if !is_one_of(types, request.headers()) {
            let detail = "the content type of the body is not JSON";
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
            return Err(problem.at("Content-Type", types.join(" or ")));
        }
        read(request).await.map(Self)
    }
}

impl JsonBody {
    /// Reads the body of a request that no page can have sent, whatever type it names.
    pub(crate) async fn of_any_type(request: Request) -> Result<Self, Problem> {
        read(request).await.map(Self)
    }
}

impl Asks for JsonBody {
    fn asks(operation: &mut Operation) {
        operation.body(types(&operation.method));
        operation.refuses(413);
        operation.refuses(415);
    }
}

fn types(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::PATCH => &[MERGE_PATCH, JSON],
        _ => &[JSON],
    }
}

fn is_one_of(types: &[&str], headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let mime = content_type.and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    mime.is_some_and(|mime| types.contains(&mime.essence_str()))
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    // Refusing by `Content-Length` spares a client that waits for `100 Continue` from sending the
    // body.
    if length.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => too_large(),
        false => Problem::new(
            StatusCode::BAD_REQUEST,
            "the connection ended before the end of the body",
        ),
    })?;
    Ok(body.to_bytes())
}

fn too_large() -> Problem {
    let problem = Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is larger than the limit",
    );
    problem.at("body", format!("at most {MAX_BODY} bytes"))
}
