//! A shop whose environment lists access tokens asks for one, and one whose list is no list does not start.

use std::os::unix::fs::PermissionsExt;

use chaos_examples::{Error, running::RunningShop};
use reqwest::StatusCode;
use serde_json::{Value, json};

const SHOP: &str = env!("CARGO_BIN_EXE_shop");
const VARIABLE: &str = "CHAOS_ADMIN_TOKENS";
const FILE: &str = "CHAOS_ADMIN_TOKENS_FILE";

#[tokio::test]
async fn each_may_do_what_its_role_allows() -> Result<(), Error> {
    let tokens =
        "# of the GameDay\nann:arm:t9gTZpkXcT0uoBPqM3sPrw\nbob:stop:mlXxLB-1cVWSUkYdOoT4Lg";
    let shop = RunningShop::start_in(SHOP, &["--no-traffic"], &[(VARIABLE, tokens)]).await?;
    let rule = json!({ "site": "db.read", "enabled": false, "faults": [{ "error": "lost" }] });
    let put = || shop.client.put(shop.admin.url("/v1/rules/a")).json(&rule);
    assert_eq!(put().send().await?.status(), StatusCode::UNAUTHORIZED);
    let bob = put().bearer_auth("mlXxLB-1cVWSUkYdOoT4Lg").send().await?;
    assert_eq!(bob.status(), StatusCode::FORBIDDEN);
    let ann = put().bearer_auth("t9gTZpkXcT0uoBPqM3sPrw").send().await?;
    assert_eq!(ann.status(), StatusCode::CREATED);
    let halt = shop.client.post(shop.admin.url("/v1/halt"));
    let halt = halt.bearer_auth("mlXxLB-1cVWSUkYdOoT4Lg");
    let halted = halt.json(&json!({ "reason": "enough" })).send().await?;
    assert_eq!(halted.status(), StatusCode::OK);

    let audit = shop.client.get(shop.admin.url("/v1/audit"));
    let audit = audit.bearer_auth("mlXxLB-1cVWSUkYdOoT4Lg").send().await?;
    let audit: Value = audit.json().await?;
    let entries = audit["entries"].as_array().ok_or("a list")?.iter();
    let who: Vec<_> = entries
        .map(|it| (it["actor"].as_str(), it["action"].as_str()))
        .collect();
    let of = |actor, action| (Some(actor), Some(action));
    assert_eq!(
        who[1..],
        [of("bob", "refuse"), of("ann", "put"), of("bob", "halt")]
    );
    assert_eq!(who[0].1, Some("refuse"));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_removed_from_the_file_is_refused() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tokens");
    let write = |text: &str| -> std::io::Result<()> {
        let new = folder.path().join("new");
        std::fs::write(&new, text)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&new, &path)
    };
    write("ann:arm:t9gTZpkXcT0uoBPqM3sPrw\nbob:stop:mlXxLB-1cVWSUkYdOoT4Lg")?;
    let file = path.to_str().ok_or("a path of text")?;
    let shop = RunningShop::start_in(SHOP, &["--no-traffic"], &[(FILE, file)]).await?;
    let status_of = async |secret| -> Result<StatusCode, Error> {
        let status = shop.client.get(shop.admin.url("/v1/status"));
        Ok(status.bearer_auth(secret).send().await?.status())
    };
    assert_eq!(status_of("mlXxLB-1cVWSUkYdOoT4Lg").await?, StatusCode::OK);
    write("ann:arm:t9gTZpkXcT0uoBPqM3sPrw")?;
    for _ in 0..100 {
        if status_of("mlXxLB-1cVWSUkYdOoT4Lg").await? == StatusCode::UNAUTHORIZED {
            assert_eq!(status_of("t9gTZpkXcT0uoBPqM3sPrw").await?, StatusCode::OK);
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("the token was accepted for ten seconds".into())
}

#[tokio::test]
async fn a_bad_list_is_not_passed_over() {
    for variables in [
        &[(VARIABLE, "ann:arm")][..],
        &[(FILE, "/none/of/this")],
        &[
            (VARIABLE, "ann:arm:t9gTZpkXcT0uoBPqM3sPrw"),
            (FILE, "/none"),
        ],
    ] {
        let started = RunningShop::start_in(SHOP, &["--no-traffic"], variables).await;
        assert!(started.is_err());
    }
}
