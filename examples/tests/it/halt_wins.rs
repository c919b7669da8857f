//! The kill switch: everything is well at once, whoever is being delayed included; resume undoes it.

use std::{sync::Arc, time::Duration};

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

/// Half of the delay that a halt ends.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn halt_heals_everything_at_once_and_resume_brings_it_back() -> Result<(), Error> {
    let shop = Arc::new(RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?);
    let slow = json!({ "site": "db.read", "faults": [ { "latency": "30s" } ] });
    shop.admin.put_rule("slow", &slow).await?;
    let down = json!({
        "site": "http.server",
        "match": { "path": "/products/{id}" },
        "faults": [ { "status": 503 } ],
    });
    shop.admin.put_rule("down", &down).await?;
    assert!(shop.get("/products/1").await?.is_503_by("down"));

    let delayed = tokio::spawn({
        let shop = Arc::clone(&shop);
        async move { shop.get("/products").await }
    });
    let clock = Clock::monotonic();
    while shop.admin.rule("slow").await?["stats"]["active"] != 1 {
        assert!(clock.now() < SOON, "the call is not delayed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let clock = Clock::monotonic();
    shop.admin.halt().await?;
    assert!(delayed.await??.is_plain_200());
    println!("released within {:?}", clock.now());
    assert!(clock.now() < SOON, "{:?}", clock.now());
    for path in ["/products", "/products/1", "/healthz"] {
        let answer = shop.get(path).await?;
        assert!(answer.is_plain_200(), "{path}: {answer:?}");
    }
    // Halting twice is halting.
    shop.admin.halt().await?;
    assert!(shop.get("/products/1").await?.is_plain_200());

    shop.admin.resume().await?;
    assert!(shop.get("/products/1").await?.is_503_by("down"));
    assert_eq!(shop.admin.injections("down").await?, 2);
    assert_eq!(shop.admin.injections("slow").await?, 1);
    Ok(())
}
