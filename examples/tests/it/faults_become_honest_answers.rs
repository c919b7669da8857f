//! Whatever breaks inside, the customer is told with the right status, and the shop lives on.

use chaos_examples::{Error, running::RunningShop};
use serde_json::{Value, json};

async fn broken_shop(site: &str, fault: Value) -> Result<RunningShop, Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({ "site": site, "faults": [ fault ] });
    shop.admin.put_rule("broken", &rule).await?;
    Ok(shop)
}

#[tokio::test]
async fn no_database_is_a_503() -> Result<(), Error> {
    let shop = broken_shop("db.read", json!({ "error": "the disk is gone" })).await?;
    for path in ["/products", "/products/1"] {
        let answer = shop.get(path).await?;
        // Its own answer, not one that the layer made.
        assert_eq!((answer.status, &answer.fault), (503, &None), "{path}");
        assert!(!answer.body.contains("the disk is gone"), "{path}");
    }
    assert_eq!(shop.checkout(1).await?.status, 503);
    assert!(shop.get("/healthz").await?.is_plain_200());
    assert_eq!(shop.admin.injections("broken").await?, 3);
    Ok(())
}

#[tokio::test]
async fn an_order_that_is_not_recorded_is_not_hidden() -> Result<(), Error> {
    let shop = broken_shop("db.write", json!({ "error": "the disk is full" })).await?;
    let answer = shop.checkout(1).await?;
    assert_eq!(answer.status, 503);
    assert!(
        answer.body.contains("paid as pay-1-2490"),
        "{}",
        answer.body
    );
    assert!(shop.get("/products").await?.is_plain_200());
    Ok(())
}

#[tokio::test]
async fn a_failing_provider_is_a_502() -> Result<(), Error> {
    let refused = json!({ "error": { "kind": "connection_refused", "message": "no one is home" } });
    for fault in [refused, json!({ "status": 500 })] {
        let shop = broken_shop("http.client", fault).await?;
        let answer = shop.checkout(1).await?;
        assert_eq!((answer.status, answer.fault), (502, None));
        assert!(shop.get("/products").await?.is_plain_200());
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_provider_is_a_504() -> Result<(), Error> {
    let timed_out = json!({ "error": { "kind": "timed_out", "message": "too slow" } });
    for fault in [timed_out, json!({ "latency": "30s" })] {
        let shop = broken_shop("http.client", fault).await?;
        assert_eq!(shop.checkout(1).await?.status, 504);
        // The wait that was given up is no longer under way.
        assert_eq!(shop.admin.rule("broken").await?["stats"]["active"], 0);
    }
    Ok(())
}

#[tokio::test]
async fn an_error_at_the_layer_is_a_500_that_names_its_rule() -> Result<(), Error> {
    let shop = broken_shop("http.server", json!({ "error": "out of luck" })).await?;
    let answer = shop.get("/products").await?;
    assert_eq!(
        (answer.status, answer.fault.as_deref()),
        (500, Some("broken"))
    );
    Ok(())
}

#[tokio::test]
async fn a_label_aims_at_one_table() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({
        "site": "db.*",
        "match": { "labels": { "table": "orders" } },
        "faults": [ { "error": "locked" } ],
    });
    shop.admin.put_rule("orders", &rule).await?;
    assert!(shop.get("/products").await?.is_plain_200());
    assert_eq!(shop.checkout(1).await?.status, 503);
    Ok(())
}
