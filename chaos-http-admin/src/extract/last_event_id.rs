//! The id of an event, and the `Last-Event-ID` header with which a client resumes the stream after
//! it.

use std::{convert::Infallible, fmt};

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};

use crate::{
    history::process_id::process_id,
    openapi::operation::{Asks, Operation},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The header: `None` if it is absent, `Some(None)` if its value is not an id of this process.
pub(crate) struct LastEventId(pub(crate) Option<Option<EventId>>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let last = parts.headers.get(LAST_EVENT_ID);
        Ok(Self(
            last.map(|id| id.to_str().ok().and_then(EventId::parse)),
        ))
    }
}

impl Asks for LastEventId {
    fn asks(operation: &mut Operation) {
        let does =
            "The id of the last event that the client has received; the stream resumes after it.";
        operation.header("Last-Event-ID", "EventId", does);
    }
}

/// The id of an event: the position in the audit and in the injections that the stream has reached
/// with it.
///
/// It is written `PROCESS.ENTRY.INJECTION`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EventId {
    /// The id of the last audit entry.
    pub(crate) entry: u64,
    /// The number of the last injection.
    pub(crate) injection: u64,
}

impl EventId {
    /// Returns `None` for a text that is not an id, or is an id of another process.
    fn parse(id: &str) -> Option<Self> {
        let (of, position) = id.split_once('.')?;
        let (entry, injection) = position.split_once('.')?;
        let (entry, injection) = (entry.parse().ok()?, injection.parse().ok()?);
        (of == process_id()).then_some(Self { entry, injection })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", process_id(), self.entry, self.injection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is() {
        let id = EventId {
            entry: 7,
            injection: 12,
        };
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        for id in ["", "7", "7.12", "0.7.12", ".7.12", "other.7.12"] {
            assert_eq!(EventId::parse(id), None, "{id}");
        }
        for tail in ["", ".", ".7", ".7.", ".7.x", ".-7.1", ".7.12.1"] {
            assert_eq!(
                EventId::parse(&format!("{}{tail}", process_id())),
                None,
                "{tail}"
            );
        }
    }
}
