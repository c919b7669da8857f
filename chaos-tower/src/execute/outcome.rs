//! The outcome of a request that the inner service does not serve: an answer, an error, or a cut.

use std::io;

use bytes::Bytes;
use chaos_core::{
    Injected,
    decision::ActiveCall,
    fault::StreamReason,
    plan::{Answer, Cut, CutKind},
};
use http::{HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};

use crate::{
    body::FaultBody,
    connection::Connection,
    error::BoxError,
    execute::{cut_means::CutMeans, protocol::Protocol},
    surface::Surface,
};

/// How a plan ends a call: what the outcome is made of, once it is known that nothing holds it back.
pub(crate) enum Ending {
    Answer(Answer),
    /// The error, and the rule as the value of a header.
    Fail(Injected, HeaderValue),
    Cut(Cut),
}

impl Ending {
    /// Returns the outcome. `has_errors`: the surface can return an error.
    pub(crate) fn outcome(
        self,
        protocol: &Protocol,
        means: CutMeans,
        has_errors: bool,
        mut head: Parts,
    ) -> Outcome {
        let headers = &mut head.headers;
        match self {
            Self::Answer(answer) => Outcome::Answer(protocol.answer(&answer, headers)),
            Self::Fail(injected, _) if has_errors => Outcome::fail(injected, protocol),
            Self::Fail(injected, mark) => {
                let line = || injected.to_line().into();
                Outcome::Answer(protocol.failure(&injected, line, &mark, headers))
            }
            Self::Cut(cut) => Outcome::cut(cut, protocol, means, &head),
        }
    }
}

/// What the caller gets in place of the inner service's result.
pub(crate) enum Outcome {
    Answer(Response<Option<Bytes>>),
    /// The error, for a surface that can return one.
    Fail(BoxError),
    /// The error; a surface that cannot return it gets a body that fails before its first byte.
    Cut(BoxError, ConnectionCut),
    /// The client has disconnected, and receives nothing, whatever it is.
    Disconnected,
    /// The deadline of the call has passed. The error is the client's own, and not an injected one.
    OutOfTime,
}

/// How cutting a call off affects its connection.
pub(crate) enum ConnectionCut {
    /// The connection stays open.
    Stay,
    /// The connection is reset.
    Reset(Connection),
    /// The connection is closed if the server would not poll the body that fails.
    Close(Connection),
}

impl Outcome {
    /// Fails the call with an error of the kind that the stack returns for the real failure.
    pub(crate) fn fail(injected: Injected, protocol: &Protocol) -> Self {
        Self::Fail(error(injected, protocol))
    }

    /// Cuts the call off, and its connection if the kind of the cut or the method asks for it.
    pub(crate) fn cut(cut: Cut, protocol: &Protocol, means: CutMeans, head: &Parts) -> Self {
        let connection = || means.connection(&head.extensions);
        let connection_cut = if cut.kind() == CutKind::Reset {
            ConnectionCut::Reset(connection())
        } else if head.method == Method::HEAD && head.version < Version::HTTP_2 {
            ConnectionCut::Close(connection())
        } else {
            ConnectionCut::Stay
        };
        Self::Cut(cut_error(cut, protocol), connection_cut)
    }

    /// Returns whether it is a response.
    pub(crate) fn is_response(&self) -> bool {
        matches!(self, Self::Answer(_))
    }

    /// Returns the response, or the error of the surface. The connection is cut now.
    pub(crate) fn into_result<M, B, E>(self) -> Result<Response<FaultBody<B>>, M::Error>
    where
        M: Surface<Response<B>, E>,
    {
        let answer = |answer: Response<Option<Bytes>>| answer.map(FaultBody::full);
        let cut = |error| Response::new(FaultBody::cut(error));
        match self {
            Self::Answer(made) => Ok(answer(made)),
            Self::Fail(error) => M::fail(error).map_or_else(|error| Ok(cut(error)), Err),
            Self::Cut(error, connection_cut) => {
                if let ConnectionCut::Reset(connection) = &connection_cut {
                    connection.reset();
                }
                M::fail(error).map_or_else(
                    |error| {
                        let mut response = cut(error);
                        // Nobody receives this status where the body is polled. It makes guard rails count
                        // a failure, and a server poll the body of an answer to CONNECT.
                        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                        if let ConnectionCut::Close(connection) = connection_cut {
                            connection.close();
                            // This ends the connection if it is not known.
                            let close = HeaderValue::from_static("close");
                            response.headers_mut().insert(header::CONNECTION, close);
                        }
                        Ok(response)
                    },
                    Err,
                )
            }
            Self::Disconnected => {
                let error = io::Error::from(io::ErrorKind::ConnectionAborted);
                M::fail(error.into()).map_or_else(|error| Ok(cut(error)), Err)
            }
            Self::OutOfTime => M::fail(out_of_time()).map_or_else(|error| Ok(cut(error)), Err),
        }
    }
}

/// Returns the error of a call that is cut off. Its sources include the `h2::Error` from which hyper takes
/// the reason for resetting a stream.
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

/// Returns the error of a call whose deadline has passed: with tonic, the one in which its client finds the status.
fn out_of_time() -> BoxError {
    #[cfg(feature = "tonic")]
    return Box::new(tonic::TimeoutExpired(()));
    #[cfg(not(feature = "tonic"))]
    Box::new(io::Error::new(
        io::ErrorKind::TimedOut,
        crate::execute::deadline::DeadlinePassed,
    ))
}

/// Returns the error of a body that is cut short.
pub(crate) fn truncation(active_call: &ActiveCall, protocol: &Protocol) -> BoxError {
    let injected = active_call.injected(io::ErrorKind::UnexpectedEof, "body cut short");
    error(injected, protocol)
}

#[cfg(feature = "http2")]
fn stream_error(reason: StreamReason) -> Option<BoxError> {
    Some(Box::new(h2::Error::from(h2::Reason::from(reason.code()))))
}

#[cfg(not(feature = "http2"))]
fn stream_error(_: StreamReason) -> Option<BoxError> {
    None
}

/// Returns an error of the kind that the stack returns for the real failure.
fn error(injected: Injected, protocol: &Protocol) -> BoxError {
    #[cfg(feature = "tonic")]
    if protocol.is_grpc() {
        return status(injected);
    }
    let _ = protocol;
    Box::new(io::Error::from(injected))
}

/// Returns the status that tonic's client makes of the real failure. It is made here, and not by the
/// client, so that it holds [`Injected`] as its source.
#[cfg(feature = "tonic")]
fn status(injected: Injected) -> BoxError {
    use std::error::Error as _;

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
