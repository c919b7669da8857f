//! Whether a connection that a client makes keeps its type, or is wrapped.

use hyper_util::rt::TokioIo;

use crate::connection::{
    direction_faults::ConnectionByteFaults, io::FaultIo, site_watch::SiteWatch, socket::Socket,
};

/// Whether a connection that is made keeps its type: [`Unwrapped`], or becomes a [`FaultIo`]: [`Wrapped`].
///
/// Sealed.
pub trait WrapConnection<T>: sealed::Wraps<T> {}

impl<M: sealed::Wraps<T>, T> WrapConnection<T> for M {}

/// The connection keeps its type.
#[derive(Clone, Copy, Debug)]
pub struct Unwrapped;

/// The connection is wrapped, so that faults on its bytes work.
#[derive(Clone, Copy, Debug)]
pub struct Wrapped;

/// The faults on the bytes of a connection, and the site whose rules are asked about it later.
#[derive(Debug)]
pub struct ConnectionPlan {
    byte_faults: ConnectionByteFaults,
    site_watch: Option<SiteWatch>,
}

impl ConnectionPlan {
    pub(crate) fn new(byte_faults: ConnectionByteFaults, site_watch: Option<SiteWatch>) -> Self {
        Self {
            byte_faults,
            site_watch,
        }
    }
}

mod sealed {
    use super::{ConnectionPlan, FaultIo, Socket, TokioIo, Unwrapped, Wrapped};

    pub trait Wraps<T> {
        type Response;
        const WRAPS: bool;

        fn wrap(connection: T, plan: ConnectionPlan) -> Self::Response;
    }

    impl<T> Wraps<T> for Unwrapped {
        type Response = T;
        const WRAPS: bool = false;

        fn wrap(connection: T, _: ConnectionPlan) -> T {
            connection
        }
    }

    impl<T: Socket> Wraps<T> for Wrapped {
        /// A type for hyper, around one for tokio, around the connection for hyper.
        type Response = TokioIo<FaultIo<TokioIo<T>>>;
        const WRAPS: bool = true;

        fn wrap(connection: T, plan: ConnectionPlan) -> Self::Response {
            let io = TokioIo::new(connection);
            TokioIo::new(FaultIo::connected(io, plan.byte_faults, plan.site_watch))
        }
    }
}
