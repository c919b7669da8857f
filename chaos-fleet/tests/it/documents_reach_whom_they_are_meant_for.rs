//! What is put, for whom, and what comes back.

use std::{collections::BTreeSet, time::Duration};

use chaos_fleet::{Aim, DocumentEnd, FleetError, Name, Operator, Trust};
use etcd_cluster::Cluster;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::fleet::{Raw, document, etcd, name, operator, report, take, within};

const HOLD: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_share_is_exact_and_only_grows() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    raw.register(0..1000).await;
    let controller = take(&cluster, "ann", HOLD).await.unwrap();
    let put = async |share: f64| {
        let document = document(&json!({ "aim": { "share": share } }));
        let placed = controller.put(&document, None).await.unwrap();
        BTreeSet::from_iter(placed.meant)
    };
    let ten = put(0.01).await;
    assert_eq!(ten.len(), 10);
    let aim: Aim = serde_json::from_value(json!({ "share": 0.05 })).unwrap();
    let preview = controller.operator().preview(&aim, &name("lost")).await;
    let fifty = put(0.05).await;
    assert_eq!(fifty.len(), 50);
    assert!(ten.is_subset(&fifty));
    assert_eq!(put(0.01).await, fifty);
    let preview = preview.unwrap();
    let previewed: BTreeSet<Name> = preview.meant.into_iter().map(|it| it.id).collect();
    assert_eq!((previewed, preview.others.len()), (fifty, 950));
    let status = controller.operator().status().await.unwrap();
    assert_eq!(status.documents[0].content.as_ref().unwrap().meant, 50);
    assert_eq!(status.documents[0].answers.silent.len(), 50);
    assert_eq!(status.replicas.len(), 1000);
}

#[tokio::test]
async fn a_wait_names_who_has_not_applied_and_why() {
    let cluster = Cluster::start();
    let raw = &Raw::of(&cluster).await;
    raw.register(0..6).await;
    let controller = take(&cluster, "ann", HOLD).await.unwrap();
    let zone_a = json!({ "aim": { "labels": { "zone": "a" } } });
    let placed = controller.put(&document(&zone_a), None).await.unwrap();
    assert_eq!(
        placed.meant,
        [name("shop-0"), name("shop-2"), name("shop-4")]
    );
    let answer = async |id: &str, zone: &str, mut outcome: Value| {
        outcome["revision"] = placed.revision.into();
        raw.put(&format!("replicas/{id}"), report(id, zone, Some(outcome)))
            .await;
    };
    let refusal = json!({
        "outcome": "refused",
        "field": "rules[0].faults[0]",
        "problem": "the policy forbids it",
        "allowed": "latency",
    });
    answer(
        "shop-0",
        "a",
        json!({ "outcome": "applied", "warnings": ["no such site"] }),
    )
    .await;
    answer("shop-1", "b", json!({ "outcome": "not_meant" })).await;
    answer("shop-2", "a", refusal).await;
    // Of the put before.
    let old = json!({ "outcome": "applied", "revision": placed.revision - 1 });
    raw.put("replicas/shop-4", report("shop-4", "a", Some(old)))
        .await;

    let waited = controller.wait(&placed, Duration::from_millis(500));
    let answers = waited.await.unwrap();
    assert_eq!(answers.applied[&name("shop-0")], ["no such site"]);
    let refused = &answers.refused[&name("shop-2")];
    assert_eq!(
        (refused.field(), refused.allowed()),
        ("rules[0].faults[0]", "latency")
    );
    assert_eq!(answers.not_meant, [name("shop-1")]);
    assert_eq!(answers.silent, [name("shop-4")]);
    assert_eq!(answers.unheard, [name("shop-3"), name("shop-5")]);
    assert!(!answers.all_applied() && !answers.is_whole());

    // It ends with the last answer, for whoever waits.
    let other = operator(&cluster);
    let (name, revision) = (&placed.name, placed.revision);
    let others = async {
        for id in ["shop-2", "shop-4"] {
            answer(id, "a", json!({ "outcome": "applied" })).await;
        }
        for id in ["shop-3", "shop-5"] {
            answer(id, "b", json!({ "outcome": "not_meant" })).await;
        }
    };
    let wait = timeout(SOON, other.wait(name, revision, Duration::from_secs(60)));
    let (answers, ()) = tokio::join!(wait, others);
    let answers = answers.unwrap().unwrap();
    assert!(answers.all_applied() && answers.is_whole(), "{answers:?}");
    assert_eq!(controller.wait(&placed, HOLD).await.unwrap(), answers);

    // Of a revision that is not there, there is nothing to wait for.
    other.remove(name).await.unwrap();
    for waited in [
        other.wait(name, revision, HOLD).await,
        controller.wait(&placed, HOLD).await,
    ] {
        assert!(matches!(waited, Err(FleetError::Gone(_))), "{waited:?}");
    }
    let over = timeout(SOON, controller.over(&placed)).await.unwrap();
    assert!(matches!(over, DocumentEnd::Removed), "{over:?}");
}

