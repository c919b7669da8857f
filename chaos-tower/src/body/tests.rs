//! What any body keeps, whatever its faults.

use std::{future::poll_fn, mem::size_of, num::NonZeroU64, time::Duration};

use bytes::Bytes;
use chaos_core::fault::BytesFault;
use http_body::Body;
use http_body_util::{BodyExt, Full};

use super::{
    BodyFault, BoxError, FaultBody, ReadAhead,
    testing::{Hit, Numbers, Script, Step, any_hit, cut, hit, read, trailers},
};

fn random_script(numbers: &mut Numbers) -> Script {
    let mut steps = Vec::new();
    for _ in 0..numbers.below(8) {
        let length = match numbers.below(4) {
            0 => numbers.below(3),
            1 => numbers.below(100),
            2 => numbers.below(5_000),
            _ => numbers.below(60_000),
        };
        steps.push(Step::Data(numbers.bytes(length)));
        if numbers.below(3) == 0 {
            steps.push(Step::Yield);
        }
    }
    match numbers.below(6) {
        0 => steps.push(Step::Error),
        1 | 2 => steps.push(Step::Trailers(trailers("a", "b"))),
        _ => {}
    }
    Script {
        hides_end: numbers.below(3) == 0,
        hides_size: numbers.below(3) == 0,
        ..Script::new(steps)
    }
}

/// Returns a fault that changes neither the bytes nor the end.
fn random_slow_fault(numbers: &mut Numbers) -> BytesFault {
    let time = Duration::from_millis(numbers.below(30));
    match numbers.below(4) {
        0 => BytesFault::throttle(NonZeroU64::new(1_000 + numbers.below(10_000_000)).unwrap()),
        1 => BytesFault::stall_after(numbers.below(70_000), time).unwrap(),
        2 => BytesFault::first_byte(time).unwrap(),
        _ => BytesFault::each_chunk(time).unwrap(),
    }
}

fn read_ahead(script: Script) -> Box<ReadAhead<Script>> {
    let (head, ()) = http::Request::new(()).into_parts();
    ReadAhead::new(script, &head, false)
}

fn faults(hits: &[Hit]) -> Vec<BodyFault> {
    hits.iter().map(Hit::body_fault).collect()
}

#[tokio::test(start_paused = true)]
async fn slow_faults_in_any_order_lose_nothing() {
    let mut numbers = Numbers(42);
    for _ in 0..300 {
        let script = random_script(&mut numbers);
        let (sent, last) = (script.bytes(), script.steps.back().cloned());
        let hits: Vec<_> = (0..1 + numbers.below(4))
            .map(|_| hit(random_slow_fault(&mut numbers)))
            .collect();
        let ahead = numbers.below(2) == 0;
        let body = match ahead {
            true => FaultBody::read_ahead(read_ahead(script), faults(&hits)),
            false => FaultBody::with(script, faults(&hits)),
        };
        let read = match numbers.below(4) {
            // Some are halted on their way.
            0 => {
                let reading = tokio::spawn(read(body));
                tokio::time::sleep(Duration::from_millis(numbers.below(200))).await;
                hits[0].injector.halt("enough");
                reading.await.unwrap()
            }
            _ => read(body).await,
        };
        // Nothing waits for a body that has failed.
        let is_cut = ahead && read.error.is_some() && sent.starts_with(&read.bytes());
        assert!(
            read.bytes() == sent || is_cut,
            "{} of {} bytes",
            read.bytes().len(),
            sent.len()
        );
        assert!(read.error.is_some() || read.hints_were_right());
        assert_eq!(
            read.trailers.is_some(),
            matches!(last, Some(Step::Trailers(_)))
        );
        assert_eq!(read.error.is_some(), matches!(last, Some(Step::Error)));
    }
}

#[tokio::test(start_paused = true)]
async fn each_fault_changes_what_the_ones_before_let_pass() {
    let script = || Script::of(&[b"aaaabbbb"]);
    let throttle = || hit(BytesFault::throttle(NonZeroU64::new(4).unwrap()));
    let truncate = || hit(BytesFault::truncate_after(4));
    for hits in [[throttle(), truncate()], [truncate(), throttle()]] {
        let read = read(FaultBody::with(script(), faults(&hits))).await;
        assert_eq!(read.bytes(), b"aaaa");
        assert_eq!(read.end.as_millis(), 1002);
    }
    let each = || hit(BytesFault::each_chunk(Duration::from_secs(1)).unwrap());
    let slow_chunks = [throttle(), each()];
    let read_chunks = read(FaultBody::with(script(), faults(&slow_chunks))).await;
    assert_eq!(
        read_chunks.frames.len(),
        8,
        "the quanta of a throttle are chunks"
    );
}

