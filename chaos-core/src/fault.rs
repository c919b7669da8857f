//! The kinds of fault that a rule can hold, and what each comes down to.

pub(crate) mod burn;
pub(crate) mod custom;
pub(crate) mod latency;
pub(crate) mod step;

mod one_of;

use std::{fmt, io, num::NonZeroU32, sync::Arc, time::Duration};

use crate::{
    call::{direction::Direction, site_kind::Surfaces},
    dice::Dice,
    error::RuleError,
    fault::{burn::Burn, custom::CustomFault, latency::Latency, step::Step},
    name::RuleId,
    plan::{
        Plan, Wait, WaitAfter, WaitKind,
        answer::{AfterMessages, Answer, HttpAnswer, Written},
        bytes::{BytesFault, not_too_long},
        cut::{Abort, Cut, CutKind},
        grpc::GrpcStatus,
        headers::HeaderEdit,
        injected::Injected,
    },
};

pub use self::one_of::OneOf;

/// What goes wrong. Open: more kinds will come, and none of them touches an adapter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The call takes longer.
    Latency(Latency, When),
    /// The call is answered with this status, and nobody else is asked.
    Status(Arc<HttpAnswer>),
    /// The same in gRPC's words, at once or amid a stream.
    Grpc(GrpcStatus, Option<AfterMessages>),
    /// The call fails with [`Injected`].
    Error(ErrorFault),
    /// The code at the site is given a value in JSON, inside [`Injected`], in place of its own.
    Value(Arc<str>),
    /// The stream, the connection or the process ends; with a number, after so many bytes of the
    /// answer.
    Abort(Abort, Option<u64>),
    /// The call is not answered before this time is over, unless it is released.
    Hang(WaitTime),
    /// The call waits to be [released](crate::Injector::release), at most for so long.
    Pause(WaitTime),
    /// The call holds its thread.
    Block(WaitTime),
    /// Something happens to the bytes that pass.
    Body(BytesFault, Direction),
    /// Headers are changed.
    Headers(HeaderEdit, Direction),
    /// The machine is kept busy, while the call goes on.
    Burn(Burn),
    /// A closure of the application says what happens.
    Custom(CustomFault),
    /// One of several, by weight.
    OneOf(OneOf),
}

/// When a delay comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// Before the call is served: like a slow network in front. Timeouts around what is behind stay
    /// honest.
    #[default]
    Before,
    /// After it was served: like a slow answer. What is behind is done, and free for others.
    After,
    /// Alongside: the call takes at least so long, and no longer for it if it is slow by itself.
    AtLeast,
}

/// How long a call waits at most: up to 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTime(Duration);

impl WaitTime {
    /// As a duration.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

impl Fault {
    /// A delay before the call is served.
    #[must_use]
    pub fn latency(latency: Latency) -> Self {
        Self::Latency(latency, When::Before)
    }

    /// An HTTP status.
    ///
    /// # Errors
    /// Outside 200 to 599.
    pub fn status(code: u16) -> Result<Self, RuleError> {
        HttpAnswer::new(code).map(Self::answer)
    }

    /// An HTTP answer with more to it than its status.
    #[must_use]
    pub fn answer(answer: HttpAnswer) -> Self {
        Self::Status(Arc::new(answer))
    }

    /// A gRPC status, at once and without messages.
    #[must_use]
    pub fn grpc(status: GrpcStatus) -> Self {
        Self::Grpc(status, None)
    }

    /// A gRPC status when so many messages of a stream have passed.
    #[must_use]
    pub fn grpc_after(status: GrpcStatus, count: NonZeroU32, side: Direction) -> Self {
        Self::Grpc(status, Some(AfterMessages { count, side }))
    }

    /// An error with kind `Other`.
    #[must_use]
    pub fn error(message: &str) -> Self {
        Self::io_error(io::ErrorKind::Other, message)
    }

    /// An error with a kind of [`std::io::Error`], which it converts into.
    #[must_use]
    pub fn io_error(kind: io::ErrorKind, message: &str) -> Self {
        let message = message.into();
        Self::Error(ErrorFault { kind, message })
    }

    /// A value for the code at the site, which reads it with
    /// [`Injected::value`](crate::Injected::value).
    ///
    /// # Errors
    /// If it cannot be said in JSON.
    #[cfg(feature = "serde")]
    pub fn value(value: &impl serde::Serialize) -> Result<Self, RuleError> {
        match serde_json::to_string(value) {
            Ok(json) => Ok(Self::Value(json.into())),
            Err(error) => Err(RuleError::new("value", error, "what JSON can say")),
        }
    }

    /// An abort at once.
    #[must_use]
    pub fn abort(abort: Abort) -> Self {
        Self::Abort(abort, None)
    }

    /// A call that is not answered for `max`, unless it is released.
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn hang(max: Duration) -> Result<Self, RuleError> {
        wait_time("hang", max).map(Self::Hang)
    }

    /// A call that waits to be released, at most for `max`.
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn pause(max: Duration) -> Result<Self, RuleError> {
        wait_time("max", max).map(Self::Pause)
    }

    /// A call that holds its thread for `time`: what blocking in async code does.
    ///
    /// # Errors
    /// If that is longer than 24 hours.
    pub fn block(time: Duration) -> Result<Self, RuleError> {
        wait_time("block", time).map(Self::Block)
    }

