//! The time that a rule has been promised, which is extended while this process lives.

use std::time::Duration;

use chaos_core::Clock;
use serde_json::json;

use crate::{
    args::aim::TryArgs,
    client::{Client, request::Request},
    failure::Failure,
    fleet::Fleet,
    output::Output,
};

/// The shortest lease: shorter ones end when a request takes its time.
const SHORTEST: Duration = Duration::from_secs(3);

/// How long the rules last, and until when that is known.
pub(super) struct Lease {
    clock: Clock,
    began: Duration,
    /// The deadline at the service, since the beginning.
    until: Duration,
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
            until: lease.map_or(length, |lease| lease.min(length)),
            lease,
            length,
        })
    }

    /// Returns the time for which the rules are armed at first.
    pub(super) fn ttl(&self) -> Duration {
        self.until
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

    /// Moves the deadline, if a third of the lease has passed since it was moved.
    pub(super) async fn extend(&mut self, fleet: &Fleet, out: &Output, ids: &[String]) {
        let Some(lease) = self.lease else { return };
        let wanted = (self.now() + lease).min(self.length);
        let by = wanted.saturating_sub(self.until);
        let is_last = wanted == self.length && !by.is_zero();
        if by < lease / 3 && !is_last {
            return;
        }
        let by_text = humantime::format_duration(by).to_string();
        let moved = fleet
            .ask(async |client: &Client| {
                for id in ids {
                    let path = ["v1", "rules", id, "extend"];
                    let request = Request::post(&path, json!({ "by": by_text }));
                    client.send(request).await?;
                }
                Ok(())
            })
            .await;
        for (client, moved) in fleet.clients.iter().zip(&moved) {
            if let Err(failure) = moved {
                out.failure(Some(&client.name()), failure);
            }
        }
        // Where it failed, the rule ends at its deadline.
        self.until = wanted;
    }
}
