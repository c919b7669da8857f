//! Bodies whose first chunk, or each chunk, is late.

use std::time::Duration;

use chaos_core::fault::BytesFault;

use crate::body::testing::{Script, Step, hit, read, trailers};

const TIME: Duration = Duration::from_millis(100);

fn three_and_trailers() -> Script {
    let mut script = Script::of(&[b"one", b"two", b"three"]);
    script.steps.push_front(Step::Yield);
    script.steps.push_back(Step::Trailers(trailers("a", "b")));
    script
}

#[tokio::test(start_paused = true)]
async fn the_first_chunk_waits_and_no_other() {
    let hit = hit(BytesFault::first_byte(TIME).unwrap());
    let read = read(hit.body(three_and_trailers())).await;
    assert_eq!(read.times(), [100, 100, 100]);
    assert_eq!(read.bytes(), b"onetwothree");
    assert_eq!(read.end.as_millis(), 100);
    assert_eq!(read.trailers.unwrap()["a"], "b");
}

#[tokio::test(start_paused = true)]
async fn each_chunk_waits_and_trailers_do_not() {
    let hit = hit(BytesFault::each_chunk(TIME).unwrap());
    let read = read(hit.body(three_and_trailers())).await;
    assert_eq!(read.times(), [100, 200, 300]);
    assert_eq!(read.end.as_millis(), 300);
    assert!(read.trailers.is_some());
    assert!(read.hints_were_right());
}

#[tokio::test(start_paused = true)]
async fn it_is_active_until_the_first_byte_has_passed() {
    use http_body_util::BodyExt;

    let hit = hit(BytesFault::first_byte(TIME).unwrap());
    let mut body = hit.body(Script::of(&[b"one", b"two", b"three"]));
    let active = hit.into_active();
    body.frame().await.unwrap().unwrap();
    assert_eq!(active(), 1, "nobody has asked further");
    body.frame().await.unwrap().unwrap();
    assert_eq!(active(), 0);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "three");
}

#[tokio::test(start_paused = true)]
async fn a_halt_lets_go_what_waits() {
    let hit = hit(BytesFault::each_chunk(TIME).unwrap());
    let reading = tokio::spawn(read(hit.body(three_and_trailers())));
    tokio::time::sleep(Duration::from_millis(150)).await;
    hit.injector.halt("enough");
    let read = reading.await.unwrap();
    assert_eq!(read.times(), [100, 150, 150]);
    assert_eq!(read.bytes(), b"onetwothree");
}