    /// One of several faults, by weight.
    ///
    /// # Errors
    /// As [`OneOf::new`].
    pub fn one_of(options: impl IntoIterator<Item = (u32, Self)>) -> Result<Self, RuleError> {
        OneOf::new(options).map(Self::OneOf)
    }

    /// Its name in rules, events and metrics.
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

    /// Whether nothing can come after it, whatever is chosen.
    #[must_use]
    pub fn ends_call(&self) -> bool {
        match self {
            Self::Status(_) | Self::Grpc(..) | Self::Error(_) | Self::Value(_) => true,
            Self::Abort(..) => true,
            Self::Latency(..) | Self::Hang(_) | Self::Pause(_) | Self::Block(_) => false,
            Self::Body(..) | Self::Headers(..) | Self::Burn(_) | Self::Custom(_) => false,
            Self::OneOf(one_of) => one_of.faults().all(Self::ends_call),
        }
    }

    /// Where it can happen: a rule whose faults cannot happen at a site does not fire there.
    pub(crate) fn surfaces(&self) -> Surfaces {
        match self {
            Self::Latency(..) | Self::Error(_) | Self::Abort(..) | Self::Hang(_) => Surfaces::ALL,
            Self::Pause(_) | Self::Block(_) | Self::Burn(_) | Self::Custom(_) => Surfaces::ALL,
            Self::Status(_) | Self::Grpc(..) | Self::Value(_) => Surfaces::CODE_AND_REQUESTS,
            Self::Headers(..) => Surfaces::REQUESTS,
            Self::Body(..) => Surfaces::REQUESTS_AND_CONNECTIONS,
            Self::OneOf(one_of) => {
                let surfaces = one_of.faults().map(Self::surfaces);
                surfaces.fold(Surfaces::NONE, Surfaces::or)
            }
        }
    }

    /// What happens of it, if anything can: itself, or the option that is chosen now.
    pub(crate) fn chosen(
        &self,
        dice: &mut Dice,
        can_happen: impl Fn(&Self) -> bool,
    ) -> Option<&Self> {
        match self {
            fault if !can_happen(fault) => None,
            Self::OneOf(one_of) => one_of.choose(dice, can_happen),
            fault => Some(fault),
        }
    }

    /// What it comes down to on one call. Draws what has to be drawn.
    pub(crate) fn step(&self, rule: &RuleId, site: &'static str, dice: &mut Dice) -> Step {
        let wait = |time: Duration, kind| Plan::Wait(Wait { time, kind });
        Step::Plan(match self {
            Self::Latency(latency, when) => match (latency.sample(dice), when) {
                (time, When::Before) => wait(time, WaitKind::Delay),
                (time, When::After) => Plan::WaitAfter(WaitAfter::For(time)),
                (time, When::AtLeast) => Plan::WaitAfter(WaitAfter::AtLeast(time)),
            },
            Self::Status(answer) => answer_with(rule, site, Written::Http(Arc::clone(answer))),
            Self::Grpc(status, after) => {
                answer_with(rule, site, Written::Grpc(status.clone(), *after))
            }
            Self::Error(ErrorFault { kind, message }) => {
                Plan::Fail(Injected::new(rule.clone(), site, *kind, message.clone()))
            }
            Self::Value(json) => {
                let message = "a value in place of the real one".into();
                let injected = Injected::new(rule.clone(), site, io::ErrorKind::Other, message);
                Plan::Fail(injected.with_value(Arc::clone(json)))
            }
            Self::Abort(Abort::Cut(kind), after) => cut(rule, site, *kind, *after),
            Self::Abort(Abort::Panic, _) => return Step::Panic,
            Self::Abort(Abort::Exit, _) => return Step::Exit,
            Self::Hang(max) => wait(max.0, WaitKind::Hang),
            Self::Pause(max) => wait(max.0, WaitKind::Pause),
            Self::Block(time) => wait(time.0, WaitKind::Block),
            Self::Body(bytes, side) => Plan::Bytes(bytes.deed(dice), *side),
            Self::Headers(edit, side) => Plan::Headers(edit.clone(), *side),
            Self::Burn(burn) => return Step::Burn(*burn),
            Self::Custom(custom) => return Step::Custom(custom.clone()),
            // Only what was `chosen` is asked for its step. A caller that forgets it gets the first.
            Self::OneOf(one_of) => return one_of.options()[0].1.step(rule, site, dice),
        })
    }
}

fn wait_time(field: &str, time: Duration) -> Result<WaitTime, RuleError> {
    not_too_long(field, time).map(WaitTime)
}

fn answer_with(rule: &RuleId, site: &'static str, written: Written) -> Plan {
    let rule = rule.clone();
    Plan::Answer(Answer {
        rule,
        site,
        written,
    })
}

fn cut(rule: &RuleId, site: &'static str, kind: CutKind, after: Option<u64>) -> Plan {
    let rule = rule.clone();
    Plan::Cut(Cut {
        rule,
        site,
        kind,
        after,
    })
}

/// The error that a call fails with.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorFault {
    kind: io::ErrorKind,
    message: Arc<str>,
}

impl ErrorFault {
    /// The kind that it has as a [`std::io::Error`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Debug for ErrorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, self.message)
    }
}
