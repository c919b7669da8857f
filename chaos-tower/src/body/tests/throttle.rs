//! Bodies that pass at a rate.

use std::{num::NonZeroU64, time::Duration};

use chaos_core::fault::BytesFault;

use crate::body::testing::{Numbers, Read, Script, Step, hit, hit_of, read};

fn throttle(rate: u64) -> BytesFault {
    BytesFault::throttle(NonZeroU64::new(rate).unwrap())
}

fn frames(lengths: impl IntoIterator<Item = usize>) -> Script {
    let data = |length| Step::Data(vec![7; length].into());
    Script::new(lengths.into_iter().map(data))
}

/// How far each byte was from when it was due, at worst: early, or late in milliseconds.
fn worst(read: &Read, rate: u64) -> (u128, u128) {
    let mut passed = 0;
    let (mut early, mut late) = (0, 0);
    for (at, bytes) in &read.frames {
        passed += bytes.len() as u64;
        let due = Duration::from_nanos(passed * 1_000_000_000 / rate);
        early = early.max(due.saturating_sub(*at).as_millis());
        late = late.max(at.saturating_sub(due).as_millis());
    }
    (early, late)
}

#[tokio::test(start_paused = true)]
async fn a_body_takes_as_long_as_its_rate_says() {
    for (rate, length) in [
        (200_000, 100_000),
        (1_000, 10_000),
        (7, 50),
        (50_000_000, 100_000_000),
    ] {
        let read = read(hit(throttle(rate)).body(frames([length]))).await;
        let (took, due) = (read.end.as_secs_f64(), length as f64 / rate as f64);
        assert!(
            took >= due && took <= due * 1.01 + 0.002,
            "{took} for {due}"
        );
        assert_eq!(read.bytes().len(), length);
        let (early, late) = worst(&read, rate);
        assert!(early == 0 && late <= 2, "{early} ms early, {late} ms late");
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_matter_what_frames_the_bytes_come_in() {
    let mut numbers = Numbers(1);
    for _ in 0..100 {
        let rate = 100 + numbers.below(1_000_000);
        let count = 1 + numbers.below(200);
        let lengths = (0..count).map(|_| numbers.below(2 * rate / count + 2) as usize);
        let script = frames(lengths.collect::<Vec<_>>());
        let length = script.bytes().len();
        let read = read(hit(throttle(rate)).body(script)).await;
        assert_eq!(read.bytes().len(), length);
        let (early, late) = worst(&read, rate);
        assert!(early == 0 && late <= 2, "{early} ms early, {late} ms late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_receiver_is_no_credit() {
    use http_body_util::BodyExt;

    let hit = hit(throttle(1_000));
    let mut body = hit.body(frames([10_000]));
    body.frame().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rest = read(body).await;
    let took = rest.end.as_secs_f64();
    let due = rest.bytes().len() as f64 / 1_000.0;
    // Of which it makes up for 100 ms.
    assert!((due - 0.11..due).contains(&took), "{took} for {due}");
}

#[tokio::test(start_paused = true)]
async fn a_halt_lets_the_rest_pass_at_once() {
    let hit = hit(throttle(1_000));
    let body = hit.body(frames([5_000, 5_000]));
    let reading = tokio::spawn(read(body));
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    hit.injector.halt("enough");
    let read = reading.await.unwrap();
    assert_eq!(read.bytes().len(), 10_000);
    assert_eq!(read.end.as_millis(), 2_600);
    // 256 bytes at a time before, and what was left of either frame after.
    assert_eq!(read.frames.len(), 10 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_lets_the_rest_pass() {
    let lifetime = chaos_core::Lifetime::new(Duration::from_secs(3)).unwrap();
    let hit = hit_of(throttle(1_000), |rule| rule.lifetime(lifetime));
    let body = hit.body(frames([10_000]));
    let read = read(body).await;
    assert_eq!(read.bytes().len(), 10_000);
    assert!(
        (3_000..3_005).contains(&read.end.as_millis()),
        "{:?}",
        read.end
    );
}
