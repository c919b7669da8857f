//! Asked to stop, the shop finishes what it has begun, ends its streams, and is gone.

use std::{sync::Arc, time::Duration};

use chaos_examples::{
    Error,
    running::{Answer, RunningShop},
};
use serde_json::json;
use tokio::task::JoinHandle;

/// A shop with one request under way, which a fault delays.
async fn busy_shop(
    delay: &str,
) -> Result<(Arc<RunningShop>, JoinHandle<Result<Answer, Error>>), Error> {
    let shop = Arc::new(RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?);
    let rule = json!({ "site": "db.read", "faults": [ { "latency": delay } ] });
    shop.admin.put_rule("slow", &rule).await?;
    let slow = tokio::spawn({
        let shop = Arc::clone(&shop);
        async move { shop.get("/products").await }
    });
    while shop.admin.rule("slow").await?["stats"]["active"] != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((shop, slow))
}

/// It has ended, well, and soon.
async fn has_ended(shop: Arc<RunningShop>, by: Duration) -> Result<(), Error> {
    let mut shop = Arc::into_inner(shop).ok_or("someone still holds the shop")?;
    let status = tokio::time::timeout(by, shop.program.ended()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn a_slow_request_finishes_and_a_stream_ends() -> Result<(), Error> {
    let (shop, slow) = busy_shop("1s").await?;
    let mut events = shop.client.get(shop.url("/events")).send().await?;
    assert!(events.chunk().await?.is_some());
    shop.program.terminate().await?;

    let answer = slow.await??;
    assert!(answer.is_plain_200(), "{answer:?}");
    assert!(answer.body.contains("teapot"), "{answer:?}");
    assert!(answer.took >= Duration::from_secs(1), "{answer:?}");
    // The last chunk, and not an error.
    while events.chunk().await?.is_some() {}
    has_ended(shop, Duration::from_secs(4)).await
}

#[tokio::test]
async fn a_fault_that_keeps_it_from_stopping_can_still_be_halted() -> Result<(), Error> {
    let (shop, slow) = busy_shop("60s").await?;
    shop.program.terminate().await?;
    // Its own door is closed by then.
    while shop.client.get(shop.url("/healthz")).send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shop.admin.halt().await?;
    assert!(slow.await??.is_plain_200());
    has_ended(shop, Duration::from_secs(4)).await
}

#[tokio::test]
async fn a_fault_cannot_keep_it_for_ever() -> Result<(), Error> {
    let (shop, slow) = busy_shop("60s").await?;
    shop.program.terminate().await?;
    assert!(slow.await?.is_err());
    has_ended(shop, Duration::from_secs(15)).await
}
