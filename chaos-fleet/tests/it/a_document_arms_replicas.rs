//! A document is put: the replicas that are meant do it, say so, and stop when it is gone.

use std::time::Duration;

use chaos_core::audit::Actor;
use chaos_fleet::{Fate, ReplicaState};
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{hand::Hand, shop::Shop, until};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_heard_before_it_is_armed() {
    let etcd = Cluster::start();
    let shop = Shop::join(&etcd.endpoints(), "one");
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(60).await;
    hand.document("lost", json!({}), lease).await;
    until("the rule is there", || shop.has_applied("lost")).await;
    assert!(!shop.is_hit());
    // One beat may have waited in a socket since its controller died.
    hand.beat(lease).await;
    sleep(Duration::from_millis(300)).await;
    assert!(!shop.is_hit());
    hand.beat(lease).await;
    until("calls are hit", || shop.is_hit()).await;
    let report = hand.get("replicas/one").await.unwrap();
    assert_eq!(report["documents"]["lost"]["outcome"], "applied");
    assert_eq!(report["labels"]["zone"], "a");

    hand.delete("orders/rules/lost").await;
    // The list of rules has changed by then: sites hold what it says a moment later.
    until("no call is hit", || !shop.is_hit()).await;
    assert!(shop.injector.rules().rules().is_empty());
    until("it is forgotten", || shop.fate("lost").is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_those_who_are_meant() {
    let etcd = Cluster::start();
    let shops = ["one", "two"].map(|id| Shop::join(&etcd.endpoints(), id));
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(60).await;
    let meant = |who: serde_json::Value| json!({ "document": { "meant": who } });
    hand.document("lost", meant(json!({ "who": { "ids": ["two"] } })), lease)
        .await;
    until("all know it", || {
        shops.iter().all(|shop| shop.fate("lost").is_some())
    })
    .await;
    for _ in 0..2 {
        hand.beat(lease).await;
    }
    until("two is hit", || shops[1].is_hit()).await;
    assert!(!shops[0].is_hit());
    assert_eq!(shops[0].fate("lost"), Some(Fate::NotMeant));

    let matched = shops[1].matched("lost");
    hand.document("lost", meant(json!({ "who": "all" })), lease)
        .await;
    until("one is hit", || shops[0].is_hit()).await;
    // What has not changed goes on with its counts.
    assert!(shops[1].is_hit());
    assert!(shops[1].matched("lost") > matched);

    hand.document(
        "lost",
        meant(json!({ "labels": { "zone": "b" }, "who": "all" })),
        lease,
    )
    .await;
    until("nobody is hit", || !shops.iter().any(Shop::is_hit)).await;
    assert_eq!(shops[1].fate("lost"), Some(Fate::NotMeant));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_on_no_leash_needs_no_controller() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = json!({ "document": { "leash": "never", "ttl": 2000 } });
    hand.document("lost", never, 0).await;
    let shop = Shop::join(&etcd.endpoints(), "one");
    until("calls are hit", || shop.is_hit()).await;
    until("its time is over", || !shop.is_hit()).await;
    until("that is told", || shop.fate("lost") == Some(Fate::Over)).await;
    // Put again, it begins anew.
    let never = json!({ "document": { "leash": "never", "ttl": 2000 } });
    hand.document("lost", never, 0).await;
    until("calls are hit", || shop.is_hit()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_halts_and_frees_nobody_else() {
    let etcd = Cluster::start();
    let shops = ["one", "two"].map(|id| Shop::join(&etcd.endpoints(), id));
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let lease = hand.lease(60).await;
    hand.document("lost", json!({}), lease).await;
    until("the rule is there", || {
        shops.iter().all(|shop| shop.has_applied("lost"))
    })
    .await;
    for _ in 0..2 {
        hand.beat(lease).await;
    }
    until("all are hit", || shops.iter().all(Shop::is_hit)).await;

    hand.put(
        "orders/halt",
        r#"{"by":"ann","reason":"an incident","at":0}"#,
        0,
    )
    .await;
    until("nobody is hit", || !shops.iter().any(Shop::is_hit)).await;
    let bob = Actor::new("bob");
    let refused = shops[0]
        .injector
        .as_actor(bob.clone())
        .resume()
        .unwrap_err();
    assert!(refused.to_string().contains("shop"), "{refused}");
    shops[0].injector.as_actor(bob.because("mine")).halt();

    hand.delete("orders/halt").await;
    until("two is hit again", || shops[1].is_hit()).await;
    until("the fleet's hold has ended", || {
        shops[0].injector.status().holders.len() == 1
    })
    .await;
    assert!(!shops[0].is_hit());
    assert_eq!(shops[0].report().state, ReplicaState::Halted);
    shops[0].injector.resume();
    assert!(shops[0].is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_takes_the_rules_along() {
    let etcd = Cluster::start();
    let Shop { injector, member } = Shop::join(&etcd.endpoints(), "one");
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = json!({ "document": { "leash": "never" } });
    hand.document("lost", never, 0).await;
    hand.put("orders/halt", "{}", 0).await;
    let state = || injector.status();
    until("it is halted", || {
        !state().holders.is_empty() && state().rules == 1
    })
    .await;
    drop(member);
    assert_eq!(state().rules, 0);
    assert!(state().holders.is_empty());
}
