//! What becomes of a connection that a client makes: it stays as it is, or it is wrapped.

use hyper_util::rt::TokioIo;

use crate::connection::{direction_faults::ConnectionByteFaults, io::FaultIo, socket::Socket};

/// What becomes of a connection that is made: [`Unwrapped`] or [`Wrapped`].
///
/// Sealed: what a rule asks of it is nobody else's.
pub trait WrapConnection<T>: sealed::Wraps<T> {}

impl<M: sealed::Wraps<T>, T> WrapConnection<T> for M {}

/// It stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct Unwrapped;

/// It is wrapped, so that rules reach its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Wrapped;

/// What is to be done to its bytes.
#[derive(Debug, Default)]
pub struct ConnectionPlan(pub(crate) ConnectionByteFaults);

mod sealed {
    use super::{ConnectionPlan, FaultIo, Socket, TokioIo, Unwrapped, Wrapped};

    pub trait Wraps<T> {
        type Response;
        const WRAPS: bool;

        fn wrap(connection: T, deeds: ConnectionPlan) -> Self::Response;
    }

    impl<T> Wraps<T> for Unwrapped {
        type Response = T;
        const WRAPS: bool = false;

        fn wrap(connection: T, _: ConnectionPlan) -> T {
            connection
        }
    }

    impl<T: Socket> Wraps<T> for Wrapped {
        /// For hyper, of what hyper's is made into for tokio.
        type Response = TokioIo<FaultIo<TokioIo<T>>>;
        const WRAPS: bool = true;

        fn wrap(connection: T, deeds: ConnectionPlan) -> Self::Response {
            let io = FaultIo::new(TokioIo::new(connection));
            TokioIo::new(match deeds.0.are_idle() {
                true => io,
                false => io.connected(deeds.0),
            })
        }
    }
}
