//! How far a listener is: what an event's id says, and how a listener comes back to it.

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

/// The position in it, if there is one, and if it is of this process.
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
        let does = "The id of the last event that was seen: it goes on after that one.";
        operation.header("Last-Event-ID", "EventId", does);
    }
}

/// How far a listener is: the last entry of the audit, and the last injection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EventId {
    pub(crate) entry: u64,
    pub(crate) injection: u64,
}

impl EventId {
    /// Of this process, or none.
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
