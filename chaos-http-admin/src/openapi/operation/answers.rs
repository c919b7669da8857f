//! What a row of the table of routes says: the body that the route takes, and its answers.

use axum::http::StatusCode;
use serde_json::{Map, json};

use super::{Operation, content, header, schema_of};

/// What a row of the table says: the body that the route takes, if its handler reads one, and its
/// answers. The names are those of the schemas.
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
    /// A text of this type.
    Text(&'static str),
    /// A stream of server-sent events, each as an object: what OpenAPI makes of them before version 3.2.
    Events(&'static str),
}

/// Answers with this.
pub(crate) fn answers(status: u16, given: Given) -> Answers {
    Answers {
        takes: None,
        given: vec![(status, given)],
        tagged: false,
        refuses: Vec::new(),
    }
}

impl Answers {
    /// Or with that.
    pub(crate) fn or(mut self, status: u16, given: Given) -> Self {
        self.given.push((status, given));
        self
    }

    /// To a body as the schema of this name says it.
    pub(crate) fn to(mut self, schema: &'static str) -> Self {
        self.takes = Some(schema);
        self
    }

    /// With the generation as their `ETag`.
    pub(crate) fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// Or with a problem, besides those that the extractors give.
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
