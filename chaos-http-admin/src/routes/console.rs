//! The console: a single page that loads nothing from elsewhere, with a content security policy
//! that enforces it.

use axum::{
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse},
};

use crate::problem::Problem;

const CONSOLE: &str = include_str!("console.html");

/// Serves the page.
pub(crate) async fn console() -> Result<impl IntoResponse, Problem> {
    let nonce = nonce()?;
    // Only scripts and styles with the nonce of this answer run, they can connect to this port
    // only, and no page can frame this one.
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        // With `no-referrer`, browsers would send `Origin: null` with some requests, which the port
        // refuses.
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    Ok((headers, Html(CONSOLE.replace("{nonce}", &nonce))))
}

/// Returns 128 unpredictable bits in hexadecimal.
fn nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system cannot provide random bytes: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
