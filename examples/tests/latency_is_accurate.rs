//! A delay of 200 ms in the database is 200 ms for the customer: never less, and hardly more. Measured to
//! 15 ms, so it is a program of its own: no other test runs beside it.

use std::time::Duration;

use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

const DELAY: Duration = Duration::from_millis(200);
const AT_MOST: Duration = Duration::from_millis(215);

#[tokio::test]
async fn a_slow_database_makes_the_list_take_200_to_215_ms() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    // The connection is made before the clock runs.
    assert!(shop.get("/products").await?.took < DELAY);

    let rule = json!({ "site": "db.read", "faults": [ { "latency": "200ms" } ] });
    shop.admin.put_rule("slow", &rule).await?;
    // The upper bound is about a machine with a core to spare, so a busy moment may pass.
    for _ in 0..4 {
        let mut took = Vec::new();
        for _ in 0..7 {
            let answer = shop.get("/products").await?;
            assert!(answer.is_plain_200(), "{answer:?}");
            assert!(answer.took >= DELAY, "{:?}", answer.took);
            took.push(answer.took);
        }
        took.sort();
        println!("200 ms took {took:?}");
        if took[took.len() / 2] <= AT_MOST {
            return Ok(());
        }
    }
    Err(format!("the median was never below {AT_MOST:?}").into())
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
