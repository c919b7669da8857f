//! What dies, stops or comes back: faults end in time, and do not come back by themselves.

use std::time::Duration;

use chaos_core::{Clock, Injector, inject_async};
use chaos_fleet::Trust;
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    hand::Hand,
    shop::{Shop, fleet},
    until, within,
};

/// Beats each half second, so many times.
async fn beats(hand: &mut Hand, lease: i64, times: usize) {
    for _ in 0..times {
        hand.beat(lease).await;
        sleep(Duration::from_millis(500)).await;
    }
}

/// A fleet of one replica that is hit, with a hold of five seconds.
async fn hit(etcd: &Cluster, lease: i64, hand: &mut Hand) -> Shop {
    let shop = Shop::join(&etcd.endpoints(), "one");
    hand.document("lost", json!({}), lease).await;
    until("the rule is there", || shop.has_applied("lost")).await;
    beats(hand, lease, 2).await;
    until("calls are hit", || shop.is_hit()).await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_controller_ends_them_and_a_word_goes_on() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(60).await;
    let shop = hit(&etcd, lease, &mut hand).await;
    within(Duration::from_millis(5100), "no call is hit", || {
        !shop.is_hit()
    })
    .await;
    let matched = shop.matched("lost");
    beats(&mut hand, lease, 2).await;
    until("calls are hit", || shop.is_hit()).await;
    assert!(shop.matched("lost") > matched);
    // Another controller's beats are none of its business.
    within(Duration::from_millis(5100), "no call is hit", || {
        !shop.is_hit()
    })
    .await;
    let other = hand.lease(60).await;
    beats(&mut hand, other, 3).await;
    assert!(!shop.is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_ends_them() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(5).await;
    let shop = hit(&etcd, lease, &mut hand).await;
    within(Duration::from_millis(6500), "no call is hit", || {
        !shop.is_hit()
    })
    .await;
    within(Duration::from_millis(6500), "the rule is gone", || {
        shop.injector.rules().rules().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_hangs_ends_them_and_nobody_is_armed_again() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(5).await;
    let shop = hit(&etcd, lease, &mut hand).await;
    etcd.pause();
    within(Duration::from_millis(5100), "no call is hit", || {
        !shop.is_hit()
    })
    .await;
    sleep(Duration::from_secs(3)).await;
    etcd.go_on();
    until("it is followed", || shop.is_followed()).await;
    for _ in 0..300 {
        assert!(!shop.is_hit());
        sleep(Duration::from_millis(10)).await;
    }
    assert!(shop.injector.rules().rules().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_a_dead_controller_arms_nobody() {
    let mut etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    // etcd restarts the lease at its full time.
    let lease = hand.lease(30).await;
    let shop = hit(&etcd, lease, &mut hand).await;
    etcd.kill(0);
    within(Duration::from_millis(5100), "no call is hit", || {
        !shop.is_hit()
    })
    .await;
    etcd.restart(0);
    let late: Vec<_> = (0..10)
        .map(|at| Shop::join(&etcd.endpoints(), &format!("late-{at}")))
        .collect();
    until("all have the rule", || {
        late.iter().all(|late| late.has_applied("lost"))
    })
    .await;
    until("it is followed", || shop.is_followed()).await;
    for _ in 0..300 {
        assert!(!shop.is_hit() && !late.iter().any(Shop::is_hit));
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_comes_back_in_time_is_not_noticed() {
    let mut etcd = Cluster::start();
    let endpoint = etcd.endpoints()[0].clone();
    let mut hand = Hand::new(&endpoint).await;
    let lease = hand.lease(60).await;
    let shop = Shop::with_hold(&etcd.endpoints(), "one", Duration::from_secs(30));
    hand.document("lost", json!({}), lease).await;
    until("the rule is there", || shop.has_applied("lost")).await;
    beats(&mut hand, lease, 2).await;
    until("calls are hit", || shop.is_hit()).await;
    etcd.kill(0);
    for _ in 0..300 {
        assert!(shop.is_hit());
        sleep(Duration::from_millis(10)).await;
    }
    etcd.restart(0);
    let matched = shop.matched("lost");
    assert!(matched >= 300);
    until("it is followed", || shop.is_followed()).await;
    assert!(shop.is_hit());
    assert_eq!(shop.matched("lost"), matched + 1);
    let mut hand = Hand::new(&endpoint).await;
    hand.delete("orders/rules/lost").await;
    until("the next change arrives", || !shop.is_hit()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_is_no_gap() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let shop = Shop::join(&etcd.endpoints(), "one");
    until("it is followed", || shop.is_followed()).await;
    let never = json!({ "document": { "leash": "never" } });
    hand.document("lost", never.clone(), 0).await;
    until("calls are hit", || shop.is_hit()).await;
    // The replica is cut off while the keys change a thousand times.
    etcd.pause();
    until("the replica has noticed", || !shop.is_followed()).await;
    etcd.go_on();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    for _ in 0..1000 {
        hand.put("orders/other", "x", 0).await;
    }
    hand.delete("orders/rules/lost").await;
    let answer = hand
        .client
        .get("/chaos/shop/orders/other", None)
        .await
        .unwrap();
    let revision = answer.header().unwrap().revision();
    hand.client.compact(revision, None).await.unwrap();
    until("the rule is gone", || !shop.is_hit()).await;
    hand.document("lost", never, 0).await;
    until("calls are hit", || shop.is_hit()).await;
}

/// A fault holds the only worker of the runtime on which the fleet's task runs.
#[test]
fn a_blocked_runtime_is_freed_at_the_end_of_the_hold() {
    let etcd = Cluster::start();
    let endpoints = etcd.endpoints();
    let outside = tokio::runtime::Runtime::new().unwrap();
    let mut hand = outside.block_on(Hand::new(&endpoints[0]));
    let injector = Injector::new();
    let inside = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (joined, calls) = (injector.clone(), injector.clone());
    let served = std::thread::spawn(move || {
        inside.block_on(async move {
            let member = fleet(&endpoints, "one", Trust::Store).hold(Duration::from_secs(5));
            let _member = member.join(&joined).unwrap();
            let clock = Clock::monotonic();
            loop {
                let began = clock.now();
                inject_async!(injector: &calls, "db.read").await.unwrap();
                let took = clock.now() - began;
                if took > Duration::from_secs(1) {
                    // Another call must not be held for one more hold by a beat that has waited all this time.
                    let began = clock.now();
                    for _ in 0..100 {
                        inject_async!(injector: &calls, "db.read").await.unwrap();
                        sleep(Duration::from_millis(10)).await;
                    }
                    return (took, clock.now() - began);
                }
                sleep(Duration::from_millis(5)).await;
            }
        })
    });
    outside.block_on(async {
        let lease = hand.lease(60).await;
        let block = json!([{ "id": "stuck", "site": "db.read", "faults": [{ "block": "60s" }] }]);
        let stuck = json!({ "document": { "rules": block } });
        hand.document("stuck", stuck, lease).await;
        // The last of them comes while the runtime is blocked.
        beats(&mut hand, lease, 6).await;
    });
    let (held, after) = served.join().unwrap();
    assert!(held < Duration::from_millis(5100), "{held:?}");
    assert!(after < Duration::from_secs(3), "{after:?}");
}
