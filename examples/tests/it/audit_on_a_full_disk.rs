//! The shop on a full disk: it serves, its status and its metrics say that the audit is failing, and when there
//! is room again, all that waited is in the file.
//!
//! The disk is a small tmpfs in a mount namespace of the shop's own, which needs no privilege where the
//! system lets users have namespaces. Where it does not, `/dev/full` stands in for it, with the same
//! error; the output says which it was.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use reqwest::Method;
use serde_json::{Value, json};

/// In the namespace: 64 KiB of disk, of which `ballast` takes the most.
const ON_A_SMALL_DISK: &str = "mount -t tmpfs -o size=64k none \"$0\" \
    && head -c 52000 /dev/zero > \"$0/ballast\" && exec \"$@\"";

/// How the disk is full.
#[derive(Debug)]
enum Disk {
    Tmpfs,
    DevFull,
}

/// Whether users may have namespaces, or this one is root.
fn disk(folder: &Path) -> Disk {
    let small = Command::new("unshare")
        .args(["-Urm", "sh", "-c", ON_A_SMALL_DISK])
        .arg(folder)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    match small {
        Ok(status) if status.success() => Disk::Tmpfs,
        _ => Disk::DevFull,
    }
}

#[tokio::test]
async fn the_shop_serves_says_so_and_goes_on() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let disk = disk(folder.path());
    println!("the full disk is {disk:?}");
    let audit = path.to_str().ok_or("a path in text")?;
    let shop = env!("CARGO_BIN_EXE_shop");
    let shop = match disk {
        Disk::Tmpfs => {
            let folder = folder.path().to_str().ok_or("a path in text")?;
            let wrapped = ["-Urm", "sh", "-c", ON_A_SMALL_DISK, folder, shop];
            RunningShop::start_through("unshare", &wrapped, &["--no-traffic", "--audit", audit])
                .await?
        }
        Disk::DevFull => {
            std::os::unix::fs::symlink("/dev/full", &path)?;
            RunningShop::start_with(shop, &["--no-traffic", "--audit", audit]).await?
        }
    };
    // As others see what is in the shop's own namespace.
    let root = match disk {
        Disk::Tmpfs => format!("/proc/{}/root", shop.program.id()?),
        Disk::DevFull => String::new(),
    };
    let seen = PathBuf::from(format!("{root}{audit}"));

    let mut written = 0;
    let rule = json!({ "site": "db.read", "enabled": false, "reason": "x".repeat(900),
                       "faults": [{ "error": "lost" }] });
    for number in 1.. {
        // Once it is known that the disk is full, an edit is refused.
        if shop.admin.put_rule("a", &rule).await.is_ok() {
            written = number;
        }
        let file = file_status(&shop).await?;
        if !file["error"].is_null() {
            let error = file["error"].as_str().ok_or("a text")?;
            assert!(error.contains("No space left on device"), "{error}");
            break;
        }
        assert!(number < 500, "the disk is never full: {file}");
    }
    let refused = shop.admin.put_rule("a", &rule).await;
    let refused = refused.err().ok_or("an edit is refused")?.to_string();
    assert!(
        refused.contains("503") && refused.contains("No space left on device"),
        "{refused}"
    );
    // What stops faults is not, and waits to be written.
    for _ in 0..5 {
        let reason = json!({ "reason": "x".repeat(900) });
        shop.admin
            .ask(Method::POST, "/v1/halt", Some(&reason))
            .await?;
        assert!(shop.get("/products").await?.is_plain_200());
        written += 1;
    }
    let failing = file_status(&shop).await?;
    assert_eq!(failing["lost"], 0);
    assert!(failing["written"].as_u64() < Some(written));
    assert!(
        shop.admin
            .metrics()
            .await?
            .contains("\nchaos_audit_file_failing 1\n")
    );
    if matches!(disk, Disk::Tmpfs) {
        // What could be written is whole: of the next line, nothing is there.
        assert_eq!(lines(&seen)?.len() as u64, failing["written"]);
    }

    // Room.
    match disk {
        Disk::Tmpfs => fs::remove_file(seen.with_file_name("ballast"))?,
        Disk::DevFull => fs::remove_file(&path)?,
    }
    let clock = Clock::monotonic();
    loop {
        let file = file_status(&shop).await?;
        if file["written"] == written && file["error"].is_null() {
            break;
        }
        assert!(clock.now() < Duration::from_secs(20), "{file}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        shop.admin
            .metrics()
            .await?
            .contains("\nchaos_audit_file_failing 0\n")
    );
    let lines = lines(&seen)?;
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_u64()).collect();
    assert_eq!(ids, (1..=written).map(Some).collect::<Vec<_>>());
    drop(shop);
    Ok(())
}

async fn file_status(shop: &RunningShop) -> Result<Value, Error> {
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    Ok(status["audit"]["file"].clone())
}

fn lines(path: &Path) -> Result<Vec<Value>, Error> {
    let text = fs::read_to_string(path)?;
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is torn"
    );
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
