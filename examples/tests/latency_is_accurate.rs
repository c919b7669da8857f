//! A delay of 200 ms in the database is 200 ms for the customer: never less, and hardly more. Measured to
//! 15 ms, so it is a program of its own: no other test runs beside it. Where other programs keep the machine busy, it is
//! compared with a plain sleep of the same moments.

use std::time::Duration;

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

const DELAY: Duration = Duration::from_millis(200);
const MORE: Duration = Duration::from_millis(15);

#[tokio::test]
async fn a_slow_database_makes_the_list_take_200_to_215_ms() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    // The connection is made before the clock runs.
    assert!(shop.get("/products").await?.took < DELAY);

    let rule = |enabled: bool| json!({ "site": "db.read", "enabled": enabled, "faults": [ { "latency": "200ms" } ] });
    // A busy moment may pass.
    for _ in 0..4 {
        let (mut took, mut asleep) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            shop.admin.put_rule("slow", &rule(true)).await?;
            let answer = shop.get("/products").await?;
            assert!(answer.is_plain_200(), "{answer:?}");
            assert!(answer.took >= DELAY, "{:?}", answer.took);
            took.push(answer.took);
            // What waits as long without the library is woken as late.
            shop.admin.put_rule("slow", &rule(false)).await?;
            let clock = Clock::monotonic();
            tokio::time::sleep(DELAY).await;
            shop.get("/products").await?;
            asleep.push(clock.now());
        }
        took.sort();
        asleep.sort();
        println!("200 ms took {took:?}, and a plain sleep of 200 ms {asleep:?}");
        let middle = took.len() / 2;
        if took[middle] <= DELAY.max(asleep[middle]) + MORE {
            return Ok(());
        }
    }
    Err(format!("the median was never within {MORE:?}").into())
}

#[tokio::test]
async fn only_what_reads_the_database_is_slow() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({ "site": "db.read", "faults": [ { "latency": "30s" } ] });
    shop.admin.put_rule("slow", &rule).await?;
    assert!(shop.get("/healthz").await?.took < Duration::from_secs(10));
    assert_eq!(shop.admin.injections("slow").await?, 0);
    Ok(())
}
