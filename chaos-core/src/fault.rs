//! The kinds of fault that a rule can hold.

pub(crate) mod burn;
pub(crate) mod custom;
pub(crate) mod latency;
#[cfg(feature = "serde")]
pub(crate) mod order;
pub(crate) mod prepared;
pub(crate) mod step;

mod error_fault;
mod evaluate;
mod one_of;

pub use self::{
    burn::Burn, custom::CustomFault, error_fault::ErrorFault, latency::Latency, one_of::OneOf,
};
pub use crate::plan::{
    answer::{AfterMessages, HttpAnswer},
    bytes::{BytesFault, Corruption},
    cut::{Abort, AfterBytes, StreamReason},
    grpc::{GrpcCode, GrpcStatus},
    headers::HeaderEdit,
};

use std::{io, num::NonZeroU32, sync::Arc, time::Duration};

use crate::{call::direction::Direction, error::RuleError, plan::bytes::not_too_long};

/// A kind of fault that a rule injects, with its parameters.
///
/// The enum is open: more kinds will come. A fault is turned into a [`Plan`](crate::Plan), the
/// closed list of actions that integrations execute, so a new kind changes no integration.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, Latency};
///
/// let slow = Fault::latency(Latency::fixed(Duration::from_millis(200))?);
/// let down = Fault::status(503)?;
/// assert_eq!((slow.name(), slow.ends_call()), ("latency", false));
/// assert_eq!((down.name(), down.ends_call()), ("status", true));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Delays the call.
    Latency(Latency, When),
    /// Answers the call with an HTTP response, without calling the service behind the site.
    Status(Arc<HttpAnswer>),
    /// Answers the call with a gRPC status, at once or after a number of messages of the stream.
    Grpc(GrpcStatus, Option<AfterMessages>),
    /// Fails the call with an [`Injected`](crate::Injected) error.
    Error(ErrorFault),
    /// Gives the code at the site a value, in JSON, to use in place of its own result. The code
    /// reads it from the [`Injected`](crate::Injected) error that the call fails with (failpoints:
    /// `return(x)`).
    Value(Arc<str>),
    /// Ends the stream, the connection or the process. With a number of bytes, ends the stream or the
    /// connection after so many bytes of the request or the response.
    Abort(Abort, Option<AfterBytes>),
    /// Leaves the call without a response for this time, unless it is released before.
    Hang(WaitTime),
    /// Holds the call until it is [released](crate::Injector::release), for at most this time.
    Pause(WaitTime),
    /// Blocks the thread of the call for this time.
    Block(WaitTime),
    /// Slows down, cuts off or changes the bytes of the request or the response.
    Body(BytesFault, Direction),
    /// Changes the headers of the request or the response.
    Headers(HeaderEdit, Direction),
    /// Keeps processors busy or memory occupied, while the call goes on.
    Burn(Burn),
    /// Calls a closure of the application, which decides what happens.
    Custom(CustomFault),
    /// Injects one of several faults, chosen by weight.
    OneOf(OneOf),
}

/// When a [latency](Fault::Latency) delays a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// Before the call is served, as a slow network would. Timeouts inside the service see the call
    /// begin after the delay.
    #[default]
    Before,
    /// After the call was served, before its response is returned. The service behind the site is
    /// done with the call and can serve others.
    After,
    /// While the call is served: it takes at least the delay, and longer only if it would by
    /// itself.
    AtLeast,
}

/// A time that a call waits, at most: from zero to 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTime(Duration);

impl WaitTime {
    /// Returns the time as a duration.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

impl Fault {
    /// Creates a delay before the call is served.
    #[must_use]
    pub fn latency(latency: Latency) -> Self {
        Self::Latency(latency, When::Before)
    }

    /// Creates an HTTP response with this status, and a line of text for a body.
    ///
    /// # Errors
    /// Returns an error if `code` is outside 200 to 599.
    pub fn status(code: u16) -> Result<Self, RuleError> {
        HttpAnswer::new(code).map(Self::answer)
    }

    /// Creates an HTTP response with a status, headers and a body.
    #[must_use]
    pub fn answer(answer: HttpAnswer) -> Self {
        Self::Status(Arc::new(answer))
    }

    /// Creates a gRPC status that is sent at once, without messages.
    #[must_use]
    pub fn grpc(status: GrpcStatus) -> Self {
        Self::Grpc(status, None)
    }

    /// Creates a gRPC status that is sent after `count` messages of the stream have passed in this
    /// direction.
    #[must_use]
    pub fn grpc_after(status: GrpcStatus, count: NonZeroU32, direction: Direction) -> Self {
        Self::Grpc(status, Some(AfterMessages { count, direction }))
    }

    /// Creates an error of the kind [`Other`](io::ErrorKind::Other).
    #[must_use]
    pub fn error(message: &str) -> Self {
        Self::io_error(io::ErrorKind::Other, message)
    }

