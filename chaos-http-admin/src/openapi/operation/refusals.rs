//! The table of refusals: every status of an error, with its description in the document.

use serde_json::{Value, json};

use super::{content, header};

/// A status of an error, which always has a problem as its body.
pub(crate) struct Refusal {
    pub(super) status: u16,
    /// The name of the response in the document.
    pub(crate) name: &'static str,
    says: &'static str,
    header: Option<Extra>,
}

/// A header that comes with a refusal.
struct Extra {
    name: &'static str,
    schema: &'static str,
    says: &'static str,
    is_always_there: bool,
}

/// Every refusal of the port. 404 and 405 are also the answers of paths without a route.
#[rustfmt::skip]
pub(crate) const REFUSALS: &[Refusal] = &[
    refusal(400, "BadRequest", "A part of the request is invalid or not allowed."),
    refusal(401, "Unauthorized", "The port requires an access token, and the request has none, or an unknown one.")
        .with("WWW-Authenticate", "Challenge", "A challenge for a bearer token."),
    refusal(403, "Forbidden", "The request comes from a page of another origin, or the role of its token is too low.")
        .perhaps_with("WWW-Authenticate", "Challenge", "A challenge for a token with a higher role."),
    refusal(404, "NotFound", "There is no such rule, entry or site, or no route."),
    refusal(405, "MethodNotAllowed", "The route does not have this method.")
        .with("Allow", "Methods", "The methods that the route has."),
    refusal(408, "RequestTimeout", "The request took too long."),
    refusal(409, "Conflict", "The rule or the port is in a state that does not allow this."),
    refusal(410, "Gone", "The audit has dropped the entry."),
    refusal(412, "PreconditionFailed", "The generation of the rules is not in If-Match, or the rule exists and If-None-Match is `*`."),
    refusal(413, "ContentTooLarge", "The body is too large."),
    refusal(415, "UnsupportedMediaType", "The content type of the body is not JSON."),
    refusal(421, "MisdirectedRequest", "The host of the request is not a name of this server."),
    refusal(429, "TooManyRequests", "There were too many requests with unknown tokens, or there are too many requests of this client at a time.")
        .with("Retry-After", "Seconds", "When to try again."),
    refusal(503, "ServiceUnavailable", "There are sixteen event streams already, or four of this token; or the edit cannot be written into the audit file.")
        .with("Retry-After", "Seconds", "When to try again."),
    refusal(500, "InternalServerError", "The operating system cannot provide random bytes."),
];

const fn refusal(status: u16, name: &'static str, says: &'static str) -> Refusal {
    Refusal {
        status,
        name,
        says,
        header: None,
    }
}

impl Refusal {
    const fn with(self, name: &'static str, schema: &'static str, says: &'static str) -> Self {
        let is_always_there = true;
        Self {
            header: Some(Extra {
                name,
                schema,
                says,
                is_always_there,
            }),
            ..self
        }
    }

    const fn perhaps_with(
        self,
        name: &'static str,
        schema: &'static str,
        says: &'static str,
    ) -> Self {
        let is_always_there = false;
        Self {
            header: Some(Extra {
                name,
                schema,
                says,
                is_always_there,
            }),
            ..self
        }
    }

    /// Returns the Response Object.
    pub(crate) fn response(&self) -> Value {
        let mut response = json!({
            "description": self.says,
            "content": content("application/problem+json", "Problem"),
        });
        if let Some(Extra {
            name,
            schema,
            says,
            is_always_there,
        }) = self.header
        {
            let mut header = header(schema, says);
            header["required"] = is_always_there.into();
            response["headers"] = json!({ (name): header });
        }
        response
    }
}
