//! The rule changes of the load test, in a cycle: toggling one rule, replacing another, replacing all
//! rules at once, deleting one, halting and resuming.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Error, running::RunningShop};

/// Returns the rule that is disabled and re-enabled. Its counters are kept, so they can be compared
/// at the end.
pub(super) fn toggled() -> Value {
    json!({
        "id": "toggled",
        "site": "http.server",
        "match": { "path": "/products/1" },
        "rate": 0.3,
        "faults": [ { "status": 503 } ],
    })
}

/// Returns the rule whose injections only the sequential client observes. It is disabled and
/// re-enabled, too.
pub(super) fn exact() -> Value {
    json!({
        "id": "exact",
        "site": "http.*",
        "match": { "path": "/products/2", "method": "GET" },
        "rate": 0.5,
        "seed": 7,
        "faults": [ { "status": 503 } ],
    })
}

/// Returns a different rule for each `n`. Every response that it injects is a 503.
fn replaced(n: u64) -> Value {
    let mut rule = match n % 5 {
        0 => json!({ "rate": 0.2, "faults": [ { "status": 503 } ] }),
        1 => {
            json!({ "seed": n, "rate": 0.5, "faults": [ { "latency": "2ms" }, { "status": 503 } ] })
        }
        2 => json!({ "limit": 7, "faults": [ { "status": 503 } ] }),
        3 => json!({ "max_active": 3, "faults": [ { "latency": "1ms..5ms" } ] }),
        _ => json!({ "mode": "shadow", "every": 3, "skip": 1, "faults": [ { "status": 503 } ] }),
    };
    rule["id"] = json!("replaced");
    let (even, third) = (n.is_multiple_of(2), n.is_multiple_of(3));
    let path = if third { "/products/1" } else { "/{list}/1" };
    rule["site"] = json!(if even { "http.server" } else { "http.*" });
    rule["match"] = json!({ "path": path });
    rule["reason"] = json!(format!("change {n}"));
    rule
}

/// Changes rules `rate` times per second for `time`, and returns the number of changes.
pub(super) async fn change(shop: &RunningShop, rate: u32, time: Duration) -> Result<u64, Error> {
    let mut clock = interval(Duration::from_secs(1) / rate);
    // Missed ticks are made up for, so that the rate is kept.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let changes = u64::from(rate) * time.as_secs();
    for n in 0..changes {
        clock.tick().await;
        change_once(shop, n).await?;
    }
    Ok(changes)
}

async fn change_once(shop: &RunningShop, n: u64) -> Result<(), Error> {
    // Each round reverses the toggles of the round before it.
    let (round, flip) = (n / 8, json!({ "enabled": (n / 8).is_multiple_of(2) }));
    match n % 8 {
        0 => shop.admin.patch_rule("toggled", &flip).await,
        1 | 5 => shop.admin.put_rule("replaced", &replaced(n)).await,
        2 => shop.admin.patch_rule("exact", &flip).await,
        3 => {
            let rules = [exact(), toggled(), replaced(round)];
            let rules = json!({ "rules": rules });
            shop.admin
                .ask(Method::PUT, "/v1/rules", Some(&rules))
                .await
                .map(drop)
        }
        4 => shop
            .admin
            .ask(Method::DELETE, "/v1/rules/replaced", None)
            .await
            .map(drop),
        6 => shop.admin.halt().await,
        _ => shop.admin.resume().await,
    }
}
