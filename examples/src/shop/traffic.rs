//! A few visitors a second, so that there is something to see on the admin page.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::Error;

const PAUSE: Duration = Duration::from_millis(250);

/// What they do, over and over. One asks for a product that there is not.
const VISITS: [(Method, &str); 8] = [
    (Method::GET, "/products"),
    (Method::GET, "/products/1"),
    (Method::GET, "/products/2"),
    (Method::POST, "/checkout/2"),
    (Method::GET, "/products"),
    (Method::GET, "/products/3"),
    (Method::GET, "/products/99"),
    (Method::GET, "/healthz"),
];

/// Visits the shop, through its own door, for as long as the future is polled.
pub(super) fn visit(shop: SocketAddr) -> Result<impl Future<Output = ()> + Send, Error> {
    // The timeout bounds how many visits a slow shop has at a time.
    let timeout = Duration::from_secs(5);
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(timeout)
        .build()?;
    Ok(async move {
        let mut clock = tokio::time::interval(PAUSE);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut visits = JoinSet::new();
        for (method, path) in VISITS.into_iter().cycle() {
            clock.tick().await;
            let request = client.request(method, format!("http://{shop}{path}"));
            visits.spawn(async move {
                // Whatever comes back is fine: that it may fail is what this program is about.
                if let Ok(answer) = request.send().await {
                    let _ = answer.bytes().await;
                }
            });
            while visits.try_join_next().is_some() {}
        }
    })
}
