//! How a request ends that is not served: with an answer, with an error, or cut off.

use std::{error::Error, io};

use bytes::Bytes;
use chaos_core::{Cut, CutKind, Injected, StreamReason};
use http::{Extensions, Response};
use http_body::Body;

use crate::{
    body::FaultBody,
    connection::Connection,
    error::BoxError,
    execute::protocol::Protocol,
    surface::{Bodies, Surface},
};

/// What a request is given in place of being served.
pub(crate) enum Ending {
    Answer(Response<Option<Bytes>>),
    /// The error, and the answer that says it where there is no room for errors.
    Fail(BoxError, Response<Option<Bytes>>),
    /// Where there is no room for errors, the body breaks off before it begins.
    Cut(BoxError),
}

impl Ending {
    pub(crate) fn fail(injected: Injected, protocol: &Protocol) -> Self {
        let answer = protocol.failure(&injected);
        Self::Fail(error(injected, protocol), answer)
    }

    /// Cuts off, now.
    pub(crate) fn cut(cut: Cut, protocol: &Protocol, extensions: &Extensions) -> Self {
        if cut.kind() == CutKind::Reset {
            Connection::of(extensions).reset();
        }
        Self::Cut(cut_error(cut, protocol))
    }

    /// The client has gone.
    pub(crate) fn gone() -> Self {
        Self::Cut(Box::new(io::Error::from(io::ErrorKind::ConnectionAborted)))
    }

    /// As the stack takes it.
    pub(crate) fn end<M, B, E>(self) -> Result<Response<<M as Bodies<B>>::Body>, M::Error>
    where
        M: Bodies<B> + Surface<Response<B>, E>,
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let answer = |answer: Response<Option<Bytes>>| {
            answer.map(|body| <M as Bodies<B>>::take(FaultBody::full(body)))
        };
        match self {
            Self::Answer(made) => Ok(answer(made)),
            Self::Fail(error, made) => match M::fail(error) {
                Ok(error) => Err(error),
                Err(_) => Ok(answer(made)),
            },
            Self::Cut(error) => match M::fail(error) {
                Ok(error) => Err(error),
                Err(error) => Ok(Response::new(<M as Bodies<B>>::take(FaultBody::cut(error)))),
            },
        }
    }
}

/// The error of a call that is cut off: with the reason that hyper gives for resetting a stream
/// among its sources.
pub(crate) fn cut_error(cut: Cut, protocol: &Protocol) -> BoxError {
    let reason = match cut.kind() {
        CutKind::Stream(reason) => Some(reason),
        CutKind::Refuse => Some(StreamReason::REFUSED_STREAM),
        CutKind::Close | CutKind::Reset | CutKind::GoAway => None,
    };
    let injected = cut.into_injected();
    error(
        match reason.and_then(stream_error) {
            Some(reason) => injected.with_source(reason),
            None => injected,
        },
        protocol,
    )
}

type Source = Box<dyn Error + Send + Sync>;

#[cfg(feature = "http2")]
fn stream_error(reason: StreamReason) -> Option<Source> {
    Some(Box::new(h2::Error::from(h2::Reason::from(reason.code()))))
}

#[cfg(not(feature = "http2"))]
fn stream_error(_: StreamReason) -> Option<Source> {
    None
}

/// An error of the kind that the stack's own would be.
fn error(injected: Injected, protocol: &Protocol) -> BoxError {
    #[cfg(feature = "tonic")]
    if protocol.is_grpc() {
        return status(injected);
    }
    let _ = protocol;
    Box::new(io::Error::from(injected))
}

/// The status that tonic's client makes of the same thing when it is real. As a status, because what
/// it makes one of holds no other error, and what was injected is to be found in it.
#[cfg(feature = "tonic")]
fn status(injected: Injected) -> BoxError {
    let reason = injected.source().and_then(|source| source.downcast_ref());
    let reason = reason.and_then(h2::Error::reason);
    let kind = injected.kind();
    let injected = io::Error::from(injected);
    let real: BoxError = match (reason, kind) {
        (_, io::ErrorKind::ConnectionRefused) => {
            Box::new(tonic::ConnectError(injected.to_string().into()))
        }
        (Some(reason), _) => Box::new(h2::Error::from(reason)),
        (None, io::ErrorKind::TimedOut) => Box::new(tonic::TimeoutExpired(())),
        (None, _) => return Box::new(injected),
    };
    let mut status = tonic::Status::from_error(real);
    status.set_source(std::sync::Arc::new(injected));
    Box::new(status)
}
