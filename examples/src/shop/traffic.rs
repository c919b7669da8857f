//! The shop's own traffic: a few requests per second, so that the admin console shows activity.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::Error;

const PAUSE: Duration = Duration::from_millis(250);

/// The requests that are sent in turn. One is for a product that doesn't exist.
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

/// Sends requests to the shop's public address for as long as the returned future is polled.
pub(super) fn visit(shop: SocketAddr) -> Result<impl Future<Output = ()> + Send, Error> {
    // The timeout bounds the number of concurrent requests while the shop is slow.
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
                // Any response will do, and so will an error: faults are expected here.
                if let Ok(answer) = request.send().await {
                    let _ = answer.bytes().await;
                }
            });
            while visits.try_join_next().is_some() {}
        }
    })
}