    /// Creates an error of this kind, which it has when it is converted into a [`std::io::Error`].
    #[must_use]
    pub fn io_error(kind: io::ErrorKind, message: &str) -> Self {
        let message = message.into();
        Self::Error(ErrorFault { kind, message })
    }

    /// Creates a value for the code at the site, which reads it with
    /// [`Injected::value`](crate::Injected::value).
    ///
    /// # Errors
    /// Returns an error if `value` cannot be serialized to JSON.
    #[cfg(feature = "serde")]
    pub fn value(value: &impl serde::Serialize) -> Result<Self, RuleError> {
        match serde_json::to_string(value) {
            Ok(json) => Ok(Self::Value(json.into())),
            Err(error) => Err(RuleError::new(
                "value",
                error,
                "a value that JSON can represent",
            )),
        }
    }

    /// Creates an abort that happens at once.
    #[must_use]
    pub fn abort(abort: Abort) -> Self {
        Self::Abort(abort, None)
    }

    /// Creates an abort that happens after `count` bytes of the body have passed in this direction. The
    /// request is an upload that breaks off: the service behind the site cannot read more of it, and its
    /// answer is lost.
    #[must_use]
    pub fn abort_after(abort: Abort, count: u64, direction: Direction) -> Self {
        Self::Abort(abort, Some(AfterBytes { count, direction }))
    }

    /// Creates a hang: a call without a response for `max`, unless it is released before.
    ///
    /// # Errors
    /// Returns an error if `max` is longer than 24 hours.
    pub fn hang(max: Duration) -> Result<Self, RuleError> {
        wait_time("hang", max).map(Self::Hang)
    }

    /// Creates a pause: a call that waits to be [released](crate::Injector::release), for at most
    /// `max`.
    ///
    /// # Errors
    /// Returns an error if `max` is longer than 24 hours.
    pub fn pause(max: Duration) -> Result<Self, RuleError> {
        wait_time("max", max).map(Self::Pause)
    }

    /// Creates a block: a call that blocks its thread for `time`, as blocking code in an async task
    /// does.
    ///
    /// # Errors
    /// Returns an error if `time` is longer than 24 hours.
    pub fn block(time: Duration) -> Result<Self, RuleError> {
        wait_time("block", time).map(Self::Block)
    }

    /// Creates a choice of one of several faults, each with its weight.
    ///
    /// # Errors
    /// Returns an error with fewer than 2 options or more than 100, with a weight outside 1 to
    /// 1,000,000, or if an option is itself a choice.
    pub fn one_of(options: impl IntoIterator<Item = (u32, Self)>) -> Result<Self, RuleError> {
        OneOf::new(options).map(Self::OneOf)
    }

    /// Returns the name of the kind in rules, events and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency(..) => "latency",
            Self::Status(_) => "status",
            Self::Grpc(..) => "grpc",
            Self::Error(_) => "error",
            Self::Value(_) => "value",
            Self::Abort(..) => "abort",
            Self::Hang(_) => "hang",
            Self::Pause(_) => "pause",
            Self::Block(_) => "block",
            Self::Body(..) => "body",
            Self::Headers(..) => "headers",
            Self::Burn(_) => "burn",
            Self::Custom(_) => "custom",
            Self::OneOf(_) => "one_of",
        }
    }

    /// Returns whether the fault acts on the response of a call, which the service behind the site
    /// makes, or another fault that ends the call. A choice does if one of its options does.
    #[must_use]
    pub fn acts_on_response(&self) -> bool {
        match self {
            Self::Latency(_, when) => *when != When::Before,
            Self::Body(_, direction) | Self::Headers(_, direction) => {
                *direction == Direction::Response
            }
            Self::Abort(Abort::Cut(kind), after) => kind.acts_on_response(*after),
            Self::OneOf(one_of) => one_of.faults().any(Self::acts_on_response),
            Self::Status(_) | Self::Grpc(..) | Self::Error(_) | Self::Value(_) => false,
            Self::Abort(Abort::Panic | Abort::Exit, _) | Self::Hang(_) | Self::Pause(_) => false,
            Self::Block(_) | Self::Burn(_) | Self::Custom(_) => false,
        }
    }

    /// Returns whether the fault ends the call, so that only faults that
    /// [act on the response](Self::acts_on_response) can follow. A choice ends the call if each of its
    /// options does.
    #[must_use]
    pub fn ends_call(&self) -> bool {
        match self {
            Self::Status(_) | Self::Grpc(..) | Self::Error(_) | Self::Value(_) => true,
            Self::Abort(Abort::Cut(kind), after) => kind.ends_call(*after),
            Self::Abort(..) => true,
            Self::Latency(..) | Self::Hang(_) | Self::Pause(_) | Self::Block(_) => false,
            Self::Body(..) | Self::Headers(..) | Self::Burn(_) | Self::Custom(_) => false,
            Self::OneOf(one_of) => one_of.faults().all(Self::ends_call),
        }
    }
}

fn wait_time(field: &str, time: Duration) -> Result<WaitTime, RuleError> {
    not_too_long(field, time).map(WaitTime)
}
