//! Whatever lies in etcd: other rules stay, the replica says what and why, and its audit has it.

use std::time::Duration;

use chaos_core::{Injector, audit::Action, token::TokenKey};
use chaos_fleet::{Fate, Trust};
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    hand::{Hand, document},
    shop::{Shop, fleet},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_stay_and_each_slip_is_named() {
    let etcd = Cluster::start();
    let shop = Shop::join(&etcd.endpoints(), "one");
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = json!({ "document": { "leash": "never" } });
    hand.document("good", never.clone(), 0).await;
    until("calls are hit", || shop.is_hit()).await;

    let rule = |rule| json!({ "document": { "leash": "never", "rules": [rule] } });
    let bad = [
        ("no-json", "{".to_owned(), "no JSON"),
        ("list", "[]".to_owned(), "it is a list"),
        (
            "unknown",
            document("unknown", json!({ "document": { "site": 1 } })).to_string(),
            "site",
        ),
        (
            "rate",
            document(
                "rate",
                rule(json!({ "id": "r", "site": "s", "rate": 7, "faults": [{ "error": "x" }] })),
            )
            .to_string(),
            "rules[0].rate",
        ),
        (
            "foreign",
            document("foreign", json!({ "aud": "other" })).to_string(),
            "aud",
        ),
        ("moved", document("other", never.clone()).to_string(), "jti"),
        (
            "expired",
            document("expired", json!({ "exp": 1 })).to_string(),
            "expired",
        ),
        ("huge", "x".repeat(1_400_000), "at most 1048576 bytes"),
        (
            "taken",
            document(
                "taken",
                rule(json!({ "id": "good", "site": "s", "faults": [{ "error": "x" }] })),
            )
            .to_string(),
            "already",
        ),
        (
            "meant",
            document("meant", json!({ "document": { "meant": [{}, "all"] } })).to_string(),
            "document.meant: it is a list",
        ),
        (
            "terms",
            document("terms", json!({ "document": { "fleet": [5, 1] } })).to_string(),
            "document.fleet: it is a list",
        ),
        ("free", document("free", json!({})).to_string(), "leash"),
        (
            "bound",
            document("bound", json!({ "document": { "fleet": { "limit": 0 } } })).to_string(),
            "fleet.limit",
        ),
    ];
    for (at, (name, value, expected)) in bad.iter().enumerate() {
        hand.put(&format!("orders/rules/{name}"), value.as_str(), 0)
            .await;
        until("it is refused", || shop.refusal(name).is_some()).await;
        let refusal = shop.refusal(name).unwrap();
        assert!(refusal.contains(expected), "{name}: {refusal}");
        assert_eq!(shop.member.status().refused, at as u64 + 1);
        assert!(shop.member.handle().problem().is_some());
        assert!(shop.is_hit());
    }
    let entries = shop.injector.audit().after(0).entries;
    let refused = entries
        .iter()
        .filter(|entry| entry.action == Action::Refuse);
    assert_eq!(refused.count(), bad.len());

    // A bad version leaves the good one in force, and a good one after it replaces it.
    hand.put("orders/rules/good", "{", 0).await;
    until("it is refused", || shop.refusal("good").is_some()).await;
    assert!(shop.is_hit());
    // Keys outside of the layout are left alone.
    hand.put("orders/rules/a/b", "x", 0).await;
    hand.put("orders/other", "x", 0).await;
    hand.put("orders/beat", "x", 0).await;
    hand.document(
        "good",
        json!({ "document": { "leash": "never", "ttl": 1000 } }),
        0,
    )
    .await;
    until("its time is over", || !shop.is_hit()).await;
    // A site that nobody knows is warned of, and applied.
    hand.document(
        "typo",
        rule(json!({ "id": "t", "site": "db.raed", "faults": [{ "error": "x" }] })),
        0,
    )
    .await;
    until("it is applied", || shop.has_applied("typo")).await;
    let Some(Fate::Applied { warnings }) = shop.fate("typo") else {
        panic!("{:?}", shop.fate("typo"));
    };
    assert!(warnings[0].contains("db.raed"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_is_taken() {
    let etcd = Cluster::start();
    let (key, other) = (
        TokenKey::new(&[1; 32]).unwrap(),
        TokenKey::new(&[2; 32]).unwrap(),
    );
    let shop = Shop::of(fleet(&etcd.endpoints(), "one", Trust::Key(key.clone())));
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = |name| document(name, json!({ "document": { "leash": "never" } }));
    hand.put("orders/rules/unsigned", never("unsigned").to_string(), 0)
        .await;
    hand.put(
        "orders/rules/forged",
        other.sign_claims(&never("forged")),
        0,
    )
    .await;
    for name in ["unsigned", "forged"] {
        until("it is refused", || shop.refusal(name).is_some()).await;
        assert!(shop.refusal(name).unwrap().contains("signed"));
    }
    assert!(!shop.is_hit());
    hand.put("orders/rules/signed", key.sign_claims(&never("signed")), 0)
        .await;
    until("calls are hit", || shop.is_hit()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_with_one_id_the_second_waits() {
    let etcd = Cluster::start();
    let first = Shop::join(&etcd.endpoints(), "one");
    until("it is followed", || first.is_followed()).await;
    let second = Shop::join(&etcd.endpoints(), "one");
    until("it says why", || second.member.status().error.is_some()).await;
    let problem = second.member.handle().problem().unwrap();
    assert!(problem.contains("replicas/one"), "{problem}");
    assert!(!second.is_followed());
    // A halt is for whoever reads it.
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    hand.put("orders/halt", "{}", 0).await;
    let is_halted = || !second.injector.status().holders.is_empty();
    until("it is halted", is_halted).await;
    drop(first);
    // The lease of the first has to end.
    until("it is followed", || second.is_followed()).await;
    // Who leaves in order is forgotten at once.
    second.member.leave().await.unwrap();
    let third = Shop::with_hold(&etcd.endpoints(), "one", Duration::from_secs(60));
    until("it is followed", || third.is_followed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_slip_makes_no_long_report() {
    let etcd = Cluster::start();
    let shop = Shop::join(&etcd.endpoints(), "one");
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let mut long = json!({ "document": {} });
    long["document"]["x".repeat(900_000)] = json!(1);
    hand.document("long", long, 0).await;
    until("it is refused", || shop.refusal("long").is_some()).await;
    assert!(shop.refusal("long").unwrap().len() < 3000);
    let mut report = async || hand.get("replicas/one").await.unwrap().to_string();
    for _ in 0..100 {
        if report().await.contains("refused") {
            assert!(shop.is_followed());
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_documents_are_too_many() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    let never = json!({ "document": { "leash": "never" } });
    for at in 0..1000 {
        hand.document(&format!("d{at}"), never.clone(), 0).await;
    }
    let shop = Shop::join(&etcd.endpoints(), "one");
    until("those beyond are left out", || {
        shop.report().left_out == 744
    })
    .await;
    assert_eq!(shop.report().documents.len(), 256);
    assert!(shop.has_applied("d0"));
    hand.delete("orders/rules/d0").await;
    until("there is room for one", || shop.report().left_out == 743).await;
}

/// Together they are larger than the largest message that is read.
#[tokio::test(flavor = "multi_thread")]
async fn many_of_the_largest_size_are_no_harm() {
    let etcd = Cluster::start();
    let mut hand = Hand::new(&etcd.endpoints()[0]).await;
    for at in 0..70 {
        let huge = "x".repeat(1_000_000);
        hand.put(&format!("orders/rules/d{at}"), huge, 0).await;
    }
    let never = json!({ "document": { "leash": "never" } });
    hand.document("good", never, 0).await;
    let shop = Shop::join(&etcd.endpoints(), "one");
    until("calls are hit", || shop.is_hit()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_no_etcd_is_no_harm() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let silent = Shop::join(&[endpoint], "one");
    let dead = Shop::join(&["http://127.0.0.1:1".to_owned()], "one");
    for shop in [&silent, &dead] {
        until("it says why", || shop.member.status().error.is_some()).await;
        assert!(!shop.is_hit());
    }
    let etcd = Cluster::start();
    let shop = Shop::join(
        &[&["http://127.0.0.1:1".to_owned()][..], &etcd.endpoints()].concat(),
        "two",
    );
    until("the next endpoint is used", || shop.is_followed()).await;
    sleep(Duration::from_millis(10)).await;
}

#[tokio::test]
async fn a_hold_out_of_its_range_is_refused() {
    let endpoints = ["http://127.0.0.1:1".to_owned()];
    for hold in [4_999, 300_001] {
        let fleet = fleet(&endpoints, "one", Trust::Store).hold(Duration::from_millis(hold));
        let refusal = fleet.join(&Injector::new()).unwrap_err();
        assert_eq!(
            (refusal.field(), refusal.allowed()),
            ("hold", "a time from 5s to 5m")
        );
    }
}
