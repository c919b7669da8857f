//! A load test: sustained load on the shop while its rules are toggled and replaced many times per
//! second. No request may be lost or answered wrongly.
//!
//! One `wrk` process requests `/products`, which no rule matches, and another `/products/1`, which some
//! rules match. A sequential client requests `/products/2`, one request at a time: the number of
//! injections that it observes must equal the number that the admin port counts.

mod changes;
mod wrk;

use std::{path::Path, time::Duration};

use chaos_core::Clock;
use tokio::sync::watch;

use crate::{Error, running::RunningShop};

/// The result of the load test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All numbers in one line.
    pub summary: String,
    /// A description of each violation; empty if the test passed.
    pub violations: Vec<String>,
}

/// Starts the program `shop` and runs the load test with `rate` rule changes per second for `time`.
///
/// # Errors
/// Returns an error if the test cannot be run: `shop` or `wrk` is missing, or a change is rejected.
pub async fn run(shop: &Path, rate: u32, time: Duration) -> Result<Outcome, Error> {
    let shop = RunningShop::start(shop).await?;
    shop.admin.put_rule("exact", &changes::exact()).await?;
    shop.admin.put_rule("toggled", &changes::toggled()).await?;

    let (list, one) = (shop.url("/products"), shop.url("/products/1"));
    let over = watch::Sender::new(false);
    let clock = Clock::monotonic();
    let storm = async {
        let changing = async {
            let changes = changes::change(&shop, rate, time).await?;
            Ok::<_, Error>((changes, clock.now().as_secs_f64()))
        };
        let storm = tokio::try_join!(
            wrk::load(&list, "plain", time),
            wrk::load(&one, "broken", time),
            changing,
        );
        over.send_replace(true);
        storm
    };
    let ((list, one, (changes, took)), sequential) =
        tokio::try_join!(storm, sequential_client(&shop, over.subscribe()))?;
    let counted = shop.admin.injections("exact").await?;
    let toggled = shop.admin.injections("toggled").await?;

    let mut violations = list.violations("/products");
    violations.extend(one.violations("/products/1"));
    if sequential.injected != counted {
        let seen = sequential.injected;
        violations.push(format!(
            "/products/2: observed {seen}, the port counted {counted}"
        ));
    }
    if let Some(wrong) = sequential.wrong {
        violations.push(format!("/products/2: {wrong}"));
    }
    // When wrk stops, it closes each connection without reading the response in progress.
    if !(one.toggled..=one.toggled + wrk::CONNECTIONS).contains(&toggled) {
        let seen = one.toggled;
        violations.push(format!(
            "/products/1: observed {seen}, the port counted {toggled}"
        ));
    }
    let pace = changes as f64 / took;
    if pace < f64::from(rate) * 0.95 {
        violations.push(format!("only {pace:.0} of {rate} changes per second"));
    }
    let summary = format!(
        "{changes} changes in {took:.1} s ({pace:.0}/s); /products: {} right; /products/1: {} right, \
         {} + {} injected (the port counted {toggled} of the first); /products/2: {} right, {} injected (the port counted {counted}); \
         {} wrong, {} lost",
        list.right,
        one.right,
        one.toggled,
        one.replaced,
        sequential.right,
        sequential.injected,
        list.wrong + one.wrong,
        list.lost + one.lost,
    );
    Ok(Outcome {
        summary,
        violations,
    })
}

#[derive(Default)]
struct Sequential {
    right: u64,
    injected: u64,
    wrong: Option<String>,
}

/// Sends one request at a time and awaits each response, so its counts are exact. Stops when `over`
/// becomes true.
async fn sequential_client(
    shop: &RunningShop,
    over: watch::Receiver<bool>,
) -> Result<Sequential, Error> {
    let mut sequential = Sequential::default();
    while !*over.borrow() {
        let answer = shop.get("/products/2").await?;
        if answer.is_plain_200() {
            sequential.right += 1;
        } else if answer.is_503_by("exact") {
            sequential.injected += 1;
        } else {
            sequential.wrong = Some(format!("{answer:?}"));
        }
    }
    Ok(sequential)
}
