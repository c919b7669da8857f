//! A rule with two seconds to live is gone after two seconds, and nobody has to do anything.

use std::time::Duration;

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

const TTL: Duration = Duration::from_secs(2);

/// On a busy machine, the customer may notice late; the rule itself is not.
const NOTICED_BY: Duration = Duration::from_millis(3500);

#[tokio::test]
async fn a_rule_stops_firing_at_its_deadline() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({ "site": "http.server", "ttl": "2s", "faults": [ { "status": 503 } ] });
    let before = Clock::monotonic();
    shop.admin.put_rule("brief", &rule).await?;
    let after = Clock::monotonic();
    let mut injected = 0;
    while shop.get("/products").await?.is_503_by("brief") {
        injected += 1;
        assert!(before.now() < NOTICED_BY, "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("over after {:?}, {injected} injections", after.now());
    assert!(before.now() >= TTL, "it ended early");
    assert!(injected > 0);
    assert_eq!(shop.admin.injections("brief").await?, injected);
    Ok(())
}

#[tokio::test]
async fn a_delay_under_way_ends_at_the_deadline_too() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({ "site": "db.read", "ttl": "2s", "faults": [ { "latency": "30s" } ] });
    let clock = Clock::monotonic();
    shop.admin.put_rule("brief", &rule).await?;
    assert!(shop.get("/products").await?.is_plain_200());
    let took = clock.now();
    assert!((TTL..NOTICED_BY).contains(&took), "{took:?}");
    Ok(())
}
