//! What both ends of a call must see, by the model.

use super::flow::Flow;
use crate::support::heard::End;

/// What both ends of a call must see.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Whether the service behind the layer was called.
    pub(super) is_served: bool,
    pub(super) x_ask: Option<String>,
    /// What the service read, where it reads the body to its end.
    pub(super) upload: Option<Flow>,
    /// The head of the answer; `None` if there is none.
    pub(super) head: Option<HeadSeen>,
    pub(super) body: Flow,
    /// All ways in which it may end.
    pub(super) ends: Vec<End>,
    /// Whether HTTP/2 may give any reason.
    pub(super) any_reason: bool,
    /// Whether bytes, and the head, may be lost on their way.
    pub(super) is_lossy: bool,
    /// Whether a client that expects it is told to go on.
    pub(super) is_told_to_go_on: bool,
    /// Whether the connection serves other calls afterwards.
    pub(super) goes_on: bool,
    /// How long it takes at least, in milliseconds: until the head, and until the end.
    pub(super) head_after: u64,
    pub(super) end_after: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct HeadSeen {
    pub(super) status: u16,
    /// In the headers.
    pub(super) grpc_status: Option<u16>,
    pub(super) marks: Vec<String>,
    pub(super) x_set: Option<String>,
    pub(super) x_heard: bool,
    /// HTTP/1 says that the connection is closed.
    pub(super) closes: bool,
}
