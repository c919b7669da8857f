//! What a deployment says reaches the running programs: by a file that changes, and by variables.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use chaos_core::Clock;
use chaos_examples::{
    Error,
    program::Program,
    running::{Answer, RunningGreeter, RunningShop},
};
use reqwest::Method;

const SHOP: &str = env!("CARGO_BIN_EXE_shop");

/// As the kubelet does it: new files in a new directory, and `..data` put over the old one.
fn publish(mount: &Path, version: &str, text: &str) -> Result<(), Error> {
    fs::create_dir(mount.join(version))?;
    fs::write(mount.join(version).join("rules.yaml"), text)?;
    symlink(version, mount.join("..data_tmp"))?;
    fs::rename(mount.join("..data_tmp"), mount.join("..data"))?;
    Ok(())
}

/// Asks until the answer is as it should be.
async fn until(shop: &RunningShop, is_right: impl Fn(&Answer) -> bool) -> Result<(), Error> {
    let clock = Clock::monotonic();
    loop {
        let answer = shop.get("/products").await?;
        if is_right(&answer) {
            return Ok(());
        }
        assert!(clock.now() < Duration::from_secs(30), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_configmap_changes_what_the_shop_answers() -> Result<(), Error> {
    let mount = tempfile::tempdir()?;
    let path = mount.path().join("rules.yaml");
    symlink("..data/rules.yaml", &path)?;
    let rules = |code: u16| {
        format!("rules: [{{id: r{code}, site: http.server, faults: [{{status: {code}}}]}}]")
    };
    publish(mount.path(), "..1", &rules(503))?;
    let shop = RunningShop::start_with(
        SHOP,
        &["--no-traffic", "--rules", path.to_str().ok_or("a path")?],
    )
    .await?;
    assert!(shop.get("/products").await?.is_503_by("r503"));
    publish(mount.path(), "..2", &rules(418))?;
    until(&shop, |answer| answer.status == 418).await?;

    // What is wrong leaves the last that was right, and the port says so.
    let failing = format!("\nchaos_source_failing{{source=\"{}\"}} ", path.display());
    let is_failing = |metrics: String, how: &str| metrics.contains(&format!("{failing}{how}\n"));
    assert!(is_failing(shop.admin.metrics().await?, "0"));
    publish(mount.path(), "..3", "rules: [{")?;
    let clock = Clock::monotonic();
    while !is_failing(shop.admin.metrics().await?, "1") {
        assert!(clock.now() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    let source = &status["sources"][0];
    assert_eq!(source["name"].as_str(), path.to_str());
    assert!(
        source["error"]
            .as_str()
            .ok_or("a text")?
            .contains("rules.yaml")
    );
    assert_eq!(shop.get("/products").await?.status, 418);
    publish(mount.path(), "..4", "rules: []")?;
    until(&shop, Answer::is_plain_200).await?;
    assert!(is_failing(shop.admin.metrics().await?, "0"));
    Ok(())
}

#[tokio::test]
async fn variables_arm_the_shop_from_its_first_call() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rules.toml");
    let file = "[[rules]]\nid = \"teapot\"\nsite = \"http.server\"\nmatch.path = \"/products/{id}\"\n\
                faults = [{ status = 418 }]\n";
    fs::write(&path, file)?;
    let variables = [
        ("CHAOS_RULES", "http.server=1*status(503)->1*status(500)"),
        ("CHAOS_FILE", path.to_str().ok_or("a path")?),
    ];
    let shop = RunningShop::start_in(SHOP, &["--no-traffic"], &variables).await?;
    assert!(shop.get("/products").await?.is_503_by("env.http.server.1"));
    let second = shop.get("/products").await?;
    assert_eq!(
        (second.status, second.fault.as_deref()),
        (500, Some("env.http.server.2"))
    );
    assert!(shop.get("/products").await?.is_plain_200());
    assert_eq!(shop.get("/products/1").await?.status, 418);
    Ok(())
}

/// The manifests in `examples/kubernetes` say what the programs understand.
#[tokio::test]
async fn the_rules_of_the_manifests_are_armed_under_their_policy() -> Result<(), Error> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes");
    let map = fs::read_to_string(manifests.join("rules.yaml"))?;
    let (_, rules) = map
        .split_once("rules.yaml: |\n    ")
        .ok_or("the file's key")?;
    let deployment = fs::read_to_string(manifests.join("deployment.yaml"))?;
    let (_, policy) = deployment
        .split_once("CHAOS_POLICY\n              value: '")
        .ok_or("the policy")?;
    let (policy, _) = policy.split_once('\'').ok_or("the end of the policy")?;
    let mount = tempfile::tempdir()?;
    let path = mount.path().join("rules.yaml");
    symlink("..data/rules.yaml", &path)?;
    publish(mount.path(), "..1", &rules.replace("\n    ", "\n"))?;
    let variables = [
        ("CHAOS_DISABLED", "0"),
        ("CHAOS_POLICY", policy),
        ("CHAOS_FILE", path.to_str().ok_or("a path")?),
    ];
    let shop = RunningShop::start_in(SHOP, &["--no-traffic"], &variables).await?;
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    assert_eq!(status["state"], "armed", "{status}");
    assert_eq!(status["policy"]["rate"], 0.2, "{status}");
    let rule = shop.admin.rule("slow-checkout").await?;
    assert_eq!(rule["rate"], 0.05, "{rule}");
    Ok(())
}

#[tokio::test]
async fn a_slip_in_a_variable_or_in_a_file_that_is_named_is_said_at_once() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rules.toml");
    fs::write(&path, "[[rules]]\nid = 1")?;
    let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let variables = [("CHAOS_RULES", "http.server=sleep")];
    let mut shop = Program::start_in(SHOP.as_ref(), &ports, &variables)?;
    assert!(!shop.ended().await?.success());
    let named = [&ports[..], &["--rules", path.to_str().ok_or("a path")?]].concat();
    let mut shop = Program::start_in(SHOP.as_ref(), &named, &[])?;
    assert!(!shop.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn the_greeter_takes_a_file_too() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rules.json");
    let rules =
        r#"{"rules":[{"id":"down","site":"grpc.server","faults":[{"grpc":"UNAVAILABLE"}]}]}"#;
    fs::write(&path, rules)?;
    let args = ["--rules", path.to_str().ok_or("a path")?];
    let greeter = RunningGreeter::start_with(env!("CARGO_BIN_EXE_greeter"), &args).await?;
    let request = chaos_examples::greeter::proto::HelloRequest { name: "Ada".into() };
    let refused = greeter
        .client()
        .await?
        .say_hello(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    Ok(())
}
