//! gRPC messages: counts complete ones as they pass, and ends a stream with a status after a number of them.

use std::{
    num::NonZeroU32,
    task::{Context, Poll},
};

use bytes::Bytes;
use chaos_core::decision::ActiveCall;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::filter::{BodyFilter, Next};

/// The length of a message's prefix: a flag, and the length of the payload in four bytes.
const PREFIX: u8 = 5;

/// Finds the end of the n-th message. A message may span frames, and a frame may hold several messages.
pub(super) struct Messages {
    left: u32,
    /// How many bytes of the current message's prefix have passed.
    prefix: u8,
    /// How many bytes of its payload have not passed, once its prefix has.
    payload: u32,
}

impl Messages {
    pub(super) fn new(count: NonZeroU32) -> Self {
        Self {
            left: count.get(),
            prefix: 0,
            payload: 0,
        }
    }

    /// Whether all messages have passed.
    pub(super) fn are_over(&self) -> bool {
        self.left == 0
    }

    /// Returns how many of the next bytes belong to messages that pass, and counts them as passed.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.left > 0 {
            if self.prefix < PREFIX {
                // The last byte of the length shifts the flag out.
                self.payload = self.payload << 8 | u32::from(bytes[at]);
                self.prefix += 1;
                at += 1;
            } else {
                let part = (bytes.len() - at).min(self.payload as usize);
                self.payload -= part as u32;
                at += part;
            }
            if self.prefix == PREFIX && self.payload == 0 {
                self.left -= 1;
                self.prefix = 0;
            }
        }
        at
    }
}

/// Ends a body with these trailers after a number of messages. A body with fewer messages ends by itself.
pub(super) struct StatusAfter {
    messages: Messages,
    trailers: HeaderMap,
}

impl StatusAfter {
    pub(super) fn new(count: NonZeroU32, trailers: HeaderMap) -> Self {
        let messages = Messages::new(count);
        Self { messages, trailers }
    }
}

impl BodyFilter for StatusAfter {
    fn poll_before(&mut self, _: bool, _: &ActiveCall, _: &mut Context<'_>) -> Poll<Next> {
        Poll::Ready(if self.messages.are_over() {
            let trailers = std::mem::take(&mut self.trailers);
            Next::End(Some(Ok(Frame::trailers(trailers))))
        } else {
            Next::Continue
        })
    }

    fn poll_pass(&mut self, bytes: &mut Bytes, _: &ActiveCall, _: &mut Context<'_>) -> Poll<usize> {
        Poll::Ready(self.messages.pass(bytes))
    }

    fn outlasts_body(&self) -> bool {
        self.messages.are_over()
    }

    fn size_hint(&self, hint: SizeHint) -> SizeHint {
        at_most(hint)
    }
}

