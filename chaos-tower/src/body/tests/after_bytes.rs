//! Bodies that end, fail or stall after a number of bytes.

use std::time::Duration;

use chaos_core::fault::BytesFault;

use crate::{
    FaultBody,
    body::{
        BodyFault, byte_filter,
        testing::{Hit, Script, Step, any_hit, cut, hit, read, trailers},
    },
};

fn abc_and_trailers() -> Script {
    let mut script = Script::of(&[b"aaaa", b"bbbb", b"cccc"]);
    script.steps.push_back(Step::Trailers(trailers("a", "b")));
    script
}

fn failing(hit: &Hit, after: u64, inner: Script) -> FaultBody<Script> {
    let fault = BodyFault::CutAfter(after, cut(), hit.active_call.clone());
    FaultBody::with(inner, vec![fault])
}

#[tokio::test(start_paused = true)]
async fn a_truncated_body_fails_and_has_no_trailers() {
    for after in 0..=12 {
        let hit = hit(BytesFault::truncate_after(after));
        let read = read(hit.body(abc_and_trailers())).await;
        assert_eq!(read.bytes(), &b"aaaabbbbcccc"[..after as usize]);
        assert_eq!(read.error.unwrap().to_string(), "cut short");
        assert!(read.trailers.is_none());
        assert_eq!(read.end, byte_filter::FLUSH, "what has passed can be sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_body_without_framing_ends() {
    let hit = hit(BytesFault::truncate_after(5));
    let fault = hit.body_fault().without_framing();
    let read = read(FaultBody::with(abc_and_trailers(), vec![fault])).await;
    assert_eq!(read.bytes(), b"aaaab");
    assert!(read.trailers.is_none() && read.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_so_long_is_not_truncated() {
    let hit = hit(BytesFault::truncate_after(13));
    let read = read(hit.body(abc_and_trailers())).await;
    assert_eq!(read.bytes(), b"aaaabbbbcccc");
    assert!(read.trailers.is_some() && read.end.is_zero());
    assert!(read.hints_were_right());
}

#[tokio::test(start_paused = true)]
async fn a_truncated_body_says_that_it_is_whole() {
    use http_body::Body;
    use http_body_util::BodyExt;

    let hit = hit(BytesFault::truncate_after(5));
    let mut body = hit.body(Script::of(&[b"aaaa", b"bbbb"]));
    assert_eq!(body.size_hint().exact(), Some(8));
    body.frame().await;
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "b"
    );
    assert_eq!(body.size_hint().exact(), Some(3));
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap_err();
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_goes_on() {
    let stall = |after| hit(BytesFault::stall_after(after, Duration::from_secs(5)).unwrap());
    let read_5 = read(stall(5).body(abc_and_trailers())).await;
    assert_eq!(read_5.times(), [0, 0, 5000, 5000]);
    assert_eq!(read_5.bytes(), b"aaaabbbbcccc");
    assert!(read_5.trailers.is_some() && read_5.hints_were_right());

    let read_0 = read(stall(0).body(abc_and_trailers())).await;
    assert_eq!(read_0.times(), [5000, 5000, 5000]);

    let read_12 = read(stall(12).body(abc_and_trailers())).await;
    assert_eq!(read_12.end.as_secs(), 5, "trailers were to come");
    let known = read(stall(8).body(Script::of(&[b"aaaa", b"bbbb"]))).await;
    assert!(known.end.is_zero(), "nothing was to come");
}

#[tokio::test(start_paused = true)]
async fn a_halt_ends_a_stall() {
    let hit = hit(BytesFault::stall_after(5, Duration::from_secs(5)).unwrap());
    let reading = tokio::spawn(read(hit.body(abc_and_trailers())));
    tokio::time::sleep(Duration::from_secs(1)).await;
    hit.injector.halt("enough");
    let read = reading.await.unwrap();
    assert_eq!(read.times(), [0, 0, 1000, 1000]);
    assert_eq!(read.bytes(), b"aaaabbbbcccc");
}

#[tokio::test(start_paused = true)]
async fn a_body_fails_after_so_many_bytes_even_if_those_are_all() {
    for after in 0..=12 {
        let hit = any_hit();
        let mut script = abc_and_trailers();
        if after % 2 == 0 {
            script.steps.pop_back();
        }
        let read = read(failing(&hit, after, script)).await;
        assert_eq!(read.bytes(), &b"aaaabbbbcccc"[..after as usize]);
        assert_eq!(read.error.unwrap().to_string(), "cut");
        assert!(read.trailers.is_none());
        assert_eq!(read.end, byte_filter::FLUSH);
    }
    let hit = any_hit();
    let read = read(failing(&hit, 13, abc_and_trailers())).await;
    assert!(read.error.is_none() && read.trailers.is_some());
}

#[tokio::test(start_paused = true)]
async fn after_a_halt_nothing_is_cut() {
    let hit = hit(BytesFault::truncate_after(5));
    let body = failing(&hit, 6, abc_and_trailers());
    let truncated = hit.body(abc_and_trailers());
    hit.injector.halt("enough");
    for body in [body, truncated] {
        let read = read(body).await;
        assert_eq!(read.bytes(), b"aaaabbbbcccc");
        assert!(read.error.is_none() && read.trailers.is_some());
    }
}
