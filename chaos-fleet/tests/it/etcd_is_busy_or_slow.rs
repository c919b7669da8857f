//! A store that changes all the time, or answers late: other rules stay, the last state arrives, and nothing spins.

use std::time::Duration;

use chaos_core::{Clock, wire};
use chaos_fleet::Fate;
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{hand::Hand, shop::Shop, slow::Slow, until};

/// A document that is meant for another site, in its version `n`.
fn version(n: usize) -> serde_json::Value {
    let rate = 0.1 + n as f64 / 10_000.0;
    let rule =
        json!({ "id": "busy", "site": "db.write", "rate": rate, "faults": [{ "error": "x" }] });
    json!({ "document": { "leash": "never", "rules": [rule] } })
}

/// Puts 100 versions a second, while each call at `db.read` is hit by another rule; returns how many calls there were, and
/// the revision of the last version.
async fn replace(hand: &mut Hand, shop: &Shop, times: usize) -> (u64, i64) {
    let (mut calls, mut revision) = (0, 0);
    let clock = Clock::monotonic();
    for n in 0..times {
        revision = hand.document("busy", version(n), 0).await;
        assert!(shop.is_hit(), "after {n} changes");
        calls += 1;
        let next = Duration::from_millis(10) * (n as u32 + 1);
        sleep(next.saturating_sub(clock.now())).await;
    }
    (calls, revision)
}

fn has_applied(shop: &Shop, revision: i64) -> bool {
    let documents = shop.report().documents;
    let outcome = documents.get(&"busy".parse().unwrap());
    outcome.is_some_and(|it| it.revision == revision && matches!(it.fate, Fate::Applied { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_replaced_a_hundred_times_a_second_holds_up_nothing_else() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let shop = Shop::join(&etcd.endpoints(), "one");
    hand.document("calm", json!({ "document": { "leash": "never" } }), 0)
        .await;
    until("calls are hit", || shop.is_hit()).await;
    let before = shop.matched("calm");
    let (calls, last) = replace(&mut hand, &shop, 300).await;
    until("the last version is in force", || has_applied(&shop, last)).await;
    // The other rule was not armed anew.
    assert_eq!(shop.matched("calm"), before + calls);
    let rules = shop.injector.rules();
    let rule = wire::rule_to_value(rules.find("busy").unwrap());
    assert_eq!(rule["rate"], version(299)["document"]["rules"][0]["rate"]);
    // The report says the last state, and not each.
    let reports = hand.version("replicas/one").await;
    assert!(reports < 60, "{reports} reports");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_answers_late_is_waited_for() {
    let etcd = Cluster::start();
    let slow = Slow::start(&etcd.endpoints()[0], Duration::from_millis(150));
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let shop = Shop::join(std::slice::from_ref(&slow.url), "one");
    until("the fleet is followed", || shop.is_followed()).await;
    hand.document("calm", json!({ "document": { "leash": "never" } }), 0)
        .await;
    until("calls are hit", || shop.is_hit()).await;
    let (_, last) = replace(&mut hand, &shop, 200).await;
    until("the last version is in force", || has_applied(&shop, last)).await;
    // Over one connection, which carries little more than pings when nothing happens.
    sleep(Duration::from_secs(1)).await;
    let before = slow.bytes();
    sleep(Duration::from_secs(3)).await;
    let idle = slow.bytes() - before;
    assert!(idle < 2_000, "{idle} bytes in three seconds");
    assert_eq!(slow.connections(), 1);
    assert!(shop.is_hit() && shop.is_followed());
}
