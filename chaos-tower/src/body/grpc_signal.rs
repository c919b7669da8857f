//! A status after a number of messages of the request: the request's body counts them, and signals the response.

use std::{
    num::NonZeroU32,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use chaos_core::decision::ActiveCall;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

use super::{
    filter::{BodyFilter, Next, Polled},
    grpc_messages::{Messages, at_most},
};
use crate::{byte_fault::wait_slot::WaitSlot, error::BoxError};

/// Returns a counter for the body of a request, and the signal that it fires when `count` messages have
/// passed and the server asks for another, or for the end.
pub(crate) fn count_messages(count: NonZeroU32) -> (RequestCounter, EndSignal) {
    let (fire, signal) = end_signal();
    let counter = RequestCounter {
        messages: Messages::new(count),
        fire,
        wait: WaitSlot::default(),
    };
    (counter, signal)
}

/// Returns a signal that ends a response, and what fires it.
pub(crate) fn end_signal() -> (EndTrigger, EndSignal) {
    let (fire, fired) = watch::channel(false);
    (EndTrigger(fire), EndSignal(fired))
}

/// Fires an [`EndSignal`].
pub(crate) struct EndTrigger(watch::Sender<bool>);

impl EndTrigger {
    pub(super) fn fire(&self) {
        self.0.send_replace(true);
    }
}

/// A signal that ends a response. It fires once, and stays fired.
#[derive(Clone)]
pub(crate) struct EndSignal(watch::Receiver<bool>);

impl EndSignal {
    pub(crate) fn has_fired(&self) -> bool {
        *self.0.borrow()
    }

    /// Whether it has fired, or what fires it is still there.
    pub(crate) fn may_fire(&self) -> bool {
        self.has_fired() || self.0.has_changed().is_ok()
    }

    /// Waits for the signal, forever if it never fires. Cancel-safe.
    pub(crate) fn fired(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut signal = self.0.clone();
        async move {
            if signal.wait_for(|fired| *fired).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Lets a number of messages pass; then fires the signal, and holds the body back until its rule is over.
pub(crate) struct RequestCounter {
    messages: Messages,
    fire: EndTrigger,
    wait: WaitSlot,
}

impl BodyFilter for RequestCounter {
    fn poll_before(
        &mut self,
        _: bool,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if !self.messages.are_over() {
            return Poll::Ready(Next::Continue);
        }
        self.fire.fire();
        ready!(self.wait.poll_or_start(|| active_call.over(), cx));
        Poll::Ready(Next::Remove)
    }

    fn poll_pass(&mut self, bytes: &mut Bytes, _: &ActiveCall, _: &mut Context<'_>) -> Poll<usize> {
        Poll::Ready(self.messages.pass(bytes))
    }

    fn outlasts_body(&self) -> bool {
        self.messages.are_over()
    }
}

/// Ends a body with a last frame or an error when the signal fires.
pub(super) struct EndOnSignal {
    signal: EndSignal,
    last: Polled,
    wait: WaitSlot,
}

impl EndOnSignal {
    pub(super) fn new(signal: EndSignal, last: Result<Frame<Bytes>, BoxError>) -> Self {
        Self {
            signal,
            last: Some(last),
            wait: WaitSlot::default(),
        }
    }
}

impl BodyFilter for EndOnSignal {
    fn poll_before(&mut self, at_end: bool, _: &ActiveCall, cx: &mut Context<'_>) -> Poll<Next> {
        let signal = &self.signal;
        let is_fired = !at_end && self.wait.poll_or_start(|| signal.fired(), cx).is_ready();
        Poll::Ready(if is_fired {
            Next::End(self.last.take())
        } else {
            Next::Continue
        })
    }

    /// The response may end because of what has fired the signal.
    fn end(&mut self, last: Polled) -> Polled {
        match &self.last {
            Some(Err(_)) if self.signal.has_fired() => self.last.take(),
            _ => last,
        }
    }

    fn size_hint(&self, hint: SizeHint) -> SizeHint {
        match &self.last {
            Some(Err(_)) => hint,
            _ => at_most(hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;
    use crate::{
        FaultBody,
        body::{
            BodyFault,
            testing::{Hit, Script, Step, any_hit, read, trailers},
        },
    };

    const MESSAGE: &[u8] = &[0, 0, 0, 0, 1, 9];

    fn request(hit: &Hit, count: u32, inner: Script) -> (FaultBody<Script>, EndSignal) {
        let (counter, signal) = count_messages(NonZeroU32::new(count).unwrap());
        let fault = BodyFault::CountMessages(counter, hit.active_call.clone());
        (FaultBody::with(inner, vec![fault]), signal)
    }

    fn answer(hit: &Hit, signal: EndSignal, inner: Script) -> FaultBody<Script> {
        let fault = BodyFault::StatusOnSignal {
            signal,
            trailers: trailers("grpc-status", "14"),
            active_call: hit.active_call.clone(),
        };
        FaultBody::with(inner, vec![fault])
    }

    fn is_fired(signal: &EndSignal) -> bool {
        *signal.0.borrow()
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_more_is_wanted_and_tells_who_waits() {
        let hit = any_hit();
        let frames = [MESSAGE, MESSAGE, MESSAGE].concat();
        let frames = Script::new([Step::Data(frames.into())]);
        let (mut request, signal) = request(&hit, 2, frames);
        let waiting = tokio::spawn(signal.fired());

        let passed = request.frame().await.unwrap().unwrap();
        assert_eq!(passed.into_data().unwrap(), [MESSAGE, MESSAGE].concat());
        assert!(!is_fired(&signal), "nobody has asked for more");

        let more = tokio::spawn(async move { request.frame().await.is_some() });
        waiting.await.unwrap();
        signal.fired().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!more.is_finished(), "the server waits to be dropped");

        hit.injector.halt("enough");
        assert!(more.await.unwrap(), "or to be let go");
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_the_end_is_wanted() {
        use http_body::Body;

        let hit = any_hit();
        let (mut request, signal) = request(&hit, 1, Script::of(&[MESSAGE]));
        request.frame().await;
        assert!(!request.is_end_stream());
        let end = tokio::time::timeout(Duration::from_secs(1), request.frame());
        assert!(end.await.is_err());
        assert!(is_fired(&signal));
    }

    #[tokio::test]
    async fn it_does_not_fire_when_there_are_fewer() {
        let hit = any_hit();
        let (request, signal) = request(&hit, 2, Script::of(&[MESSAGE]));
        assert_eq!(read(request).await.bytes(), MESSAGE);
        assert!(!is_fired(&signal));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_ends_with_the_status() {
        let hit = any_hit();
        let (request, signal) = request(&hit, 1, Script::of(&[MESSAGE, MESSAGE]));
        let script = Script::new([Step::Data(MESSAGE.into()), Step::Yield, Step::Stuck]);
        let answer = tokio::spawn(read(answer(&hit, signal, script)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!answer.is_finished());
        let reading = tokio::spawn(read(request));
        let answer = answer.await.unwrap();
        assert_eq!(answer.bytes(), MESSAGE);
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "14");
        reading.abort();
    }

    #[tokio::test]
    async fn an_answer_ends_by_itself_if_it_is_not_to_be_another() {
        let hit = any_hit();
        let (request, signal) = request(&hit, 3, Script::of(&[MESSAGE]));
        let mut script = Script::of(&[MESSAGE, MESSAGE]);
        script.steps.insert(1, Step::Yield);
        let own = trailers("grpc-status", "0");
        script.steps.push_back(Step::Trailers(own));
        let answer = answer(&hit, signal, script);
        drop(request);
        let answer = read(answer).await;
        assert_eq!(answer.bytes(), [MESSAGE, MESSAGE].concat());
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    }
}
