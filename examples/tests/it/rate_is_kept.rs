//! Half of the calls is half of the calls, and the port has counted what the customers saw.

use std::sync::Arc;

use chaos_examples::{Error, running::RunningShop};
use serde_json::json;
use tokio::task::JoinSet;

const CUSTOMERS: u64 = 8;
const VISITS: u64 = 250;

#[tokio::test]
async fn rate_one_half_over_2000_requests() -> Result<(), Error> {
    let shop = Arc::new(RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?);
    // With a seed the share is the same in every run, however the customers interleave.
    let rule = json!({
        "site": "http.server",
        "match": { "path": "/products/{id}" },
        "rate": 0.5,
        "seed": 42,
        "faults": [ { "status": 503 } ],
    });
    shop.admin.put_rule("half", &rule).await?;

    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let shop = Arc::clone(&shop);
        customers.spawn(async move {
            let mut injected = 0;
            for _ in 0..VISITS {
                let answer = shop.get("/products/1").await?;
                assert!(
                    answer.is_503_by("half") || answer.is_plain_200(),
                    "{answer:?}"
                );
                injected += u64::from(answer.is_503_by("half"));
            }
            Ok::<u64, Error>(injected)
        });
    }
    let mut seen = 0;
    while let Some(injected) = customers.join_next().await {
        seen += injected??;
    }

    println!("{seen} of {}", CUSTOMERS * VISITS);
    let share = seen as f64 / (CUSTOMERS * VISITS) as f64;
    assert!((0.465..=0.535).contains(&share), "{share}");
    assert_eq!(shop.admin.injections("half").await?, seen);
    assert_eq!(
        shop.admin.rule("half").await?["stats"]["matched"],
        CUSTOMERS * VISITS
    );
    Ok(())
}
