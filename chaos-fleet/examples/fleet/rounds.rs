//! Twenty changes: how long each takes until the last replica has applied it, and until the controller knows.

use std::{error::Error, time::Duration};

use chaos_core::Clock;
use etcd_cluster::Cluster;
use tokio::time::sleep;

use crate::{controller, document, replicas::Replicas, say, usage::Usage};

/// What an idle fleet may take of a core, in percent: a thousand replicas as they are built for production, or 200 as they are
/// built for tests.
const MOST_IDLE: f64 = if cfg!(debug_assertions) { 25.0 } else { 10.0 };

/// The number of changes, and how many of them must be in time.
const ROUNDS: (usize, usize) = (20, 19);

pub(crate) async fn measure(
    cluster: &Cluster,
    replicas: &Replicas,
) -> Result<bool, Box<dyn Error>> {
    let endpoints = cluster.endpoints();
    let controller = controller(endpoints.iter().map(String::as_str)).await?;
    let (mut applied, mut known) = (Vec::new(), Vec::new());
    let clock = Clock::monotonic();
    for round in 0..ROUNDS.0 {
        let name = format!("round-{round}");
        let document = document(&name)?;
        let began = clock.now();
        let placed = controller.put(&document, None).await?;
        let last_applied = async {
            while replicas.have(&name) < replicas.len() {
                sleep(Duration::from_millis(2)).await;
            }
            clock.now() - began
        };
        let last_known = async {
            let answers = controller.wait(&placed, Duration::from_secs(30)).await?;
            Ok::<_, Box<dyn Error>>((answers.applied.len(), clock.now() - began))
        };
        let (last_applied, last_known) = tokio::join!(last_applied, last_known);
        let (number, last_known) = last_known?;
        assert_eq!(
            number,
            replicas.len(),
            "all have said that they have applied it"
        );
        applied.push(last_applied);
        known.push(last_known);
        controller.remove(document.name()).await?;
    }
    let in_time = |times: &[Duration], most: u64| {
        let times = times
            .iter()
            .filter(|time| **time <= Duration::from_secs(most));
        times.count() >= ROUNDS.1
    };
    println!("last applied  {}", summary(&mut applied));
    println!("last known    {}", summary(&mut known));
    let mut holds = say(
        "19 of 20 changes are applied by all within 1 s",
        in_time(&applied, 1),
    );
    holds &= say(
        "19 of 20 changes are known to be within 2 s",
        in_time(&known, 2),
    );

    // Nothing happens but beats and leases.
    let before = (
        Usage::of(&cluster.ids())?,
        Usage::of(&[std::process::id()])?,
    );
    let time = Duration::from_secs(10);
    sleep(time).await;
    let after = (
        Usage::of(&cluster.ids())?,
        Usage::of(&[std::process::id()])?,
    );
    let share = |before: &Usage, after: &Usage| {
        100.0 * (after.cpu - before.cpu).as_secs_f64() / time.as_secs_f64()
    };
    let (etcd, own) = (share(&before.0, &after.0), share(&before.1, &after.1));
    println!("idle: etcd {etcd:.1} %, all replicas and the controller {own:.1} % of a core");
    println!(
        "memory: etcd {} MiB, all replicas {} MiB",
        after.0.kibibytes / 1024,
        after.1.kibibytes / 1024
    );
    holds &= say(
        "etcd takes less than 512 MiB",
        after.0.kibibytes / 1024 < 512,
    );
    holds &= say(
        &format!("an idle fleet takes less than {MOST_IDLE} % of a core"),
        own < MOST_IDLE,
    );
    controller.release().await?;
    Ok(holds)
}

/// Returns the median, the ninth decile and the greatest.
fn summary(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    format!(
        "p50 {:.0?}, p90 {:.0?}, at most {:.0?}",
        at(0.5),
        at(0.9),
        at(1.0)
    )
}
