//! A limit of the fleet is never exceeded, and a guard rail that breaks at one replica ends a document at all.

use std::time::Duration;

use chaos_core::Call;
use chaos_fleet::Fate;
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{hand::Hand, shop::Shop, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_never_exceeded_whoever_dies() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let mut shops: Vec<_> = (0..20)
        .map(|at| Shop::join(&etcd.endpoints(), &format!("s{at}")))
        .collect();
    until("all follow", || shops.iter().all(Shop::is_followed)).await;
    let limited =
        json!({ "document": { "leash": "never", "fleet": { "limit": 400 }, "chunk": 2 } });
    hand.document("lost", limited, 0).await;
    let mut hits = 0;
    let mut idle = 0;
    while idle < 100 {
        let now = shops.iter().filter(|shop| shop.is_hit()).count();
        idle = if now == 0 { idle + 1 } else { 0 };
        hits += now;
        assert!(hits <= 400, "{hits}");
        if hits > 100 && shops.len() == 20 {
            // Two die with what they hold.
            shops.truncate(18);
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(hits >= 400 - 2 * 2, "{hits}");
    let given = hand
        .client
        .get(
            "/chaos/shop/limits/",
            Some(etcd_client::GetOptions::new().with_prefix()),
        )
        .await
        .unwrap();
    assert_eq!(given.kvs()[0].value_str().unwrap(), "400");
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