#[tokio::test]
async fn a_body_that_is_over_is_over_under_any_fault() {
    let mut numbers = Numbers(7);
    for _ in 0..100 {
        let hit = hit(random_slow_fault(&mut numbers));
        let body = hit.body(Script::default());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
    let full = hit(BytesFault::truncate_after(0)).body(Full::new(Bytes::new()));
    assert!(full.is_end_stream());
}

#[tokio::test]
async fn the_last_frame_says_that_it_is_the_last() {
    let hit = hit(BytesFault::corrupt(0.5).unwrap());
    let mut body = hit.body(Script::of(&[b"aaaa", b"bbbb"]));
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(
        body.is_end_stream(),
        "so that HTTP/2 needs no empty frame to end it"
    );
}

#[tokio::test]
async fn an_injection_is_active_until_its_body_is_done_or_dropped() {
    let hit = any_hit();
    let body = |hit: &Hit| {
        let fault = BodyFault::CutAfter(100, cut(), hit.active_call.clone());
        FaultBody::with(Script::of(&[b"aaaa"]), vec![fault])
    };
    let (mut done, dropped) = (body(&hit), body(&hit));
    let active = hit.into_active();
    assert_eq!(active(), 1, "it is one injection");
    drop(dropped);
    done.frame().await.unwrap().unwrap();
    assert_eq!(active(), 1);
    assert!(done.frame().await.is_none());
    assert_eq!(active(), 0);
    drop(done);
}

#[tokio::test]
async fn made_bodies_are_what_was_made() {
    let full = FaultBody::<Script>::full(Some("made".into()));
    assert_eq!(full.size_hint().exact(), Some(4));
    assert_eq!(read(full).await.bytes(), b"made");
    for empty in [None, Some(Bytes::new())] {
        let empty = FaultBody::<Script>::full(empty);
        assert!(empty.is_end_stream());
        assert!(read(empty).await.frames.is_empty());
    }
    let cut = FaultBody::<Script>::cut("cut".into());
    assert!(!cut.is_end_stream());
    assert_eq!(read(cut).await.error.unwrap().to_string(), "cut");
}

#[test]
fn a_body_that_is_left_alone_costs_nothing() {
    let counts = allocation_counter::measure(|| {
        let inner = Full::new(Bytes::from_static(b"aaaa"));
        let mut body = std::pin::pin!(FaultBody::pass(inner));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(body.size_hint().exact(), Some(4));
        assert!(!body.is_end_stream());
        assert!(body.as_mut().poll_frame(&mut cx).is_ready());
        assert!(body.is_end_stream());
    });
    assert_eq!(counts.count_total, 0);
    assert!(matches!(
        FaultBody::with((), Vec::new()).state,
        super::BodyState::Stream {
            stream: super::Stream::Pass { .. }
        }
    ));
}

#[test]
fn sizes_are_pinned() {
    // Bytes are the largest of what it holds itself.
    assert_eq!(size_of::<FaultBody<axum::body::Body>>(), 32);
    assert_eq!(size_of::<FaultBody<[usize; 5]>>(), 48);
    assert_eq!(size_of::<FaultBody<Full<Bytes>>>(), 40);
}

#[test]
fn it_can_go_wherever_the_inner_body_can() {
    fn sync<B: Body<Data = Bytes, Error = BoxError> + Send + Sync + 'static>() {}
    fn send<B: Body<Data = Bytes, Error = BoxError> + Send + 'static>() {}
    sync::<FaultBody<Full<Bytes>>>();
    send::<FaultBody<axum::body::Body>>();
}

#[tokio::test(start_paused = true)]
async fn what_was_read_ahead_is_as_good_as_what_was_not() {
    let hit = hit(BytesFault::throttle(NonZeroU64::new(1_000).unwrap()));
    let frames = [&b"aa"[..], b"", b"bb"];
    let mut ahead = read_ahead(Script::of(&frames));
    let gone = poll_fn(|cx| ahead.poll_gone(cx));
    let gone = tokio::time::timeout(Duration::from_secs(1), gone);
    assert!(gone.await.is_err(), "all of it came");
    let fault = BodyFault::Bytes(hit.fault.clone(), hit.active_call.clone());
    let read = read(FaultBody::read_ahead(ahead, vec![fault])).await;
    assert_eq!(read.bytes(), b"aabb");
    assert!(read.hints_were_right());
}

/// The body of a client's request is the application's: its error is for who reads it, and nobody has gone.
#[tokio::test(start_paused = true)]
async fn an_error_of_the_applications_own_body_reaches_its_reader() {
    for is_client in [true, false] {
        let (head, ()) = http::Request::new(()).into_parts();
        let script = Script::new([Step::Data(Bytes::from_static(b"aa")), Step::Error]);
        let mut ahead = ReadAhead::new(script, &head, is_client);
        let gone = poll_fn(|cx| ahead.poll_gone(cx));
        let gone = tokio::time::timeout(Duration::from_secs(1), gone).await;
        assert_eq!(gone.is_err(), is_client);
        if is_client {
            let mut body = std::pin::pin!(FaultBody::read_ahead(ahead, Vec::new()));
            assert!(!body.is_end_stream());
            let mut next = async || poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            assert!(next().await.unwrap().is_ok());
            assert!(next().await.unwrap().is_err());
            assert!(next().await.is_none());
        }
    }
}

mod after_bytes;
mod corrupt;
mod delay;
mod throttle;
