//! `limit: 7` is seven, however many ask at the same moment.

use std::sync::Arc;

use chaos_examples::{Error, running::RunningShop};
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

const CONNECTIONS: usize = 50;

#[tokio::test]
async fn seven_of_500_calls_on_50_connections() -> Result<(), Error> {
    let shop = Arc::new(RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?);
    let rule = json!({ "site": "http.server", "limit": 7, "faults": [ { "status": 503 } ] });
    shop.admin.put_rule("seven", &rule).await?;

    let start = Arc::new(Barrier::new(CONNECTIONS));
    let mut customers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (shop, start) = (Arc::clone(&shop), Arc::clone(&start));
        customers.spawn(async move {
            // A client of its own has a connection of its own.
            let client = reqwest::Client::builder().no_proxy().build()?;
            let mut injected = 0;
            start.wait().await;
            for _ in 0..10 {
                let answer = client.get(shop.url("/products")).send().await?;
                injected += u64::from(answer.status() == 503);
                answer.bytes().await?;
            }
            Ok::<u64, Error>(injected)
        });
    }
    let mut seen = 0;
    while let Some(injected) = customers.join_next().await {
        seen += injected??;
    }
    assert_eq!(seen, 7);
    assert_eq!(shop.admin.injections("seven").await?, 7);
    Ok(())
}