#[tokio::test]
async fn a_document_ends_when_as_many_replicas_stop_it_as_it_allows() {
    let cluster = Cluster::start();
    let raw = &Raw::of(&cluster).await;
    raw.register(0..3).await;
    let controller = take(&cluster, "ann", HOLD).await.unwrap();
    let two = document(&json!({ "fleet": { "breaches": 2 } }));
    let placed = controller.put(&two, None).await.unwrap();
    let stop = |revision: i64| json!({ "revision": revision, "reason": "errors at 40 %" });
    raw.put("orders/stops/lost/shop-0", stop(placed.revision))
        .await;
    // Of another revision.
    raw.put("orders/stops/lost/shop-1", stop(placed.revision - 1))
        .await;
    let over = timeout(Duration::from_millis(500), controller.over(&placed));
    assert!(over.await.is_err());
    assert!(raw.get("orders/rules/lost").await.is_some());
    let status = controller.operator().status().await.unwrap();
    assert_eq!(
        status.documents[0].stops[&name("shop-0")].reason,
        "errors at 40 %"
    );
    assert!(!status.documents[0].is_stopped);

    raw.put("orders/stops/lost/shop-2", stop(placed.revision))
        .await;
    let over = timeout(SOON, controller.over(&placed)).await.unwrap();
    assert!(
        matches!(&over, DocumentEnd::Stopped(stops) if stops.len() == 2),
        "{over:?}"
    );
    within(SOON, async || raw.get("orders/rules/lost").await.is_none()).await;
    // The reasons stay until it is put or removed.
    let status = controller.operator().status().await.unwrap();
    assert_eq!(status.stopped[&name("lost")].len(), 3);
    let placed = controller.put(&two, None).await.unwrap();
    assert_eq!(raw.get("orders/stops/lost/shop-0").await, None);
    let over = timeout(Duration::from_millis(500), controller.over(&placed));
    assert!(over.await.is_err());
}

#[tokio::test]
async fn a_halt_is_a_key_that_outlives_its_author() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", HOLD).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    let bob = operator(&cluster);
    bob.halt("bob", Some("enough")).await.unwrap();
    let halt: Value = serde_json::from_str(&raw.get("orders/halt").await.unwrap()).unwrap();
    assert_eq!(
        (&halt["by"], &halt["reason"]),
        (&json!("bob"), &json!("enough"))
    );
    let over = timeout(SOON, controller.over(&placed)).await.unwrap();
    assert!(
        matches!(&over, DocumentEnd::Halted(halt) if halt.by == "bob"),
        "{over:?}"
    );
    controller.release().await.unwrap();
    assert!(bob.status().await.unwrap().halt.is_some());
    assert!(bob.resume().await.unwrap());
    assert!(!bob.resume().await.unwrap());
    assert_eq!(raw.get("orders/halt").await, None);
}

