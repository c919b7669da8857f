//! The shop without faults: what its routes answer, and that it has visitors.

use std::time::Duration;

use chaos_examples::{Error, running::RunningShop};
use serde_json::json;

#[tokio::test]
async fn every_route_answers() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let picture = "/products/1/picture";
    for path in ["/", "/products", "/products/1", picture, "/healthz"] {
        let answer = shop.get(path).await?;
        assert!(answer.is_plain_200(), "{path}: {answer:?}");
    }
    for path in ["/products/99", "/products/99/picture"] {
        assert_eq!(shop.get(path).await?.status, 404, "{path}");
    }
    assert_eq!(shop.checkout(99).await?.status, 404);
    let sold = shop.checkout(1).await?;
    assert_eq!(sold.status, 201);
    let expected = json!({ "order": 1, "payment": "pay-1-2490", "product": "teapot" });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&sold.body)?,
        expected
    );
    let gift = shop.client.post(shop.url("/checkout/3"));
    let gift = gift.body("many happy returns").send().await?;
    assert_eq!(gift.status(), 201);
    let gift: serde_json::Value = gift.json().await?;
    assert_eq!(gift["card"], "many happy returns");
    Ok(())
}

#[tokio::test]
async fn a_picture_comes_in_pieces_whose_size_is_known() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let picture = shop.client.get(shop.url("/products/1/picture"));
    let picture = picture.send().await?;
    assert_eq!(picture.headers()["content-type"], "image/bmp");
    assert_eq!(picture.content_length(), Some(49_206));
    let picture = picture.bytes().await?;
    assert_eq!((&picture[..2], picture.len()), (&b"BM"[..], 49_206));
    Ok(())
}

#[tokio::test]
async fn events_tell_of_time_and_of_orders() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let mut events = shop.client.get(shop.url("/events")).send().await?;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    shop.checkout(3).await?;
    let mut told = String::new();
    while !(told.contains("event: tick") && told.contains("event: order\ndata: 1\n")) {
        let chunk = events.chunk().await?.ok_or("the stream goes on")?;
        told.push_str(std::str::from_utf8(&chunk)?);
    }
    Ok(())
}

#[tokio::test]
async fn it_visits_itself_unless_told_not_to() -> Result<(), Error> {
    let busy = RunningShop::start_with(env!("CARGO_BIN_EXE_shop"), &[]).await?;
    let quiet = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let watch = json!({ "site": "http.server", "mode": "shadow", "faults": [ { "status": 503 } ] });
    busy.admin.put_rule("watch", &watch).await?;
    quiet.admin.put_rule("watch", &watch).await?;
    tokio::time::timeout(Duration::from_secs(20), async {
        while busy.admin.rule("watch").await?["stats"]["matched"].as_u64() < Some(8) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok::<_, Error>(())
    })
    .await??;
    assert_eq!(quiet.admin.rule("watch").await?["stats"]["matched"], 0);
    Ok(())
}
