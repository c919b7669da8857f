//! The console: one page without anything from elsewhere, and a policy that keeps it so.

use axum::{
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse},
};

use crate::problem::Problem;

const CONSOLE: &str = include_str!("console.html");

pub(crate) async fn console() -> Result<impl IntoResponse, Problem> {
    let nonce = nonce()?;
    // Only what carries this answer's nonce runs, talks to nobody but us, and is in no frame.
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        // Not `no-referrer`, which would make browsers send `Origin: null` with some requests.
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    Ok((headers, Html(CONSOLE.replace("{nonce}", &nonce))))
}

/// 128 bits that nobody can guess, in hexadecimal.
fn nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("no randomness for the page: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
