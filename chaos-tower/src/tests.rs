//! Promises that more than one module keeps.

use std::{num::NonZeroU64, pin::pin, time::Duration};

use bytes::Bytes;
use chaos_core::{
    Call, Clock, Direction, Fault, Injector, Plan, Rule, Site, SiteKind, fault::BytesFault,
};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::{FaultBody, FaultIo, body::BodyFault, site_ref::SiteRef};

fn throttled(
    injector: &Injector,
    kind: SiteKind,
    rate: u64,
    direction: Direction,
) -> &'static Site {
    let throttle = BytesFault::throttle(NonZeroU64::new(rate).unwrap());
    let rule = Rule::new(
        "slow".parse().unwrap(),
        "site".parse().unwrap(),
        Fault::Body(throttle, direction),
    );
    injector.put(rule);
    injector.site_of("site", kind)
}

/// How long a throttled body of `length` bytes takes.
async fn body_time(rate: u64, length: usize) -> Duration {
    let injector = Injector::new();
    let site = throttled(&injector, SiteKind::Layer, rate, Direction::Response);
    let mut decision = site.decide(&Call::new()).unwrap();
    let Some(Plan::Bytes(plan, _)) = decision.next_plan() else {
        panic!("a throttle is a plan for bytes");
    };
    let fault = BodyFault::Bytes(plan, decision.active_call().unwrap());
    let body = FaultBody::with(Full::new(Bytes::from(vec![7; length])), vec![fault]);
    let clock = Clock::monotonic();
    let mut body = pin!(body);
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, length);
    clock.now()
}

/// How long `length` bytes take that a throttled connection writes, or reads.
async fn connection_time(rate: u64, length: usize, direction: Direction) -> Duration {
    let injector = Injector::new();
    let site = throttled(&injector, SiteKind::Connection, rate, direction);
    let (near, mut far) = duplex(1 << 20);
    let mut near = FaultIo::accepted(near, SiteRef::new(site));
    let bytes = vec![7; length];
    let mut received = Vec::new();
    let clock = Clock::monotonic();
    match direction {
        // The end that accepted the connection writes the responses.
        Direction::Response => {
            let write = async {
                near.write_all(&bytes).await.unwrap();
                near.shutdown().await.unwrap();
            };
            tokio::join!(write, async {
                far.read_to_end(&mut received).await.unwrap()
            });
        }
        Direction::Request => {
            let write = async {
                far.write_all(&bytes).await.unwrap();
                far.shutdown().await.unwrap();
            };
            tokio::join!(write, async {
                near.read_to_end(&mut received).await.unwrap()
            });
        }
    }
    assert_eq!(received.len(), length);
    clock.now()
}

#[tokio::test(start_paused = true)]
async fn bodies_and_connections_keep_the_same_rate() {
    for (rate, length) in [
        (7, 50),
        (1_000, 10_000),
        (20_000, 50_000),
        (200_000, 1_000_000),
        (50_000_000, 20_000_000),
    ] {
        let due = length as f64 / rate as f64;
        let body = body_time(rate, length).await;
        let written = connection_time(rate, length, Direction::Response).await;
        let read = connection_time(rate, length, Direction::Request).await;
        for time in [body, written, read] {
            let time = time.as_secs_f64();
            // tokio's timer is late by a millisecond or two, once: it does not add up.
            assert!(
                (due..due + 0.003).contains(&time),
                "{time} s for {due} s: {length} bytes at {rate} B/s"
            );
        }
    }
}
