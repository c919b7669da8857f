//! The kill switch, for an operator who uses it again and again.

use std::time::Duration;

use chaos_core::Clock;
use tokio::time::sleep;

use crate::{
    Error,
    checks::attacks::{measured::Latencies, victim::Victim},
};

/// The least time from one halt to the next.
const PERIOD: Duration = Duration::from_millis(50);
/// How long a request is tried again.
const LONGEST: Duration = Duration::from_secs(10);

/// Halts, looks whether the halt is effective, and resumes, until `time` has passed. Each request to the port
/// comes on a new connection. The latencies are those of the halts, with all attempts.
pub(super) async fn measure(victim: &Victim, time: Duration) -> Result<Latencies, Error> {
    let clock = Clock::monotonic();
    let mut halts = Vec::new();
    while clock.now() < time || halts.is_empty() {
        let began = clock.now();
        let halted = again(async || victim.halt().await).await;
        let took = clock.now() - began;
        halts.push(match halted {
            Ok((200, _)) => check(victim).await?.map_or(Ok(took), Err),
            Ok((status, body)) => Err(format!("a halt: {status}: {body}")),
            Err(error) => Err(format!("a halt: {error:?}")),
        });
        sleep((began + PERIOD).saturating_sub(clock.now())).await;
    }
    Ok(Latencies::of(halts))
}

/// Asks again if the connection was closed before the response: so many connections may come that the port
/// closes one whose token it has not seen yet.
async fn again<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let clock = Clock::monotonic();
    loop {
        match ask().await {
            Err(_) if clock.now() < LONGEST => {}
            other => return other,
        }
    }
}

/// Looks whether the halt is effective, then resumes, and looks whether that is. Returns what is wrong.
async fn check(victim: &Victim) -> Result<Option<String>, Error> {
    if victim.is_hit().await? {
        return Ok(Some("a call was hit after a halt".to_owned()));
    }
    let clock = Clock::monotonic();
    loop {
        let (status, body) = again(async || victim.resume().await).await?;
        match status {
            200 => break,
            429 | 503 if clock.now() < LONGEST => sleep(PERIOD).await,
            _ => return Ok(Some(format!("a resume: {status}: {body}"))),
        }
    }
    let is_hit = victim.is_hit().await?;
    Ok((!is_hit).then(|| "a call was not hit after a resume".to_owned()))
}
