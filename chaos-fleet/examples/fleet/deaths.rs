//! The controller or etcd dies: the faults end in time, and no replica is armed again.

use std::{
    error::Error,
    process::{Child, Command},
    time::Duration,
};

use chaos_core::Clock;
use etcd_cluster::Cluster;
use tokio::time::sleep;

use crate::{HOLD, replicas::Replicas, say};

/// A controller in a process of its own, which is killed as `kill -9` does.
struct Controller(Child);

impl Controller {
    fn start(cluster: &Cluster) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command
            .arg("--controller")
            .arg(cluster.endpoints().join(","));
        Ok(Self(command.spawn()?))
    }

    fn kill(&mut self) -> Result<(), Box<dyn Error>> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It is dead already where everything holds.
        let _ = self.kill();
    }
}

/// How long a change may take in a fleet that is busy with itself.
const SOON: Duration = Duration::from_secs(30);

/// A fleet whose calls are all hit.
async fn hit(cluster: &Cluster, number: usize) -> Result<(Replicas, Controller), Box<dyn Error>> {
    let replicas = Replicas::join(&cluster.endpoints(), number).await;
    let controller = Controller::start(cluster)?;
    let armed = replicas.until_hits(number, SOON).await;
    armed.ok_or("the replicas are not armed")?;
    Ok((replicas, controller))
}

/// Says whether all calls end in time after a death.
async fn ends(what: &str, replicas: &Replicas, most: Duration) -> bool {
    let ended = replicas.until_hits(0, SOON).await;
    let time = ended.map_or("never".to_owned(), |time| format!("after {time:.1?}"));
    say(
        &format!("{what}: no call is hit {time}"),
        ended.is_some_and(|time| time <= most),
    )
}

/// Says whether no call is hit for a while.
async fn stays(what: &str, replicas: &Replicas, time: Duration) -> bool {
    let most = replicas.most_hits(time).await;
    say(
        &format!("{what}: at most {most} are hit in {time:?}"),
        most == 0,
    )
}

pub(crate) async fn of_the_controller(number: usize) -> Result<bool, Box<dyn Error>> {
    let cluster = Cluster::start();
    let (replicas, mut controller) = hit(&cluster, number).await?;
    controller.kill()?;
    Ok(ends(
        "the controller is killed",
        &replicas,
        Duration::from_millis(6500),
    )
    .await)
}

/// etcd hangs for ten seconds; the controller dies meanwhile.
pub(crate) async fn of_etcd_for_a_while(number: usize) -> Result<bool, Box<dyn Error>> {
    let cluster = Cluster::start();
    let (replicas, mut controller) = hit(&cluster, number).await?;
    cluster.pause();
    let mut holds = ends("etcd hangs", &replicas, HOLD + Duration::from_millis(100)).await;
    controller.kill()?;
    sleep(HOLD).await;
    cluster.go_on();
    holds &= stays("it goes on", &replicas, Duration::from_secs(60)).await;
    Ok(holds)
}

/// etcd and the controller are killed; etcd comes back, and ten replicas with it.
pub(crate) async fn of_both(number: usize) -> Result<bool, Box<dyn Error>> {
    let mut cluster = Cluster::start();
    let (replicas, mut controller) = hit(&cluster, number).await?;
    cluster.kill(0);
    controller.kill()?;
    let mut holds = ends(
        "both are killed",
        &replicas,
        HOLD + Duration::from_millis(100),
    )
    .await;
    cluster.restart(0);
    let late = Replicas::with_ids(&cluster.endpoints(), "late", 10, HOLD).await;
    let (old, new) = tokio::join!(
        stays("etcd is back", &replicas, Duration::from_secs(60)),
        stays("ten that join now", &late, Duration::from_secs(60)),
    );
    holds &= old && new;
    Ok(holds)
}

/// The leader of three is killed: with a hold of 30 seconds, nobody falls idle.
pub(crate) async fn of_a_leader(number: usize) -> Result<bool, Box<dyn Error>> {
    let mut cluster = Cluster::of(3, &[]);
    let hold = Duration::from_secs(30);
    let replicas = Replicas::with_hold(&cluster.endpoints(), number, hold).await;
    let endpoints = cluster.endpoints();
    let etcd = chaos_fleet::Etcd::new(endpoints.iter().map(String::as_str))?;
    let trust = chaos_fleet::Trust::Store;
    let by = "measure";
    let controller = chaos_fleet::Controller::take(etcd, crate::fleet(), trust, by, hold).await?;
    controller.put(&crate::document("lost")?, None).await?;
    replicas
        .until_hits(number, SOON)
        .await
        .ok_or("the replicas are not armed")?;
    kill_leader(&mut cluster).await?;
    let clock = Clock::monotonic();
    let began = clock.now();
    let mut least = number;
    while clock.now() - began < Duration::from_secs(8) {
        least = least.min(replicas.hits());
        sleep(Duration::from_millis(20)).await;
    }
    let mut holds = say(
        &format!("the leader is killed: {} fall idle", number - least),
        least == number,
    );
    let began = clock.now();
    controller.put(&crate::document("next")?, None).await?;
    while replicas.have("next") < number && clock.now() - began < SOON {
        sleep(Duration::from_millis(20)).await;
    }
    let took = clock.now() - began;
    holds &= say(
        &format!("the next change is at all after {took:.1?}"),
        took <= Duration::from_secs(10),
    );
    Ok(holds)
}

async fn kill_leader(cluster: &mut Cluster) -> Result<(), Box<dyn Error>> {
    for (at, endpoint) in cluster.endpoints().into_iter().enumerate() {
        let mut client = etcd_client::Client::connect([endpoint], None).await?;
        let status = client.status().await?;
        let own = status.header().map(etcd_client::ResponseHeader::member_id);
        if own == Some(status.leader()) {
            cluster.kill(at);
            return Ok(());
        }
    }
    Err("the cluster has no leader".into())
}
