//! The time that a rule has been promised, which is extended while this process lives.

use std::time::Duration;

use chaos_core::Clock;
use serde_json::json;

use crate::{
    args::aim::TryArgs,
    client::{Client, request::Request},
    commands::trial::each::each,
    failure::Failure,
    output::Output,
};

/// The shortest lease: shorter ones end when a request takes its time.
const SHORTEST: Duration = Duration::from_secs(3);

/// The least by which a deadline is moved, in seconds.
const LEAST: f64 = 0.5;

/// How long the rules last.
pub(super) struct Lease {
    clock: Clock,
    began: Duration,
    /// The length of the lease, if there is one.
    lease: Option<Duration>,
    /// The end of the trial, since the beginning.
    length: Duration,
}

impl Lease {
    pub(super) fn of(args: &TryArgs, length: Duration) -> Result<Self, Failure> {
        let lease = args.lease.map(|lease| *lease);
        if lease.is_some_and(|lease| lease < SHORTEST) {
            return Err(Failure::usage("the lease is too short").at("--lease", "at least 3s"));
        }
        if length < Duration::from_secs(1) {
            return Err(Failure::usage("the time is too short").at("--for", "at least 1s"));
        }
        let clock = Clock::monotonic();
        Ok(Self {
            began: clock.now(),
            clock,
            lease,
            length,
        })
    }

    /// Returns the time for which the rules are armed at first.
    pub(super) fn ttl(&self) -> Duration {
        self.lease
            .map_or(self.length, |lease| lease.min(self.length))
    }

    /// Returns the seconds since the beginning.
    pub(super) fn age(&self) -> f64 {
        self.now().as_secs_f64()
    }

    /// Returns whether less than two seconds are left.
    pub(super) fn is_nearly_over(&self) -> bool {
        self.now() + Duration::from_secs(2) >= self.length
    }

    fn now(&self) -> Duration {
        self.clock.now().saturating_sub(self.began)
    }

    /// Returns the time until the end of the trial.
    pub(super) fn rest(&self) -> Duration {
        self.length.saturating_sub(self.now())
    }

    /// Moves the deadline at an endpoint where a third of the lease has passed. `left` are the seconds that it has
    /// promised so far: an extension that was lost is made up for.
    pub(super) async fn extend(&self, client: &Client, out: &Output, ids: &[String], left: f64) {
        let Some(lease) = self.lease else { return };
        let wanted = lease.min(self.rest()).as_secs_f64();
        // The end of the trial is a whole deadline, however near it is.
        let is_last = wanted < lease.as_secs_f64() && wanted - left > LEAST;
        if wanted - left < lease.as_secs_f64() / 3.0 && !is_last {
            return;
        }
        if let Err(failure) = extend(client, ids, wanted - left).await {
            out.failure(Some(&client.name()), &failure);
        }
    }
}

async fn extend(client: &Client, ids: &[String], seconds: f64) -> Result<(), Failure> {
    let by = Duration::from_millis((seconds * 1e3) as u64);
    let by = humantime::format_duration(by).to_string();
    each(ids, async |id| {
        let path = ["v1", "rules", id, "extend"];
        client.send(Request::post(&path, json!({ "by": by }))).await
    })
    .await
}
