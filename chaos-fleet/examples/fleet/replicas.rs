//! Many replicas in one process, each with an injector and a session of its own.

use std::time::Duration;

use chaos_core::{Clock, Injector, inject};
use chaos_fleet::{Etcd, Fleet, Member, Replica, Trust};
use tokio::time::sleep;

use crate::fleet;

pub(crate) struct Replicas(Vec<(Injector, Member)>);

impl Replicas {
    /// Joins so many replicas with a hold of five seconds, and waits until all follow the fleet.
    pub(crate) async fn join(endpoints: &[String], number: usize) -> Self {
        Self::with_hold(endpoints, number, crate::HOLD).await
    }

    pub(crate) async fn with_hold(endpoints: &[String], number: usize, hold: Duration) -> Self {
        Self::with_ids(endpoints, "shop", number, hold).await
    }

    /// Joins replicas whose ids begin with `prefix`.
    pub(crate) async fn with_ids(
        endpoints: &[String],
        prefix: &str,
        number: usize,
        hold: Duration,
    ) -> Self {
        let etcd = Etcd::new(endpoints.iter().map(String::as_str)).expect("these are endpoints");
        let one = |at: usize| {
            let injector = Injector::new();
            let replica = Replica::new(format!("{prefix}-{at}").parse().expect("it is a name"));
            let fleet = Fleet::etcd(etcd.clone(), fleet(), replica, Trust::Store);
            let member = fleet.hold(hold).join(&injector);
            (injector, member.expect("there is a runtime"))
        };
        let replicas = Self((0..number).map(one).collect());
        let clock = Clock::monotonic();
        let began = clock.now();
        while !replicas
            .0
            .iter()
            .all(|(_, member)| member.status().is_followed)
        {
            sleep(Duration::from_millis(50)).await;
        }
        println!(
            "{number} replicas have joined in {:.1?}",
            clock.now() - began
        );
        replicas
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Calls once at each replica, and returns how many of the calls were hit.
    pub(crate) fn hits(&self) -> usize {
        let hit =
            |(injector, _): &&(Injector, Member)| inject!(injector: injector, "db.read").is_err();
        self.0.iter().filter(hit).count()
    }

    /// Returns how many replicas have a rule.
    pub(crate) fn have(&self, rule: &str) -> usize {
        let has = |(injector, _): &&(Injector, Member)| injector.rules().find(rule).is_some();
        self.0.iter().filter(has).count()
    }

    /// Waits until so many calls are hit, one at each replica, and returns how long that took; `None` if it takes longer
    /// than `most`.
    pub(crate) async fn until_hits(&self, hits: usize, most: Duration) -> Option<Duration> {
        let clock = Clock::monotonic();
        let began = clock.now();
        while clock.now() - began < most {
            if self.hits() == hits {
                return Some(clock.now() - began);
            }
            sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Returns the greatest number of calls that are hit at a time, for so long.
    pub(crate) async fn most_hits(&self, time: Duration) -> usize {
        let clock = Clock::monotonic();
        let began = clock.now();
        let mut most = 0;
        while clock.now() - began < time {
            most = most.max(self.hits());
            sleep(Duration::from_millis(20)).await;
        }
        most
    }
}
