//! One route as an OpenAPI operation. The extractors of its handler describe what it reads of a request, and
//! its row in the table of routes describes its answers.

mod answers;
mod refusals;

use axum::{
    Extension,
    extract::{OriginalUri, State},
    http::Method,
};
use serde_json::{Map, Value, json};

pub(crate) use self::{
    answers::{Answers, Given, answers},
    refusals::REFUSALS,
};

/// Describes what an extractor, or a handler by all of its extractors, reads of a request and how it refuses
/// one. A handler in the table must implement it.
pub(crate) trait Asks {
    fn asks(operation: &mut Operation);
}

/// State reads nothing of a request.
impl<T> Asks for State<T> {
    fn asks(_: &mut Operation) {}
}

impl<T> Asks for Extension<T> {
    fn asks(_: &mut Operation) {}
}

impl Asks for OriginalUri {
    fn asks(_: &mut Operation) {}
}

/// axum identifies a handler by a tuple of its extractors behind a marker type; this one has no extractors.
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

/// The description of one route, to which extractors and the row add.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// The role that the route requires, if any.
    needs: Option<&'static str>,
    /// The media types that the handler reads; none if it reads no body.
    body_types: &'static [&'static str],
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    body: Option<Value>,
}

impl Operation {
    /// Describes a handler and its row.
    ///
    /// # Panics
    /// Panics if the row names the schema of a body and the handler reads none, or the other way round.
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

    /// Adds a parameter of the query with the schema of this name.
    /// Returns whether there is a query parameter of this name.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|parameter| parameter["in"] == "query" && parameter["name"] == name)
    }

    pub(crate) fn query(&mut self, name: &str, schema: &str, does: &str) {
        self.parameter("query", name, schema, does);
    }

    /// Adds a header of the request.
    pub(crate) fn header(&mut self, name: &str, schema: &str, does: &str) {
        self.parameter("header", name, schema, does);
    }

    /// Adds a parameter of the path.
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

    /// Adds a body of one of these media types. The row names its schema.
    pub(crate) fn body(&mut self, types: &'static [&'static str]) {
        self.body_types = types;
    }

    /// Adds the problem that [`REFUSALS`] has for this status.
    ///
    /// # Panics
    /// Panics if the table has none.
    pub(crate) fn refuses(&mut self, status: u16) {
        let known = REFUSALS.iter().find(|refusal| refusal.status == status);
        let refusal = known.expect("a status that stands in the table of refusals");
        let response = json!({ "$ref": format!("#/components/responses/{}", refusal.name) });
        self.responses.insert(status.to_string(), response);
    }

    /// Returns the Operation Object.
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

/// The refusals of every route, before its handler is asked.
const EVERY_ROUTE: &[u16] = &[400, 403, 408, 421, 429];

/// The refusals of a route that requires a token.
const LOCKED_ROUTE: &[u16] = &[401];

fn schema_of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(media_type: &str, schema: &str) -> Value {
    json!({ (media_type): { "schema": schema_of(schema) } })
}

fn header(schema: &str, says: &str) -> Value {
    json!({ "description": says, "required": true, "schema": schema_of(schema) })
}
