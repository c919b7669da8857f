//! A fleet that changes once a second: what a replica keeps in memory, and what etcd keeps on disk, has to stay as it is.

use std::{error::Error, process::Command, time::Duration};

use chaos_core::Clock;
use chaos_fleet::Document;
use etcd_cluster::Cluster;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::{controller, replicas::Replicas, say, usage::Usage};

/// How often it is looked.
const LOOKS: u64 = 10;

/// How much the greatest of the last third may be above the greatest of the third before it, in KiB. In ten minutes, a replica
/// that keeps each change would take 800 more.
const MOST_GROWTH: u64 = 256;

/// etcd forgets what is older than so many changes. It looks each five minutes whether there is something to forget.
const COMPACTION: [&str; 4] = [
    "--auto-compaction-mode",
    "revision",
    "--auto-compaction-retention",
    "100",
];

/// What is there at a moment, in KiB.
#[derive(Clone, Copy)]
struct Look {
    replica: u64,
    database: u64,
    in_use: u64,
}

/// Changes a fleet of one replica once a second, and says whether memory and disk stay as they are.
pub(crate) async fn measure(length: Duration) -> Result<bool, Box<dyn Error>> {
    let cluster = Cluster::of(1, &COMPACTION);
    let endpoints = cluster.endpoints();
    let mut replica = Command::new(std::env::current_exe()?)
        .args(["--replica", &endpoints[0]])
        .spawn()?;
    let controller = controller(endpoints.iter().map(String::as_str)).await?;
    let mut pace = interval(Duration::from_secs(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let clock = Clock::monotonic();
    let (mut looks, mut changes, mut applied) = (Vec::new(), 0, 0);
    println!("seconds  changes  applied  replica  database  in use (KiB)");
    while clock.now() < length {
        pace.tick().await;
        let placed = controller.put(&document(changes)?, None).await?;
        changes += 1;
        let answers = controller.wait(&placed, Duration::from_secs(1)).await?;
        applied += answers.applied.len();
        if changes % LOOKS == 0 {
            let look = look(&cluster, replica.id())?;
            looks.push(look);
            println!(
                "{:7}  {changes:7}  {applied:7}  {:7}  {:8}  {:6}",
                clock.now().as_secs(),
                look.replica,
                look.database,
                look.in_use,
            );
        }
    }
    controller.release().await?;
    replica.kill()?;
    replica.wait()?;
    let mut holds = say("19 of 20 changes were applied within a second", {
        u64::try_from(applied)? * 20 >= changes * 19
    });
    for (what, of) in [
        (
            "memory of the replica",
            (|it| it.replica) as fn(&Look) -> u64,
        ),
        ("size of the database", |it| it.database),
    ] {
        let third = looks.len() / 3;
        let most = |looks: &[Look]| looks.iter().map(of).max().unwrap_or_default();
        let (before, last) = (most(&looks[third..2 * third]), most(&looks[2 * third..]));
        let is_flat = last <= before + MOST_GROWTH;
        holds &= say(&format!("{what}: {before} KiB, then {last} KiB"), is_flat);
    }
    Ok(holds)
}

/// Follows the fleet until this process is killed.
pub(crate) async fn follow(endpoint: &str) {
    let _replicas = Replicas::join(&[endpoint.to_owned()], 1).await;
    std::future::pending::<()>().await;
}

fn look(cluster: &Cluster, replica: u32) -> Result<Look, Box<dyn Error>> {
    let status = cluster.ctl(&["endpoint", "status", "-w", "json"]);
    let status: Value = serde_json::from_str(&status)?;
    let status = &status[0]["Status"];
    let size = |field: &str| status[field].as_u64().ok_or("etcd does not say its size");
    Ok(Look {
        replica: Usage::of(&[replica])?.kibibytes,
        database: size("dbSize")? / 1024,
        in_use: size("dbSizeInUse")? / 1024,
    })
}

/// A document that is another one for each change.
fn document(change: u64) -> Result<Document, Box<dyn Error>> {
    let fault = json!({ "error": format!("lost {change}") });
    Ok(Document::from_value(json!({
        "name": "soak",
        "rules": [{ "id": "lost", "site": "db.read", "faults": [fault] }],
        "ttl": "10m",
    }))?)
}
