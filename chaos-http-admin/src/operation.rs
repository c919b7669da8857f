//! One route as OpenAPI says it. What it asks of a request is said by the extractors of its handler,
//! what it answers by its row in the table.

use axum::{
    Extension,
    extract::{OriginalUri, State},
    http::{Method, StatusCode},
};
use serde_json::{Map, Value, json};

/// Says of an extractor, or of a handler by all of its extractors, what it reads of a request and how
/// it refuses one. A handler of the table without it does not compile.
pub(crate) trait Asks {
    fn asks(operation: &mut Operation);
}

/// What the server brings, and no request.
impl<T> Asks for State<T> {
    fn asks(_: &mut Operation) {}
}

impl<T> Asks for Extension<T> {
    fn asks(_: &mut Operation) {}
}

impl Asks for OriginalUri {
    fn asks(_: &mut Operation) {}
}

/// axum knows a handler by a tuple of its extractors behind a mark of its own, or by this.
impl Asks for ((),) {
    fn asks(_: &mut Operation) {}
}

macro_rules! asks_of_each {
    ($($extractor:ident)+) => {
        impl<Mark, $($extractor: Asks),+> Asks for (Mark, $($extractor,)+) {
            fn asks(operation: &mut Operation) {
                $($extractor::asks(operation);)+
            }
        }
    };
}

asks_of_each!(A);
asks_of_each!(A B);
asks_of_each!(A B C);
asks_of_each!(A B C D);
asks_of_each!(A B C D E);
asks_of_each!(A B C D E F);
asks_of_each!(A B C D E F G);
asks_of_each!(A B C D E F G H);

/// A route in the making.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// The role that it takes, if it takes any.
    needs: Option<&'static str>,
    /// The types of body that the handler reads, if it reads one.
    body_types: &'static [&'static str],
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    body: Option<Value>,
}

impl Operation {
    /// What a handler asks, and what its row says.
    ///
    /// # Panics
    /// If the row names the schema of a body and the handler reads none, or the other way round.
    pub(crate) fn new<Handler: Asks>(
        method: Method,
        needs: Option<&'static str>,
        answers: Answers,
    ) -> Self {
        let mut operation = Self {
            method,
            needs,
            body_types: &[],
            parameters: Vec::new(),
            responses: Map::new(),
            body: None,
        };
        let behind_lock = needs.map_or(&[][..], |_| LOCKED_ROUTE);
        for status in EVERY_ROUTE.iter().chain(behind_lock) {
            operation.refuses(*status);
        }
        Handler::asks(&mut operation);
        answers.say(&mut operation);
        operation
    }

    /// Takes a parameter of the query, as the schema of this name says it.
    pub(crate) fn query(&mut self, name: &str, schema: &str, does: &str) {
        self.parameter("query", name, schema, does);
    }

    /// Takes a header.
    pub(crate) fn header(&mut self, name: &str, schema: &str, does: &str) {
        self.parameter("header", name, schema, does);
    }

    /// Takes a part of the path.
    pub(crate) fn path(&mut self, name: &str, schema: &str, does: &str) {
        self.parameter("path", name, schema, does);
    }

    fn parameter(&mut self, place: &str, name: &str, schema: &str, does: &str) {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": does,
            "schema": schema_of(schema),
        }));
    }

    /// Reads a body of one of these types; what is in it, the row says.
    pub(crate) fn body(&mut self, types: &'static [&'static str]) {
        self.body_types = types;
    }

    /// May answer with the problem that [`REFUSALS`] has for this status.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn refuses(&mut self, status: u16) {
        let known = REFUSALS.iter().find(|refusal| refusal.status == status);
        let refusal = known.expect("a status that stands in the table of refusals");
        let response = json!({ "$ref": format!("#/components/responses/{}", refusal.name) });
        self.responses.insert(status.to_string(), response);
    }

    /// The Operation Object.
    pub(crate) fn into_value(self, id: &str, does: &str) -> Value {
        let mut said = json!({
            "operationId": id,
            "summary": does,
            "parameters": self.parameters,
            "responses": self.responses,
        });
        // A port without tokens asks for none.
        said["security"] = match self.needs {
            Some(role) => json!([{}, { "bearer": [role] }]),
            None => json!([]),
        };
        if let Some(body) = self.body {
            said["requestBody"] = body;
        }
        said
    }
}

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

    fn say(self, operation: &mut Operation) {
        for (status, given) in self.given {
            let name = StatusCode::from_u16(status).ok();
            let name = name.and_then(|status| status.canonical_reason());
            let mut response = json!({ "description": name.unwrap_or_default() });
            match given {
                Given::Nothing => {}
                Given::Json(schema) => response["content"] = content("application/json", schema),
                Given::Text(media_type) => response["content"] = content(media_type, "Text"),
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

fn schema_of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(media_type: &str, schema: &str) -> Value {
    json!({ (media_type): { "schema": schema_of(schema) } })
}

fn header(schema: &str, says: &str) -> Value {
    json!({ "description": says, "required": true, "schema": schema_of(schema) })
}

/// A header of a refusal.
struct Extra {
    name: &'static str,
    schema: &'static str,
    says: &'static str,
    is_always_there: bool,
}

/// A status that says no, always with a problem as its body.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Of the response in the document.
    pub(crate) name: &'static str,
    says: &'static str,
    header: Option<Extra>,
}

/// What the door says to any request, of whatever route.
const EVERY_ROUTE: &[u16] = &[400, 403, 408, 421];

/// And where it asks for a token.
const LOCKED_ROUTE: &[u16] = &[401, 429];

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
