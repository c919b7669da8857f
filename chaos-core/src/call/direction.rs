//! Which of the two ways that a call's bytes go.

/// Which way: what is asked, or what is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    #[default]
    Response,
}
