//! The answers of a route and the body that it takes, as a row of the table of routes names them.

use axum::http::StatusCode;
use serde_json::{Map, json};

use super::{Operation, content, header, schema_of};

/// The answers of a route, and the body that it takes if its handler reads one. Names are those of schemas.
#[must_use]
pub(crate) struct Answers {
    takes: Option<&'static str>,
    given: Vec<(u16, Given)>,
    tagged: bool,
    refuses: Vec<u16>,
}

/// The body of an answer.
#[derive(Clone, Copy)]
pub(crate) enum Given {
    Nothing,
    Json(&'static str),
    /// A text of this media type.
    Text(&'static str),
    /// A stream of server-sent events, each as an object: OpenAPI before version 3.2 has no other way.
    Events(&'static str),
}

/// Makes the description of a route with this answer.
pub(crate) fn answers(status: u16, given: Given) -> Answers {
    Answers {
        takes: None,
        given: vec![(status, given)],
        tagged: false,
        refuses: Vec::new(),
    }
}

impl Answers {
    /// Adds another answer.
    pub(crate) fn or(mut self, status: u16, given: Given) -> Self {
        self.given.push((status, given));
        self
    }

    /// Names the schema of the body that the route takes.
    pub(crate) fn to(mut self, schema: &'static str) -> Self {
        self.takes = Some(schema);
        self
    }

    /// Says that the answers carry the generation as their `ETag`.
    pub(crate) fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// Adds a problem to those that the extractors give.
    pub(crate) fn refuses(mut self, status: u16) -> Self {
        self.refuses.push(status);
        self
    }

    pub(super) fn say(self, operation: &mut Operation) {
        for (status, given) in self.given {
            let name = StatusCode::from_u16(status).ok();
            let name = name.and_then(|status| status.canonical_reason());
            let mut response = json!({ "description": name.unwrap_or_default() });
            match given {
                Given::Nothing => {}
                Given::Json(schema) => response["content"] = content("application/json", schema),
                Given::Events(schema) => {
                    response["content"] = content("text/event-stream", schema);
                }
                Given::Text(media_type) => response["content"] = content(media_type, "PlainText"),
            }
            if self.tagged {
                let tag = header("EntityTag", "The generation of the rules.");
                response["headers"] = json!({ "ETag": tag });
            }
            operation.responses.insert(status.to_string(), response);
        }
        for status in self.refuses {
            operation.refuses(status);
        }
        let types = operation.body_types;
        assert_eq!(
            self.takes.is_some(),
            !types.is_empty(),
            "a row names the schema of a body if its handler reads one",
        );
        operation.body = self.takes.map(|schema| {
            let content = types.iter().map(|media_type| {
                let schema = json!({ "schema": schema_of(schema) });
                ((*media_type).to_owned(), schema)
            });
            json!({ "required": true, "content": Map::from_iter(content) })
        });
    }
}
