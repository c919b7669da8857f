//! A shop that was halted starts halted, if it has a halt file, and one that was stopped does not.

use std::{fs, time::Duration};

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_shop_that_was_halted_starts_halted() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("halt");
    let variables = [
        ("CHAOS_HALT_FILE", path.to_str().ok_or("a path")?),
        ("CHAOS_RULES", "http.server=status(503)"),
    ];
    let start = || RunningShop::start_in(env!("CARGO_BIN_EXE_shop"), &["--no-traffic"], &variables);

    // Asked to stop, it halts, so that no fault holds it. The next one injects again.
    let mut shop = start().await?;
    shop.program.terminate().await?;
    shop.program.ended().await?;
    assert!(!path.exists());
    let shop = start().await?;
    assert!(shop.get("/products").await?.is_503_by("env.http.server.1"));

    shop.admin.halt().await?;
    let clock = Clock::monotonic();
    while !fs::read_to_string(&path).is_ok_and(|text| text.contains("halted by")) {
        assert!(
            clock.now() < Duration::from_secs(30),
            "the file is not written"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Killed.
    drop(shop);
    let shop = start().await?;
    assert!(shop.get("/products").await?.is_plain_200());
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    assert_eq!(status["halted"]["by"], "file:halt", "{status}");
    assert_eq!(status["halted"]["reason"], "a test", "{status}");
    let shown = json!([{ "name": path.to_str(), "error": null }]);
    assert_eq!(status["sources"], shown, "{status}");

    shop.admin.resume().await?;
    assert!(!path.exists());
    assert!(shop.get("/products").await?.is_503_by("env.http.server.1"));

    // A file that cannot be removed keeps the shop halted.
    fs::create_dir(&path)?;
    drop(shop);
    let shop = start().await?;
    let refused = shop.admin.resume().await.unwrap_err().to_string();
    assert!(
        refused.contains("409") && refused.contains("cannot be removed"),
        "{refused}"
    );
    assert!(shop.get("/products").await?.is_plain_200());
    // Both halt it, and neither waits for the file.
    shop.admin.halt().await
}
