//! Asked to stop, the shop finishes what it has begun, ends its streams, and is gone.

use std::{sync::Arc, time::Duration};

use chaos_examples::{
    Error,
    running::{Answer, RunningShop},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A shop with up to so many requests under way, which a fault holds.
async fn busy_shop(
    fault: Value,
    requests: usize,
) -> Result<(Arc<RunningShop>, Vec<JoinHandle<Result<Answer, Error>>>), Error> {
    let shop = Arc::new(RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?);
    let rule = json!({ "site": "db.read", "faults": [fault], "ttl": "never" });
    shop.admin.put_rule("slow", &rule).await?;
    let ask = || {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move { shop.get("/products").await })
    };
    let held = (0..requests).map(|_| ask()).collect();
    // One thread that is blocked may keep the others from being given their requests.
    for waited in 0.. {
        let active = shop.admin.rule("slow").await?["stats"]["active"].as_u64();
        if active == Some(requests as u64) || (active > Some(0) && waited > 100) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((shop, held))
}

/// It has ended, well, and soon.
async fn has_ended(shop: Arc<RunningShop>, by: Duration) -> Result<(), Error> {
    let mut shop = Arc::into_inner(shop).ok_or("someone still holds the shop")?;
    let status = tokio::time::timeout(by, shop.program.ended()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn a_request_that_a_fault_delays_is_answered_and_a_stream_ends() -> Result<(), Error> {
    let (shop, held) = busy_shop(json!({ "latency": "60s" }), 1).await?;
    let mut events = shop.client.get(shop.url("/events")).send().await?;
    assert!(events.chunk().await?.is_some());
    shop.program.terminate().await?;

    for slow in held {
        let answer = slow.await??;
        assert!(answer.is_plain_200(), "{answer:?}");
        assert!(answer.body.contains("teapot"), "{answer:?}");
    }
    // The last chunk, and not an error.
    while events.chunk().await?.is_some() {}
    has_ended(shop, Duration::from_secs(4)).await
}

/// The port's thread notices the signal, although every thread of the shop is blocked.
#[tokio::test]
async fn faults_that_hold_every_thread_cannot_keep_it_from_stopping() -> Result<(), Error> {
    let threads = std::thread::available_parallelism()?.get();
    for (fault, requests) in [
        (json!({ "hang": "12s" }), 1),
        (json!({ "pause": { "max": "1h" } }), 1),
        (json!({ "block": "24h" }), threads),
    ] {
        let (shop, held) = busy_shop(fault, requests).await?;
        shop.program.terminate().await?;
        // Those that were never accepted are reset when the shop stops listening.
        let mut answered = 0;
        for held in held {
            answered += usize::from(held.await?.is_ok_and(|answer| answer.is_plain_200()));
        }
        assert!(answered > 0);
        has_ended(shop, Duration::from_secs(4)).await?;
    }
    Ok(())
}
