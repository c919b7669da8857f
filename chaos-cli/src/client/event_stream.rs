//! A stream of server-sent events from a port.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Response, header};
use serde_json::Value;
use tokio::time::timeout;

pub(crate) use crate::client::event_parser::Event;
use crate::{
    client::{Client, answer::next_part, event_parser::Parser, no_answer, request::Request},
    failure::{Exit, Failure},
};

/// The longest time in which nothing comes. A port sends at least a comment each 15 seconds.
const SILENCE: Duration = Duration::from_secs(40);

/// The events that answer a request.
pub(crate) struct EventStream {
    response: Response,
    parser: Parser,
    /// Events that have come, and were not asked for yet.
    ready: VecDeque<Event>,
}

impl EventStream {
    /// Sends the request, and waits for the head of the answer.
    pub(crate) async fn open(client: &Client, request: Request) -> Result<Self, Failure> {
        let response = client.open(request).await?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.starts_with("text/event-stream") {
            true => Ok(Self {
                response,
                parser: Parser::default(),
                ready: VecDeque::new(),
            }),
            false => Err(no_stream()),
        }
    }

    /// Returns the next event; `None` at the end of the stream. Cancel safe: no event is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let part = timeout(SILENCE, next_part(&mut self.response)).await;
            let part = part.unwrap_or_else(|_| Err(no_answer("the stream has fallen silent")));
            match part? {
                Some(bytes) => self.ready.extend(self.parser.read(&bytes)?),
                None => return Ok(None),
            }
        }
    }
}

impl Event {
    /// Returns the data; `null` if it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// Returns the failure for a stream that no port sends.
pub(super) fn no_stream() -> Failure {
    let detail = "what answers there is no event stream of an admin port";
    Failure::new(Exit::Refused, detail)
}
