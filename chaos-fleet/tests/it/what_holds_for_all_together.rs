//! A limit of the fleet is never exceeded, and a guard rail that breaks at one replica ends a document at all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chaos_core::Call;
use chaos_fleet::{Controller, Fate, Trust};
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{fleet, hand::Hand, shop::Shop, until, within};

/// Calls at a replica until this is aborted: then the replica dies with what it holds, as a killed process does. It tells etcd
/// nothing.
async fn load(shop: Shop, pace: Duration, hits: Arc<AtomicU64>) {
    loop {
        if shop.is_hit() {
            // Nothing else is read with it.
            hits.fetch_add(1, Ordering::Relaxed);
        }
        sleep(pace).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_never_exceeded_whoever_dies() {
    const LIMIT: u64 = 1000;
    const KILLED: usize = 5;
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let shops: Vec<_> = (0..50)
        .map(|at| Shop::join(&etcd.endpoints(), &format!("s{at}")))
        .collect();
    let most = Duration::from_secs(60);
    within(most, "all follow", || shops.iter().all(Shop::is_followed)).await;
    let hits = Arc::new(AtomicU64::new(0));
    let so_far = || hits.load(Ordering::Relaxed);
    let loads = shops.into_iter().enumerate().map(|(at, shop)| {
        // Those that die later use up their parts more slowly than they get them, so they hold something.
        let pace = Duration::from_millis(if at < KILLED { 400 } else { 2 });
        tokio::spawn(load(shop, pace, Arc::clone(&hits)))
    });
    let loads: Vec<_> = loads.collect();
    let hold = Duration::from_secs(5);
    let controller = Controller::take(
        fleet::etcd(&etcd),
        fleet::name("shop"),
        Trust::Store,
        "ann",
        hold,
    );
    let controller = controller.await.unwrap();
    let limited = fleet::document(&json!({ "fleet": { "limit": LIMIT } }));
    controller.put(&limited, None).await.unwrap();

    // One after the other, after a tenth of the limit each.
    for (load, after) in loads[..KILLED].iter().zip((100..).step_by(100)) {
        within(most, "it goes on", || so_far() >= after).await;
        load.abort();
    }
    assert!(so_far() < LIMIT, "they die before it is used up");
    // Until nothing is injected for three seconds.
    let (mut before, mut idle) = (0, 0);
    while idle < 30 {
        sleep(Duration::from_millis(100)).await;
        let now = so_far();
        idle = if now == before { idle + 1 } else { 0 };
        before = now;
    }

    let document = hand.get("orders/rules/lost").await.unwrap();
    let chunk = document["document"]["chunk"].as_u64().unwrap();
    let prefix = Some(etcd_client::GetOptions::new().with_prefix());
    let limits = hand.client.get("/chaos/shop/limits/", prefix).await;
    let given = limits.unwrap().kvs()[0].value_str().unwrap().to_owned();
    assert_eq!(given, LIMIT.to_string());
    assert!(before <= LIMIT, "{before}");
    // A replica takes a part when it has less than half of one.
    let held = KILLED as u64 * (chunk + chunk.div_ceil(2) - 1);
    assert!(before >= LIMIT - held, "{before}, {held} held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_obeyed_by_who_comes_later_and_is_for_one_revision() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = json!({ "document": { "leash": "never" } });
    let revision = hand.document("lost", never.clone(), 0).await;
    let stop = |revision| json!({ "revision": revision, "reason": "p99" }).to_string();
    hand.put("orders/stops/lost/other", stop(i64::MAX), 0).await;
    let shop = Shop::join(&etcd.endpoints(), "one");
    until("that of another revision is none", || shop.is_hit()).await;
    hand.put("orders/stops/lost/other", stop(revision), 0).await;
    until("it is stopped", || !shop.is_hit()).await;
    let late = Shop::join(&etcd.endpoints(), "two");
    until("it is followed", || {
        assert!(!late.is_hit());
        late.is_followed()
    })
    .await;
    let stopped = Fate::Stopped {
        reason: "other: p99".to_owned(),
    };
    assert_eq!(late.fate("lost"), Some(stopped));
    assert!(!late.is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_at_one_ends_the_document_at_all() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let shops = ["one", "two", "three"].map(|id| Shop::join(&etcd.endpoints(), id));
    until("all follow", || shops.iter().all(Shop::is_followed)).await;
    let rules = json!([{
        "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }],
        "guards": [{ "site": "http.server", "error_ratio": 0.1, "window": "10s", "at_least": 10 }],
    }]);
    hand.document(
        "lost",
        json!({ "document": { "leash": "never", "rules": rules } }),
        0,
    )
    .await;
    until("all are hit", || shops.iter().all(Shop::is_hit)).await;
    // Every call at the server of one fails.
    let site = shops[0].injector.site("http.server");
    // It measures no more once it has broken.
    while let Some(mut call) = site.measure(&Call::new(), None) {
        call.end(true);
    }
    within(Duration::from_secs(2), "nobody is hit", || {
        !shops.iter().any(Shop::is_hit)
    })
    .await;
    until("each says why", || {
        shops
            .iter()
            .all(|shop| matches!(shop.fate("lost"), Some(Fate::Stopped { .. })))
    })
    .await;
    let Some(Fate::Stopped { reason }) = shops[2].fate("lost") else {
        panic!("{:?}", shops[2].fate("lost"));
    };
    assert!(reason.starts_with("one: "), "{reason}");
    // Put again, it is another document.
    hand.document("lost", json!({ "document": { "leash": "never" } }), 0)
        .await;
    until("two is hit", || shops[1].is_hit()).await;
}
