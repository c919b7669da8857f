//! A status rule answers the calls it is about, says so in a header, and leaves all others alone.

use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

#[tokio::test]
async fn a_503_for_one_path_and_nothing_else() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    assert!(shop.get("/products/1").await?.is_plain_200());

    let rule = json!({
        "site": "http.server",
        "match": { "path": "/products/{id}" },
        "faults": [ { "status": 503 } ],
    });
    shop.admin.put_rule("down", &rule).await?;
    for path in ["/products/1", "/products/2", "/products/99"] {
        let answer = shop.get(path).await?;
        assert!(answer.is_503_by("down"), "{path}: {answer:?}");
    }
    for path in ["/", "/products", "/healthz"] {
        let answer = shop.get(path).await?;
        assert!(answer.is_plain_200(), "{path}: {answer:?}");
    }
    assert_eq!(shop.admin.injections("down").await?, 3);

    shop.admin
        .patch_rule("down", &json!({ "enabled": false }))
        .await?;
    assert!(shop.get("/products/1").await?.is_plain_200());
    shop.admin
        .patch_rule("down", &json!({ "enabled": true }))
        .await?;
    assert!(shop.get("/products/1").await?.is_503_by("down"));
    assert_eq!(shop.admin.injections("down").await?, 4);
    Ok(())
}
