//! The two directions in which the bytes of a call travel.

/// A direction of a call: of its request or of its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    #[default]
    Response,
}