/// Returns the size of a body that may end earlier.
pub(super) fn at_most(hint: SizeHint) -> SizeHint {
    let mut less = SizeHint::new();
    if let Some(upper) = hint.upper() {
        less.set_upper(upper);
    }
    less
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use chaos_core::{Direction, fault::AfterMessages};

    use super::*;
    use crate::{
        FaultBody,
        body::{
            BodyFault,
            testing::{Hit, Numbers, Script, Step, any_hit, read, trailers},
        },
    };

    fn pass(count: u32, parts: &[&[u8]]) -> Vec<usize> {
        let mut messages = Messages::new(NonZeroU32::new(count).unwrap());
        parts.iter().map(|part| messages.pass(part)).collect()
    }

    #[test]
    fn messages_end_where_their_lengths_say() {
        let two = [0, 0, 0, 0, 2, 7, 7, 1, 0, 0, 0, 1, 9];
        assert_eq!(pass(1, &[&two]), [7]);
        assert_eq!(pass(2, &[&two]), [13]);
        assert_eq!(pass(3, &[&two, &two]), [13, 7]);
        assert_eq!(pass(1, &[&two[..3], &two[3..6], &two[6..]]), [3, 3, 1]);
    }

    #[test]
    fn an_empty_message_counts() {
        assert_eq!(pass(2, &[&[0; 20]]), [10]);
        assert_eq!(pass(2, &[&[0; 4], &[0; 4], &[0; 4]]), [4, 4, 2]);
    }

    #[test]
    fn a_flag_is_no_part_of_the_length() {
        let long = [255, 0, 1, 0, 0];
        assert_eq!(pass(1, &[&long, &[5; 65_535], &[5; 2]]), [5, 65_535, 1]);
    }

    fn ends_after(hit: &Hit, count: u64, inner: Script) -> FaultBody<Script> {
        let messages = AfterMessages {
            count: NonZeroU32::new(count as u32).unwrap(),
            direction: Direction::Response,
        };
        let fault = BodyFault::StatusAfter {
            messages,
            trailers: trailers("grpc-status", "14"),
            active_call: hit.active_call.clone(),
        };
        FaultBody::with(inner, vec![fault])
    }

    /// Returns messages of random lengths in frames of random lengths, and where each message ends.
    fn stream(numbers: &mut Numbers) -> (Script, Vec<usize>) {
        let mut bytes = BytesMut::new();
        let mut ends = Vec::new();
        for _ in 0..1 + numbers.below(8) {
            let length = numbers.below(4) * numbers.below(60);
            bytes.extend_from_slice(&[numbers.below(2) as u8, 0, 0, 0, length as u8]);
            bytes.extend_from_slice(&numbers.bytes(length));
            ends.push(bytes.len());
        }
        let mut bytes = bytes.freeze();
        let mut steps = Vec::new();
        while !bytes.is_empty() {
            let length = numbers.below(70).min(bytes.len() as u64);
            steps.push(Step::Data(bytes.split_to(length as usize)));
            if numbers.below(4) == 0 {
                steps.push(Step::Yield);
            }
        }
        if numbers.below(2) == 0 {
            steps.push(Step::Trailers(trailers("grpc-status", "0")));
        }
        (Script::new(steps), ends)
    }

    #[tokio::test]
    async fn a_stream_ends_with_a_status_after_whole_messages() {
        let mut numbers = Numbers(11);
        let hit = any_hit();
        for _ in 0..500 {
            let (script, ends) = stream(&mut numbers);
            let count = 1 + numbers.below(ends.len() as u64 + 2);
            let (sent, own) = (script.bytes(), script.steps.back().cloned());
            let read = read(ends_after(&hit, count, script)).await;
            assert!(read.error.is_none() && read.hints_were_right());
            match ends.get(count as usize - 1) {
                Some(end) => {
                    assert_eq!(read.bytes(), &sent[..*end]);
                    assert_eq!(read.trailers.unwrap()["grpc-status"], "14");
                }
                None => {
                    assert_eq!(read.bytes(), sent);
                    let had_trailers = matches!(own, Some(Step::Trailers(_)));
                    assert_eq!(read.trailers.is_some(), had_trailers);
                    assert!(read.trailers.is_none_or(|own| own["grpc-status"] == "0"));
                }
            }
        }
        assert_eq!(hit.into_active()(), 0);
    }

    #[tokio::test]
    async fn a_status_does_not_wait_for_a_stream_that_is_stuck() {
        let hit = any_hit();
        let message = Bytes::from_static(&[0, 0, 0, 0, 1, 9]);
        let script = Script::new([Step::Data(message), Step::Stuck]);
        let read = read(ends_after(&hit, 1, script)).await;
        assert_eq!(read.trailers.unwrap()["grpc-status"], "14");
    }

    #[tokio::test]
    async fn after_a_halt_the_stream_goes_on() {
        let hit = any_hit();
        let body = ends_after(&hit, 1, Script::of(&[&[0; 5], &[0; 5]]));
        hit.injector.halt("enough");
        let read = read(body).await;
        assert_eq!(read.bytes(), [0; 10]);
        assert!(read.trailers.is_none());
    }
}
