//! A fleet has one controller, whose documents end with it.

use std::time::Duration;

use chaos_core::Clock;
use chaos_fleet::{DocumentEnd, Ended, FleetError};
use etcd_cluster::Cluster;
use serde_json::json;
use tokio::{runtime::Runtime, time::timeout};

use crate::support::fleet::{Raw, document, leases, name, operator, report, take, within};

const SHORTEST: Duration = Duration::from_secs(5);
const USUAL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_second_controller_is_refused_by_name() {
    let cluster = Cluster::start();
    let first = take(&cluster, "ann", USUAL).await.unwrap();
    let error = take(&cluster, "bob", USUAL).await.unwrap_err();
    assert!(matches!(&error, FleetError::Held(holder) if holder.by == "ann"));
    assert!(
        error.to_string().contains("held by ann, since 20"),
        "{error}"
    );
    // What was refused has left no lease.
    assert_eq!(leases(&cluster).len(), 1);
    first.release().await.unwrap();
    assert!(leases(&cluster).is_empty());
    take(&cluster, "bob", USUAL).await.unwrap();
}

#[tokio::test]
async fn a_hold_out_of_range_is_refused() {
    let cluster = Cluster::start();
    for hold in [4, 301] {
        let error = take(&cluster, "ann", Duration::from_secs(hold))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("5s to 5m"), "{error}");
    }
    assert!(leases(&cluster).is_empty());
}

#[tokio::test]
async fn documents_end_at_once_with_a_controller_that_is_released_or_dropped() {
    let cluster = Cluster::start();
    let raw = &Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    assert_eq!(placed.meant, []);
    assert!(raw.get("orders/rules/lost").await.is_some());
    controller.release().await.unwrap();
    assert_eq!(raw.get("orders/rules/lost").await, None);

    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    controller.put(&document(&json!({})), None).await.unwrap();
    drop(controller);
    within(SHORTEST, async || {
        raw.get("orders/rules/lost").await.is_none()
    })
    .await;
}

/// As long as it lives, it beats, and its lease lives on.
#[tokio::test]
async fn it_beats_and_outlives_its_lease() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", SHORTEST).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    let clock = Clock::monotonic();
    let mut beats = vec![];
    while clock.now() < Duration::from_secs(8) {
        beats.extend(raw.get("orders/beat").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    beats.dedup();
    // One a second.
    assert!((5..12).contains(&beats.len()), "{beats:?}");
    let over = timeout(Duration::from_millis(1), controller.over(&placed));
    assert!(over.await.is_err());
}

/// Nobody says farewell: the task is gone from one moment to the next.
#[test]
fn documents_end_within_the_lease_of_a_controller_that_is_killed() {
    let cluster = Cluster::start();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let controller = take(&cluster, "ann", SHORTEST).await.unwrap();
        controller.put(&document(&json!({})), None).await.unwrap();
        std::mem::forget(controller);
    });
    runtime.shutdown_background();
    Runtime::new().unwrap().block_on(async {
        let raw = &Raw::of(&cluster).await;
        assert!(raw.get("orders/rules/lost").await.is_some());
        let most = Duration::from_millis(6500);
        within(most, async || raw.get("orders/rules/lost").await.is_none()).await;
        take(&cluster, "bob", SHORTEST).await.unwrap();
    });
}

#[tokio::test]
async fn a_controller_that_loses_its_lease_is_over() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    let clock = Clock::monotonic();
    cluster.ctl(&["lease", "revoke", &leases(&cluster)[0]]);
    // Its documents were not removed by somebody.
    let over = timeout(Duration::from_secs(3), controller.over(&placed));
    assert!(matches!(
        over.await.unwrap(),
        DocumentEnd::Ended(Ended::Lost)
    ));
    assert!(matches!(controller.ended().await, Ended::Lost));
    assert!(clock.now() < Duration::from_secs(3), "{:?}", clock.now());
    let error = controller
        .put(&document(&json!({})), None)
        .await
        .unwrap_err();
    assert!(matches!(error, FleetError::Over(Ended::Lost)), "{error}");
    // It neither beats nor takes a lease again.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(raw.get("orders/beat").await, None);
    assert!(leases(&cluster).is_empty());
    controller.release().await.unwrap();
}

