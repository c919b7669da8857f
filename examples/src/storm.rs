//! The storm: a sustained load on the shop while its rules are toggled and replaced many times a
//! second. No request may be lost, and none answered wrongly.
//!
//! Two `wrk`s ask for `/products`, which no rule is about, and for `/products/1`, which some are. A
//! careful customer, one request at a time, asks for `/products/2`: what it saw and what the admin
//! port counted must be the same number.

mod changes;
mod wrk;

use std::{path::Path, time::Duration};

use chaos_core::Clock;
use tokio::sync::watch;

use crate::{Error, running::RunningShop};

/// What the storm left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One line, with all the numbers.
    pub summary: String,
    /// What should not have been; empty is good.
    pub violations: Vec<String>,
}

/// Runs the program `shop` and the storm over it: `rate` changes a second for `time`.
///
/// # Errors
/// If it could not be run: no `shop`, no `wrk`, or a change that was refused.
pub async fn run(shop: &Path, rate: u32, time: Duration) -> Result<Outcome, Error> {
    let shop = RunningShop::start(shop).await?;
    shop.admin.put_rule("exact", &changes::exact()).await?;
    shop.admin.put_rule("toggled", &changes::toggled()).await?;

    let (list, one) = (shop.url("/products"), shop.url("/products/1"));
    let over = watch::Sender::new(false);
    let clock = Clock::monotonic();
    let storm = async {
        let weather = async {
            let changes = changes::change(&shop, rate, time).await?;
            Ok::<_, Error>((changes, clock.now().as_secs_f64()))
        };
        let storm = tokio::try_join!(
            wrk::load(&list, "plain", time),
            wrk::load(&one, "broken", time),
            weather,
        );
        over.send_replace(true);
        storm
    };
    let ((list, one, (changes, took)), careful) =
        tokio::try_join!(storm, careful_customer(&shop, over.subscribe()))?;
    let counted = shop.admin.injections("exact").await?;
    let toggled = shop.admin.injections("toggled").await?;

    let mut violations = list.violations("/products");
    violations.extend(one.violations("/products/1"));
    if careful.injected != counted {
        let seen = careful.injected;
        violations.push(format!(
            "/products/2: saw {seen}, the port counted {counted}"
        ));
    }
    if let Some(wrong) = careful.wrong {
        violations.push(format!("/products/2: {wrong}"));
    }
    // When wrk stops, it hangs up on one request per connection without looking at the answer.
    if !(one.toggled..=one.toggled + wrk::CONNECTIONS).contains(&toggled) {
        let seen = one.toggled;
        violations.push(format!(
            "/products/1: saw {seen}, the port counted {toggled}"
        ));
    }
    let pace = changes as f64 / took;
    if pace < f64::from(rate) * 0.95 {
        violations.push(format!("only {pace:.0} changes a second of {rate}"));
    }
    let summary = format!(
        "{changes} changes in {took:.1} s ({pace:.0}/s); /products: {} right; /products/1: {} right, \
         {} + {} injected (the port counted {toggled} of the first); /products/2: {} right, {} injected (the port counted {counted}); \
         {} wrong, {} lost",
        list.right,
        one.right,
        one.toggled,
        one.replaced,
        careful.right,
        careful.injected,
        list.wrong + one.wrong,
        list.lost + one.lost,
    );
    Ok(Outcome {
        summary,
        violations,
    })
}

#[derive(Default)]
struct Careful {
    right: u64,
    injected: u64,
    wrong: Option<String>,
}

/// One request at a time, each answer awaited: what it counts is exact.
async fn careful_customer(
    shop: &RunningShop,
    over: watch::Receiver<bool>,
) -> Result<Careful, Error> {
    let mut careful = Careful::default();
    while !*over.borrow() {
        let answer = shop.get("/products/2").await?;
        if answer.is_plain_200() {
            careful.right += 1;
        } else if answer.is_503_by("exact") {
            careful.injected += 1;
        } else {
            careful.wrong = Some(format!("{answer:?}"));
        }
    }
    Ok(careful)
}
