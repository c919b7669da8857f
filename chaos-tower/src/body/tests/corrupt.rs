//! Bodies with bytes that are changed.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use chaos_core::fault::BytesFault;

use crate::{
    body::{
        byte_filter::ByteFilter,
        filter::BodyFilter,
        testing::{Hit, Numbers, Script, Step, hit, read},
    },
    byte_fault::ByteFault,
};

fn filter(hit: &Hit) -> ByteFilter {
    ByteFilter::new(ByteFault::new(hit.fault.clone()))
}

#[tokio::test]
async fn bytes_are_changed_at_about_the_share() {
    let sent = Numbers(3).bytes(1_000_000);
    let frames = sent
        .chunks(1_700)
        .map(|part| Step::Data(sent.slice_ref(part)));
    let hit = hit(BytesFault::corrupt(0.01).unwrap());
    let read = read(hit.body(Script::new(frames))).await;
    let got = read.bytes();
    assert_eq!(got.len(), sent.len());
    let changed = got.iter().zip(&sent).filter(|(got, sent)| got != sent);
    let changed = changed.count();
    // Six standard deviations around 10 000.
    assert!((9_400..10_600).contains(&changed), "{changed}");
    assert!(read.hints_were_right());
}

#[tokio::test]
async fn what_is_sent_stays_as_it_was_for_those_who_share_it() {
    let sent = Bytes::from(vec![0; 100_000]);
    let hit = hit(BytesFault::corrupt(1.0).unwrap());
    let read = read(hit.body(Script::new([Step::Data(sent.clone())]))).await;
    assert!(read.bytes().iter().all(|byte| *byte != 0));
    assert!(sent.iter().all(|byte| *byte == 0));
}

#[test]
fn how_the_bytes_are_framed_changes_nothing() {
    let hit = hit(BytesFault::corrupt(0.001).unwrap());
    let sent = Numbers(5).bytes(50_000);
    let pass = |lengths: &mut dyn FnMut() -> usize| {
        let mut corrupt = filter(&hit);
        let (mut left, mut out) = (sent.clone(), Vec::new());
        let mut cx = Context::from_waker(Waker::noop());
        while !left.is_empty() {
            let length = lengths().min(left.len());
            let mut part = left.split_to(length);
            let polled = corrupt.poll_pass(&mut part, &hit.active_call, &mut cx);
            assert_eq!(polled, Poll::Ready(length));
            out.extend_from_slice(&part);
        }
        out
    };
    let mut numbers = Numbers(6);
    let in_one = pass(&mut || usize::MAX);
    let in_parts = pass(&mut || 1 + numbers.below(3_000) as usize);
    assert!(in_one == in_parts && in_one != sent);
}

#[test]
fn spared_bytes_are_not_copied() {
    let hit = hit(BytesFault::corrupt(1e-12).unwrap());
    let shared = Bytes::from(vec![0; 100_000]);
    let mut part = shared.clone();
    let mut cx = Context::from_waker(Waker::noop());
    let polled = filter(&hit).poll_pass(&mut part, &hit.active_call, &mut cx);
    assert_eq!(polled, Poll::Ready(100_000));
    assert_eq!(part.as_ptr(), shared.as_ptr());
}

/// A connection may write a part of what it was given.
#[test]
fn bytes_that_do_not_pass_are_changed_alike_when_they_come_again() {
    let hit = hit(BytesFault::corrupt(0.3).unwrap());
    let mut whole = vec![0; 1_000];
    ByteFault::new(hit.fault.clone()).change(&mut whole);
    let mut fault = ByteFault::new(hit.fault.clone());
    let (mut numbers, mut passed) = (Numbers(9), Vec::new());
    while passed.len() < whole.len() {
        let mut rest = vec![0; whole.len() - passed.len()];
        fault.change(&mut rest);
        let length = numbers.below(rest.len() as u64 + 1) as usize;
        fault.pass(length);
        passed.extend_from_slice(&rest[..length]);
    }
    assert!(passed == whole);
}

#[test]
fn only_a_throttle_asks_for_the_time() {
    let wait = Duration::from_secs(1);
    for (fault, delay) in [
        (BytesFault::corrupt(0.3), Duration::ZERO),
        (BytesFault::first_byte(wait), wait),
        (BytesFault::each_chunk(wait), wait),
        (BytesFault::stall_after(0, wait), Duration::ZERO),
        (Ok(BytesFault::truncate_after(1)), Duration::ZERO),
    ] {
        let mut fault = ByteFault::new(hit(fault.unwrap()).fault);
        assert_eq!(fault.delay(1, || panic!("it needs no clock")), delay);
    }
}
