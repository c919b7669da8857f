//! A guard rail on the shop under load: a real fault breaks its bound, and within 100 ms nobody is hit any
//! more. The report names the numbers, and nothing is armed again before someone has acknowledged it.

use std::time::Duration;

use chaos_core::Clock;
use chaos_examples::{Error, running::RunningShop};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

const CUSTOMERS: usize = 16;
const RUN: Duration = Duration::from_millis(1500);

/// What customers saw over time: when they asked, when they were answered, and whether they were hit.
async fn load(shop: &RunningShop, clock: &Clock) -> Result<Vec<(Duration, Duration, bool)>, Error> {
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let (client, url, clock) = (shop.client.clone(), shop.url("/products"), clock.clone());
        customers.spawn(async move {
            let mut seen = Vec::new();
            while clock.now() < RUN {
                let asked = clock.now();
                let answer = client.get(&url).send().await?;
                let hit = answer.status() == 503;
                answer.bytes().await?;
                seen.push((asked, clock.now(), hit));
            }
            Ok::<_, reqwest::Error>(seen)
        });
    }
    let mut all = Vec::new();
    for seen in customers.join_all().await {
        all.extend(seen?);
    }
    all.sort();
    Ok(all)
}

#[tokio::test]
async fn errors_beyond_the_bound_are_over_within_100_ms() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({
        "site": "http.server", "rate": 0.5, "faults": [{ "status": 503 }],
        "guards": [{ "error_ratio": 0.2, "window": "1s", "at_least": 50 }],
    });
    shop.admin.put_rule("half", &rule).await?;
    let clock = Clock::monotonic();
    let seen = load(&shop, &clock).await?;

    let report = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    assert_eq!(report["state"], "halted", "{report}");
    let breach = report["breaches"][0]["text"].as_str().unwrap_or_default();
    for part in [
        "error ratio at http.server is 0.",
        "allowed: 0.200",
        " calls in 1s, ",
    ] {
        assert!(breach.contains(part), "{breach:?} without {part:?}");
    }
    assert_eq!(report["halted"]["reason"], breach);

    // The bound was broken when fifty were answered at the earliest; more than a fifth of them failed.
    let mut answers: Vec<_> = seen
        .iter()
        .map(|(_, answered, hit)| (*answered, *hit))
        .collect();
    answers.sort();
    let mut failed = 0;
    let broken = answers
        .iter()
        .enumerate()
        .find_map(|(at, (answered, hit))| {
            failed += usize::from(*hit);
            (at + 1 >= 50 && failed * 5 > at + 1).then_some(*answered)
        });
    let broken = broken.expect("half of them failed");
    let last_hit = seen
        .iter()
        .filter(|(_, _, hit)| *hit)
        .map(|(asked, _, _)| *asked)
        .max();
    let over = last_hit.unwrap_or_default();
    println!("broken at {broken:?}, the last that was hit asked at {over:?}");
    assert!(
        over <= broken + Duration::from_millis(100),
        "{over:?} against {broken:?}"
    );
    assert!(
        seen.iter()
            .any(|(asked, _, _)| *asked > over + Duration::from_millis(500)),
        "no load left"
    );

    // Locked until acknowledged.
    let because = json!({ "reason": "seen" });
    assert!(shop.admin.resume().await.is_err());
    shop.admin
        .ask(Method::POST, "/v1/acknowledge", Some(&because))
        .await?;
    shop.admin.resume().await?;
    Ok(())
}

#[tokio::test]
async fn latency_beyond_the_bound_is_over_too() -> Result<(), Error> {
    let shop = RunningShop::start(env!("CARGO_BIN_EXE_shop")).await?;
    let rule = json!({
        "site": "db.read", "faults": [{ "hang": "30s" }],
        "guards": [{ "site": "http.server", "latency": { "p90": "500ms" }, "at_least": 5, "then": "disarm" }],
    });
    shop.admin.put_rule("hang", &rule).await?;
    let clock = Clock::monotonic();
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(shop.client.get(shop.url("/products")).send());
    }
    for answer in customers.join_all().await {
        assert_eq!(answer?.status(), 200, "let go");
    }
    // Half a second until they are late; the rest is room for a busy machine.
    assert!(clock.now() < Duration::from_secs(10), "{:?}", clock.now());
    let rule = shop.admin.rule("hang").await?;
    assert_eq!(rule["enabled"], false, "{rule}");
    let status = shop.admin.ask(Method::GET, "/v1/status", None).await?;
    assert!(
        status["breaches"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .starts_with("latency p90 at http.server is ")
    );
    Ok(())
}
