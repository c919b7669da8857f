//! The latency of the service, for visitors who come at a steady rate, however long others wait.

use std::time::Duration;

use chaos_core::Clock;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Error,
    checks::attacks::{measured::Latencies, victim::Victim},
};

/// The time between two requests.
const PERIOD: Duration = Duration::from_millis(5);

/// Requests `/` two hundred times a second, and measures from when each request was due.
pub(super) async fn measure(victim: &Victim, time: Duration) -> Result<Latencies, Error> {
    let url = format!("{}/", victim.service);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let clock = Clock::monotonic();
    let mut visits = JoinSet::new();
    let mut due = Duration::ZERO;
    while due < time {
        ticks.tick().await;
        let (request, clock) = (victim.client.get(&url), clock.clone());
        visits.spawn(async move {
            let response = request.timeout(Duration::from_secs(20)).send().await;
            let response = response.map_err(|error| format!("{error:?}"))?;
            let (status, version) = (response.status(), response.headers().clone());
            let body = response.text().await.map_err(|error| error.to_string())?;
            if status != 200 || version.contains_key("x-chaos-fault") || body != "served\n" {
                return Err(format!("{status}, {body:?}"));
            }
            Ok(clock.now().saturating_sub(due))
        });
        due += PERIOD;
    }
    Ok(Latencies::of(visits.join_all().await))
}