#[tokio::test]
async fn a_document_without_a_leash_needs_no_controller() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let ann = operator(&cluster);
    let leashed = document(&json!({}));
    let error = ann.put(&leashed, "ann", None).await.unwrap_err();
    assert!(matches!(&error, FleetError::Refused(refusal) if refusal.field() == "leash"));
    let free = document(&json!({ "leash": "never" }));
    let placed = ann.put(&free, "ann", Some("a long one")).await.unwrap();
    let status = ann.status().await.unwrap();
    let [shown] = &status.documents[..] else {
        panic!("{status:?}")
    };
    let content = shown.content.as_ref().unwrap();
    assert_eq!(
        (&*content.by, content.reason.as_deref()),
        ("ann", Some("a long one"))
    );
    assert!(shown.is_held && shown.problem.is_none() && shown.revision == placed.revision);
    // A controller puts one of the same name in its place, which ends with it.
    let controller = take(&cluster, "bob", HOLD).await.unwrap();
    controller.put(&leashed, None).await.unwrap();
    controller.release().await.unwrap();
    assert_eq!(raw.get("orders/rules/lost").await, None);
    // One without a leash outlives its controller.
    let controller = take(&cluster, "bob", HOLD).await.unwrap();
    controller.put(&free, None).await.unwrap();
    controller.release().await.unwrap();
    assert!(ann.remove(&name("lost")).await.unwrap());
    assert!(!ann.remove(&name("lost")).await.unwrap());
}

#[tokio::test]
async fn a_status_says_what_is_wrong_with_a_document() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", HOLD).await.unwrap();
    controller.put(&document(&json!({})), None).await.unwrap();
    raw.put("orders/rules/junk", "no document").await;
    raw.put("other", "").await;
    let of = async |trust: Option<Trust>| {
        let operator = Operator::new(etcd(&cluster), name("shop"));
        let operator = match trust {
            Some(trust) => operator.trusting(trust),
            None => operator,
        };
        operator.status().await.unwrap()
    };
    // Without a key, it is shown what a document says; with another one, that it is not signed.
    let (without, other) = (of(None).await, of(Some(Trust::Store)).await);
    for status in [&without, &other] {
        let [junk, lost] = &status.documents[..] else {
            panic!("{status:?}")
        };
        assert!(junk.problem.is_some() && junk.content.is_none());
        assert_eq!(lost.content.as_ref().unwrap().by, "ann");
        assert!(status.unreadable.contains_key("/chaos/shop/other"));
    }
    assert!(without.documents[1].problem.is_none());
    assert!(other.documents[1].problem.is_some());
    let text = serde_json::to_string(&without).unwrap();
    assert!(text.contains(r#""leash":"controller""#), "{text}");
    // Without a key, nothing is put.
    let mute = Operator::new(etcd(&cluster), name("shop"));
    let free = document(&json!({ "leash": "never", "name": "free" }));
    let error = mute.put(&free, "ann", None).await.unwrap_err();
    assert!(matches!(&error, FleetError::Refused(refusal) if refusal.field() == "trust"));
}

/// A runtime with many threads takes all futures.
#[test]
fn futures_may_be_spawned() {
    fn is_send(_: &impl Send) {}
    let operator = Operator::new(
        chaos_fleet::Etcd::new(["http://127.0.0.1:1"]).unwrap(),
        name("shop"),
    );
    let (aim, lost, free) = (
        Aim::default(),
        name("lost"),
        document(&json!({ "leash": "never" })),
    );
    is_send(&operator.status());
    is_send(&operator.preview(&aim, &lost));
    is_send(&operator.put(&free, "ann", None));
    is_send(&operator.remove(&lost));
    is_send(&operator.halt("ann", None));
    is_send(&operator.wait(&lost, 1, HOLD));
    is_send(&async {
        let cluster = Cluster::start();
        let controller = take(&cluster, "ann", HOLD).await.unwrap();
        let placed = controller.put(&free, None).await.unwrap();
        controller.wait(&placed, HOLD).await.unwrap();
        controller.over(&placed).await;
        controller.ended().await;
        controller.release().await.unwrap();
    });
}
