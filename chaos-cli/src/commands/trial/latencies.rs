//! How long calls take during a trial, where somebody looks.

use std::{
    cell::RefCell, collections::BTreeMap, convert::Infallible, future::pending, time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    client::{
        Client,
        live::{self, Live},
    },
    failure::Failure,
    fleet::Fleet,
    output::{Output, latency::quantiles},
};

/// The time after which a stream that has ended is opened again.
const AGAIN: Duration = Duration::from_secs(2);

/// What the watched sites of each endpoint have shown last.
#[derive(Default)]
pub(super) struct Latencies(RefCell<BTreeMap<String, Value>>);

impl Latencies {
    /// Watches the sites of the rules at all endpoints, if somebody may look: watched calls cost more.
    pub(super) async fn follow(&self, fleet: &Fleet, out: &Output, rules: &[Value]) -> Infallible {
        if !out.is_terminal() {
            return pending().await;
        }
        let sites = live::sites_of(rules);
        let followed = fleet.clients.iter();
        join_all(followed.map(|client| self.follow_one(client, &sites))).await;
        pending().await
    }

    async fn follow_one(&self, client: &Client, sites: &[String]) {
        loop {
            // The trial goes on without: a port may be older, or have no place for a further stream.
            let _ = self.read(client, sites).await;
            self.0.borrow_mut().remove(&client.name());
            sleep(AGAIN).await;
        }
    }

    async fn read(&self, client: &Client, sites: &[String]) -> Result<(), Failure> {
        let mut live = Live::watch(client, sites).await?;
        while let Some(mut frame) = live.next().await? {
            let sites = frame.get_mut("sites").map(Value::take);
            self.0
                .borrow_mut()
                .insert(client.name(), sites.unwrap_or_default());
        }
        Ok(())
    }

    /// Returns how long the calls take of the site that has most of them: `http.server p50 12 ms, p99 38 ms left alone`.
    /// Sites in code measure no calls.
    pub(super) fn line(&self) -> Option<String> {
        let shown = self.0.borrow();
        let sites = shown.values().filter_map(Value::as_object).flatten();
        let measured = sites.filter_map(|(name, site)| {
            let line = format!("{name} {}", quantiles(site)?);
            Some((live::number(site, "calls"), line))
        });
        let most = measured.max_by(|(a, _), (b, _)| a.total_cmp(b));
        most.map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_site_with_most_calls_is_shown() {
        let latencies = Latencies::default();
        assert_eq!(latencies.line(), None);
        let site = |calls: f64, p50: Value| {
            let alone = json!({ "p50": p50, "p99": p50 });
            json!({ "calls": calls, "alone": alone, "injected": { "p50": null, "p99": null } })
        };
        for (endpoint, sites) in [
            (
                "a",
                json!({ "db.read": site(90.0, Value::Null), "http.server": site(2.0, json!(0.01)) }),
            ),
            ("b", json!({ "http.client": site(3.0, json!(0.02)) })),
        ] {
            latencies.0.borrow_mut().insert(endpoint.to_owned(), sites);
        }
        let expected = "http.client p50 20 ms, p99 20 ms left alone";
        assert_eq!(latencies.line().as_deref(), Some(expected));
    }
}
