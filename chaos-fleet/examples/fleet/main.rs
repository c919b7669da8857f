//! A fleet of many replicas in one process, against an etcd of its own: how long a change takes to reach all of them, and
//! that faults end when whoever answers for them is gone.
//!
//! `cargo xtask fleet` runs it with 200 replicas; with `--long`, it has 1,000 and everything dies once. `--soak` changes the
//! fleet once a second for so many seconds, and looks at what that takes of memory and disk.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints what it measures")]

mod deaths;
mod replicas;
mod rounds;
mod soak;
mod usage;

use std::{error::Error, process::ExitCode, time::Duration};

use chaos_fleet::{Controller, Document, Etcd, Name, Trust};
use etcd_cluster::Cluster;
use serde_json::json;

use crate::replicas::Replicas;

/// The hold of replicas and controllers.
const HOLD: Duration = Duration::from_secs(5);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match words[..] {
        // A controller that is there to be killed.
        ["--controller", endpoints] => runtime.block_on(control(endpoints))?,
        // A replica whose memory is its own.
        ["--replica", endpoint] => runtime.block_on(soak::follow(endpoint)),
        [] => return Ok(code(runtime.block_on(measure(200, false))?)),
        ["--long"] => return Ok(code(runtime.block_on(measure(1000, true))?)),
        ["--soak", seconds] => {
            let length = Duration::from_secs(seconds.parse()?);
            return Ok(code(runtime.block_on(soak::measure(length))?));
        }
        _ => return Err("usage: fleet [--long | --soak SECONDS]".into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn code(holds: bool) -> ExitCode {
    match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn measure(number: usize, is_long: bool) -> Result<bool, Box<dyn Error>> {
    let cluster = Cluster::start();
    let replicas = Replicas::join(&cluster.endpoints(), number).await;
    let mut holds = rounds::measure(&cluster, &replicas).await?;
    drop(replicas);
    drop(cluster);
    holds &= deaths::of_the_controller(number).await?;
    holds &= deaths::of_etcd_for_a_while(number).await?;
    if is_long {
        holds &= deaths::of_both(number).await?;
        holds &= deaths::of_a_leader(number).await?;
    }
    println!("{}", if holds { "all hold" } else { "NOT ALL HOLD" });
    Ok(holds)
}

/// Holds the fleet with one document, until this process is killed.
async fn control(endpoints: &str) -> Result<(), Box<dyn Error>> {
    let controller = controller(endpoints.split(',')).await?;
    controller.put(&document("lost")?, None).await?;
    let end = controller.ended().await;
    println!("{end:?}");
    Ok(())
}

async fn controller<'u>(
    endpoints: impl IntoIterator<Item = &'u str>,
) -> Result<Controller, Box<dyn Error>> {
    let etcd = Etcd::new(endpoints)?;
    Ok(Controller::take(etcd, fleet(), Trust::Store, "measure", HOLD).await?)
}

fn fleet() -> Name {
    "shop".parse().expect("it is a name")
}

/// A document that fails each call at `db.read`, with a rule of its own name.
fn document(name: &str) -> Result<Document, Box<dyn Error>> {
    Ok(Document::from_value(json!({
        "name": name,
        "rules": [{ "id": name, "site": "db.read", "faults": [{ "error": "lost" }] }],
        "ttl": "10m",
    }))?)
}

/// Says whether something holds.
fn say(what: &str, holds: bool) -> bool {
    println!("{} {what}", if holds { "ok  " } else { "FAIL" });
    holds
}
