//! Support for the tests of bodies: a scripted body, a rule that hits, and a reader that checks what every
//! body has to keep.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use chaos_core::{
    Call, Clock, Direction, Fault, Injector, Plan, Rule, decision::ActiveCall, fault::BytesFault,
    plan::BytesPlan,
};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::{BodyCut, BodyFault, FaultBody};
use crate::error::BoxError;

/// One step of a scripted body.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Is pending once, and wakes its task.
    Yield,
    /// Is pending forever.
    Stuck,
    Error,
}

/// A body that knows its size and its end, and can hide either.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) steps: VecDeque<Step>,
    pub(super) hides_end: bool,
    pub(super) hides_size: bool,
}

impl Script {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self {
            steps,
            ..Self::default()
        }
    }

    pub(super) fn of(frames: &[&'static [u8]]) -> Self {
        Self::new(
            frames
                .iter()
                .map(|frame| Step::Data(Bytes::from_static(frame))),
        )
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let data = self.steps.iter().filter_map(|step| match step {
            Step::Data(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        data.collect::<Vec<_>>().concat()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error) => Some(Err("its own error".into())),
            Some(Step::Yield) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Stuck) => {
                self.steps.push_front(Step::Stuck);
                return Poll::Pending;
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && !self.hides_end
    }

    fn size_hint(&self) -> SizeHint {
        if self.hides_size {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.bytes().len() as u64)
        }
    }
}

/// An injector with one rule, and a call that the rule hits.
pub(super) struct Hit {
    pub(super) injector: Injector,
    pub(super) active_call: ActiveCall,
    pub(super) fault: BytesPlan,
}

pub(super) fn hit(fault: BytesFault) -> Hit {
    hit_of(fault, |rule| rule)
}

pub(super) fn hit_of(fault: BytesFault, rule: impl FnOnce(Rule) -> Rule) -> Hit {
    let injector = Injector::new();
    let site = injector.site("body");
    let (id, glob) = ("r".parse().unwrap(), "body".parse().unwrap());
    injector.put(rule(Rule::new(
        id,
        glob,
        Fault::Body(fault, Direction::Response),
    )));
    let mut decision = site.decide(&Call::new()).unwrap();
    let Some(Plan::Bytes(fault, _)) = decision.next_plan() else {
        panic!("a body fault is a fault on bytes");
    };
    let active_call = decision.active_call().unwrap();
    Hit {
        injector,
        active_call,
        fault,
    }
}

pub(super) fn cut() -> BodyCut {
    BodyCut {
        error: "cut".into(),
        reset: None,
        trigger: None,
    }
}

/// Returns a hit for tests of faults that are no byte faults.
pub(super) fn any_hit() -> Hit {
    hit(BytesFault::truncate_after(0))
}

impl Hit {
    pub(super) fn body<B>(&self, inner: B) -> FaultBody<B> {
        FaultBody::with(inner, vec![self.body_fault()])
    }

    pub(super) fn body_fault(&self) -> BodyFault {
        let active_call = self.active_call.clone();
        match &self.fault {
            BytesPlan::TruncateAfter(bytes) => {
                BodyFault::Truncate(*bytes, Some("cut short".into()), active_call)
            }
            fault => BodyFault::Bytes(fault.clone(), active_call),
        }
    }

    /// Drops this hold on the call, and returns a function that counts the active calls of the rule.
    pub(super) fn into_active(self) -> impl Fn() -> u64 {
        let injector = self.injector;
        move || injector.counts("r").unwrap().active
    }
}

/// What a reader got of a body.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Each data frame, with its time since the first poll.
    pub(super) frames: Vec<(Duration, Bytes)>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<BoxError>,
    /// When the body ended.
    pub(super) end: Duration,
    /// The size hint before each frame.
    hints: Vec<SizeHint>,
}

impl Read {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let frames = self.frames.iter().map(|(_, bytes)| bytes.as_ref());
        frames.collect::<Vec<_>>().concat()
    }

    pub(super) fn times(&self) -> Vec<u128> {
        self.frames.iter().map(|(at, _)| at.as_millis()).collect()
    }

    /// Whether each hint fits the bytes that followed.
    pub(super) fn hints_were_right(&self) -> bool {
        let mut left = self.bytes().len() as u64;
        self.hints.iter().enumerate().all(|(at, hint)| {
            let right = hint.lower() <= left && hint.upper().is_none_or(|upper| left <= upper);
            left -= self
                .frames
                .get(at)
                .map_or(0, |(_, bytes)| bytes.len() as u64);
            right
        })
    }
}

/// Reads a body to its end. Checks that no data frame is empty, that nothing follows once the body says that
/// it is over, and that it stays over.
pub(super) async fn read<B: Body<Data = Bytes, Error = BoxError>>(body: B) -> Read {
    let mut body = std::pin::pin!(body);
    let clock = Clock::monotonic();
    let mut read = Read::default();
    loop {
        let is_end = body.is_end_stream();
        if read.trailers.is_none() {
            read.hints.push(body.size_hint());
        }
        let frame = body.frame().await;
        assert!(!is_end || frame.is_none(), "more after the end: {frame:?}");
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => {
                    assert!(!bytes.is_empty(), "an empty frame");
                    assert!(read.trailers.is_none(), "data after trailers");
                    read.frames.push((clock.now(), bytes));
                }
                Err(frame) => read.trailers = frame.into_trailers().ok(),
            },
            Some(Err(error)) => {
                read.error = Some(error);
                break;
            }
            None => break,
        }
    }
    read.end = clock.now();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
    read
}

pub(super) fn trailers(name: &'static str, value: &'static str) -> HeaderMap {
    let value = http::HeaderValue::from_static(value);
    HeaderMap::from_iter([(http::HeaderName::from_static(name), value)])
}

/// Pseudo-random numbers, equal in every run.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The generator of Knuth's MMIX. Its high bits are the random ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub(super) fn bytes(&mut self, count: u64) -> Bytes {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
