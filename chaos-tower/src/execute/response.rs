//! What the rules do to the response of a call, whoever makes it: waits, headers, its body, its mark.

use bytes::Bytes;
use chaos_core::{decision::ActiveCall, fault::HeaderEdit, plan::WaitAfter};
use http::{HeaderValue, Response, StatusCode, Version, header, response::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, EarlyEnd, EndSignal, FaultBody, most_bytes},
    connection::{
        Connection,
        peer_watch::{INTERVAL, wait_while_there},
    },
    error::BoxError,
    execute::{protocol::Protocol, response_wait::ResponseWait},
};

/// What is planned for the response, each kind in the order of the rules.
///
/// No injection has begun yet. Each begins when there is a response that it can act on, or a result that it
/// can hold back; one for which there is none is not counted, and gives back what it has reserved.
#[derive(Default)]
pub(crate) struct ResponsePlan {
    waits: Vec<ResponseWait>,
    changes: Vec<Change>,
    /// Whether this is the last response of its connection.
    closes: bool,
}

/// One change of a response.
enum Change {
    Headers(HeaderEdit, ActiveCall),
    Body(BodyFault),
}

impl ResponsePlan {
    pub(crate) fn wait(&mut self, wait: WaitAfter, active_call: ActiveCall) {
        self.waits.push(ResponseWait::new(wait, active_call));
    }

    pub(crate) fn headers(&mut self, edit: HeaderEdit, active_call: ActiveCall) {
        self.changes.push(Change::Headers(edit, active_call));
    }

    pub(crate) fn body(&mut self, fault: BodyFault) {
        self.changes.push(Change::Body(fault));
    }

    pub(crate) fn go_away(&mut self, connection: &Connection) {
        self.closes = true;
        connection.go_away();
    }

    /// Drops what waits for a signal that can no longer fire, because the fault on the request cannot act.
    pub(crate) fn drop_dead_signals(&mut self) {
        self.changes.retain(|change| match change {
            Change::Body(fault) => fault.signal().is_none_or(EndSignal::may_fire),
            Change::Headers(..) => true,
        });
    }

    /// Returns where to look whether the client has gone while the response or its body waits, if that may take
    /// long.
    pub(crate) fn to_look_at(
        &self,
        connection: impl FnOnce() -> Option<Box<Connection>>,
    ) -> Option<Box<Connection>> {
        let is_long = self.waits.iter().any(|wait| wait.time() > INTERVAL);
        let holds_body =
            |change: &Change| matches!(change, Change::Body(fault) if fault.may_hold());
        (is_long || self.changes.iter().any(holds_body))
            .then(connection)
            .flatten()
    }

    /// Returns whether nothing is to be done to the response.
    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.changes.is_empty() && !self.closes
    }

    pub(crate) fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Waits for everything that holds the result back. Returns `false` if the client has gone meanwhile.
    pub(crate) async fn wait_all(&mut self, connection: &mut Option<Box<Connection>>) -> bool {
        for wait in self.waits.drain(..) {
            let Some(connection) = connection else {
                wait.wait().await;
                continue;
            };
            let time = wait.time();
            if !wait_while_there(wait.wait(), time, || connection.has_gone()).await {
                return false;
            }
        }
        true
    }

    /// Begins the changes that can act on this response, and drops the others. Returns whether any is left.
    pub(crate) fn begin<B>(&mut self, response: &Response<B>, protocol: &Protocol) -> bool
    where
        B: Body<Data = Bytes>,
    {
        let (body, headers) = (response.body(), response.headers());
        let is_over = !protocol.has_body(response.status()) || body.is_end_stream();
        let most_bytes = most_bytes(is_over, &body.size_hint(), headers);
        let is_stream = protocol.is_http2() || response.version() == Version::HTTP_2;
        let can_act = |fault: &BodyFault| fault.acts_on(most_bytes, is_stream);
        let end = EarlyEnd::of(
            (self.changes.iter().enumerate()).filter_map(|(at, change)| match change {
                Change::Body(fault) if can_act(fault) && !fault.active_call().is_over() => {
                    Some((at, fault))
                }
                _ => None,
            }),
        );
        let mut positions = 0..;
        self.changes.retain(|change| {
            let at = positions.next().unwrap_or_default();
            match change {
                Change::Headers(_, active_call) => active_call.begin(),
                Change::Body(fault) => {
                    can_act(fault) && end.leaves(at, fault) && fault.active_call().begin()
                }
            }
        });
        self.closes || !self.changes.is_empty()
    }

    /// Applies the changes that have begun. `is_client`: whether the response comes from a server.
    pub(crate) fn apply<B>(
        self,
        response: Response<FaultBody<B>>,
        protocol: &Protocol,
        is_client: bool,
        connection: Option<Box<Connection>>,
    ) -> Response<FaultBody<B>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        // A connection that changes its protocol carries no other request, and says so in this header.
        let closes = self.closes && response.status() != StatusCode::SWITCHING_PROTOCOLS;
        let (mut head, body) = response.into_parts();
        let has_framing = has_framing(&head, is_client);
        for change in &self.changes {
            if let Change::Headers(edit, _) = change {
                edit.apply(&mut head.headers);
            }
        }
        let mut faults = Vec::new();
        // After the edits, none of which is to change a mark.
        for change in self.changes {
            match change {
                Change::Headers(_, active_call) => {
                    protocol.mark(&mut head.headers, active_call.mark());
                }
                Change::Body(fault) => {
                    protocol.mark(&mut head.headers, fault.active_call().mark());
                    faults.push(match has_framing {
                        true => fault,
                        false => fault.without_framing(),
                    });
                }
            }
        }
        if closes {
            // HTTP/1 closes the connection. HTTP/2 has no such header, and hyper removes it.
            let close = HeaderValue::from_static("close");
            head.headers.insert(header::CONNECTION, close);
        }
        Response::from_parts(head, body.faulty(faults, connection))
    }
}

/// Whether a reader of the body can tell that it was cut short (RFC 9112, 6.3). That of HTTP/1 without a
/// length ends with its connection.
///
/// A server sends a body of unknown length in chunks, unless the client is one of HTTP/1.0. It closes the
/// connection of a body that fails, so that is right for such a client, too.
fn has_framing(head: &Parts, is_client: bool) -> bool {
    let headers = &head.headers;
    let closes = || {
        let close = headers.get(header::CONNECTION);
        is_client && close.is_some_and(|close| close.as_bytes().eq_ignore_ascii_case(b"close"))
    };
    headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING)
        || match head.version {
            Version::HTTP_09 | Version::HTTP_10 => false,
            Version::HTTP_11 => !closes(),
            _ => true,
        }
}
