//! Every site of the binary is known before the first request, with the line it stands on.

use std::{fs, path::Path};

use chaos_examples::{Error, running::RunningShop};
use reqwest::Method;

#[tokio::test]
async fn all_sites_before_any_request() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let listed = shop.admin.ask(Method::GET, "/v1/sites", None).await?;
    let sites = listed["sites"].as_array().ok_or("a list of sites")?;
    let names: Vec<_> = sites.iter().map(|site| &site["name"]).collect();
    assert_eq!(names, ["db.read", "db.write", "http.client", "http.server"]);

    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for site in sites {
        let name = site["name"].as_str().ok_or("a name")?;
        let file = site["file"].as_str().ok_or("a file")?;
        let line = site["line"].as_u64().ok_or("a line")? as usize;
        let source = fs::read_to_string(workspace.join(file))?;
        let line = source.lines().nth(line - 1).ok_or("no such line")?;
        assert!(line.contains(&format!("\"{name}\"")), "{name}: {line}");
        assert_ne!(site["armed"], true, "{name}");
    }
    Ok(())
}
