//! Requests for each rule of a trial.

use std::{cell::Cell, time::Duration};

use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;

use crate::{
    client::{answer::Answer, no_answer},
    failure::{Exit, Failure},
};

/// How long each request may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of requests to a service that are under way at a time.
const AT_ONCE: usize = 8;

/// Asks for each rule, several at a time, and returns the first failure. One refusal keeps no other rule from being
/// asked for; once there is no answer, no further request is sent.
pub(super) async fn each(
    ids: &[String],
    ask: impl AsyncFn(&str) -> Result<Answer, Failure>,
) -> Result<(), Failure> {
    let is_lost = Cell::new(false);
    let asked = stream::iter(ids).map(async |id| {
        if is_lost.get() {
            return Ok(());
        }
        let answer = timeout(PATIENCE, ask(id)).await;
        let answer = answer.unwrap_or_else(|_| Err(no_answer("it took too long")));
        if let Err(failure) = &answer
            && failure.exit == Exit::NoAnswer
        {
            is_lost.set(true);
        }
        answer.map(drop)
    });
    let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}
