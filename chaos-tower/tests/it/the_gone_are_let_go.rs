//! A wait ends within a second of the other side's going, and nothing is lost to those who stay.

mod at_connections;
mod at_http;
mod at_the_end_of_a_rule;

use std::time::Duration;

use chaos_core::Injector;
use tokio::time::{sleep, timeout};

/// By when what nobody waits for any more is let go.
const WITHIN: Duration = Duration::from_secs(1);

/// Waits until no injection is under way.
async fn until_let_go(injector: &Injector) -> bool {
    until(WITHIN, || injector.status().active == 0).await
}

async fn until(within: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let reached = async {
        while !reached() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(within, reached).await.is_ok()
}