/// The key alone may be removed, as by hand: somebody else may hold the fleet then.
#[tokio::test]
async fn a_controller_whose_key_is_removed_is_over() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    let silent = report("silent", "a", None);
    raw.put("replicas/silent", silent).await;
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    assert_eq!(placed.meant, [name("silent")]);
    // Who waits for answers hears of it, too.
    let patience = Duration::from_secs(20);
    let (waited, ()) = tokio::join!(
        timeout(Duration::from_secs(3), controller.wait(&placed, patience)),
        raw.delete("controller"),
    );
    let error = waited.unwrap().unwrap_err();
    assert!(matches!(error, FleetError::Over(Ended::Lost)), "{error}");
    assert!(matches!(controller.ended().await, Ended::Lost));
}

/// A controller that loses its lease and is slow to notice must not put a document.
#[tokio::test]
async fn nothing_is_put_for_a_fleet_that_somebody_else_holds() {
    let cluster = Cluster::start();
    let raw = Raw::of(&cluster).await;
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    raw.put("controller", r#"{"by":"bob","since":0}"#).await;
    let error = controller
        .put(&document(&json!({})), None)
        .await
        .unwrap_err();
    assert!(matches!(error, FleetError::Over(Ended::Lost)), "{error}");
    assert_eq!(raw.get("orders/rules/lost").await, None);
}

#[tokio::test]
async fn it_goes_on_at_another_endpoint_with_the_same_lease() {
    let mut cluster = Cluster::of(3, &[]);
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    let before = leases(&cluster);
    // The first endpoint is the one in use.
    cluster.kill(0);
    let clock = Clock::monotonic();
    let shorter = document(&json!({ "ttl": "5m" }));
    let again = controller.put(&shorter, None).await.unwrap();
    println!("put again after {:?}", clock.now());
    assert!(again.revision > placed.revision);
    let over = timeout(Duration::from_secs(10), controller.over(&placed));
    assert!(matches!(over.await.unwrap(), DocumentEnd::Replaced));
    // Past the end of the lease, were it not kept alive.
    tokio::time::sleep(Duration::from_secs(35).saturating_sub(clock.now())).await;
    let over = timeout(Duration::from_millis(1), controller.over(&again));
    assert!(
        over.await.is_err(),
        "{:?}",
        controller.operator().status().await
    );
    cluster.restart(0);
    assert_eq!(leases(&cluster), before);
    controller.release().await.unwrap();
}

#[tokio::test]
async fn a_controller_without_etcd_is_over_when_its_hold_is() {
    let cluster = Cluster::start();
    let controller = take(&cluster, "ann", SHORTEST).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    cluster.pause();
    let clock = Clock::monotonic();
    let over = timeout(Duration::from_secs(6), controller.over(&placed));
    let over = over.await.unwrap();
    assert!(
        matches!(over, DocumentEnd::Ended(Ended::Unreachable(_))),
        "{over:?}"
    );
    assert!(clock.now() > Duration::from_secs(3), "{:?}", clock.now());
    let released = timeout(Duration::from_secs(6), controller.release());
    assert!(released.await.unwrap().is_err());
    cluster.go_on();
    let raw = &Raw::of(&cluster).await;
    within(Duration::from_millis(6500), async || {
        raw.get("orders/rules/lost").await.is_none()
    })
    .await;
}

/// An etcd that is silent for less than the hold ends nothing.
#[tokio::test]
async fn a_controller_outlives_a_pause_of_etcd() {
    let cluster = Cluster::start();
    let controller = take(&cluster, "ann", USUAL).await.unwrap();
    let placed = controller.put(&document(&json!({})), None).await.unwrap();
    cluster.pause();
    tokio::time::sleep(Duration::from_secs(8)).await;
    cluster.go_on();
    let raw = &Raw::of(&cluster).await;
    let beat = raw.get("orders/beat").await;
    within(Duration::from_secs(10), async || {
        raw.get("orders/beat").await != beat
    })
    .await;
    let over = timeout(Duration::from_millis(1), controller.over(&placed));
    assert!(over.await.is_err());
    let status = operator(&cluster).status().await.unwrap();
    assert_eq!(status.controller.unwrap().by, "ann");
    assert!(status.documents[0].is_held);
    assert_eq!(status.documents[0].name, name("lost"));
}
