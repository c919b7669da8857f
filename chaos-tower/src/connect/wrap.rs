//! What becomes of a connection that a client makes: it stays as it is, or it is wrapped.

use hyper_util::rt::TokioIo;

use crate::connection::{direction::Lanes, io::FaultIo, socket::Socket};

/// What becomes of a connection that is made: [`AsItIs`] or [`Wrapped`].
///
/// Sealed: what a rule asks of it is nobody else's.
pub trait Form<T>: sealed::Wrap<T> {}

impl<M: sealed::Wrap<T>, T> Form<T> for M {}

/// It stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

/// It is wrapped, so that rules reach its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Wrapped;

/// What is to be done to its bytes.
#[derive(Debug, Default)]
pub struct Deeds(pub(crate) Lanes);

mod sealed {
    use super::{AsItIs, Deeds, FaultIo, Socket, TokioIo, Wrapped};

    pub trait Wrap<T> {
        type Response;
        const WRAPS: bool;

        fn wrap(connection: T, deeds: Deeds) -> Self::Response;
    }

    impl<T> Wrap<T> for AsItIs {
        type Response = T;
        const WRAPS: bool = false;

        fn wrap(connection: T, _: Deeds) -> T {
            connection
        }
    }

    impl<T: Socket> Wrap<T> for Wrapped {
        /// For hyper, of what hyper's is made into for tokio.
        type Response = TokioIo<FaultIo<TokioIo<T>>>;
        const WRAPS: bool = true;

        fn wrap(connection: T, deeds: Deeds) -> Self::Response {
            let io = FaultIo::new(TokioIo::new(connection));
            TokioIo::new(match deeds.0.are_idle() {
                true => io,
                false => io.connected(deeds.0),
            })
        }
    }
}
