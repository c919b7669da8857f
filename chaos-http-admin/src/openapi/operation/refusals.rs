//! Every status that says no, and what the document says of it: one table.

use serde_json::{Value, json};

use super::{content, header};

/// A status that says no, always with a problem as its body.
pub(crate) struct Refusal {
    pub(super) status: u16,
    /// Of the response in the document.
    pub(crate) name: &'static str,
    says: &'static str,
    header: Option<Extra>,
}

/// A header of a refusal.
struct Extra {
    name: &'static str,
    schema: &'static str,
    says: &'static str,
    is_always_there: bool,
}

/// Every refusal of the port. 404 and 405 are also the answers where no route is.
#[rustfmt::skip]
pub(crate) const REFUSALS: &[Refusal] = &[
    refusal(400, "BadRequest", "Part of the request cannot be understood, or is not allowed there."),
    refusal(401, "Unauthorized", "The port asks for a token, and has none that it knows.")
        .with("WWW-Authenticate", "Challenge", "It is a bearer's."),
    refusal(403, "Forbidden", "A page from elsewhere asks, or someone whose token is of another role.")
        .perhaps_with("WWW-Authenticate", "Challenge", "Of a token that is of another role."),
    refusal(404, "NotFound", "There is no such rule, or no route."),
    refusal(405, "MethodNotAllowed", "The path does not take this method.")
        .with("Allow", "Methods", "Those that it takes."),
    refusal(408, "RequestTimeout", "The request took too long."),
    refusal(409, "Conflict", "The rule, or the port, is not in a state to do this."),
    refusal(412, "PreconditionFailed", "The rules are not those of the If-Match."),
    refusal(413, "ContentTooLarge", "The body is too large."),
    refusal(415, "UnsupportedMediaType", "The body does not say that it is JSON."),
    refusal(421, "MisdirectedRequest", "The host is not a name of this server."),
    refusal(429, "TooManyRequests", "Too many tokens that were none.")
        .with("Retry-After", "Seconds", "When to try again."),
    refusal(503, "ServiceUnavailable", "Sixteen listen already.")
        .with("Retry-After", "Seconds", "When to try again."),
    refusal(500, "InternalServerError", "The system has no randomness to give."),
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

    /// The Response Object.
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
