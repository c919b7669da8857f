//! The peers: what each fault looks like to clients that are not ours.
//!
//! One table says it, in two files: `http`, with curl as the client of the shop, and `grpc`, with
//! grpcio, gRPC's own implementation, as the client of the greeter. A row is a fault as JSON, the
//! words for the client, and what it must see.

mod client;
mod grpc;
mod http;
mod row;
mod sees;

use std::{path::PathBuf, time::Duration};

use chaos_core::Clock;
use tokio::time::{sleep, timeout};

use crate::{
    Error,
    admin_client::AdminClient,
    peers::row::{Operator, Who},
    running::{RunningGreeter, RunningShop},
};

/// The rule of each row, one after another.
const RULE: &str = "aimed";

/// Longer than any row: who takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The program `shop`.
    pub shop: PathBuf,
    /// The program `greeter`.
    pub greeter: PathBuf,
    /// A Python with grpcio.
    pub python: PathBuf,
}

/// Goes through the rows whose line has `only` in it, and tells of each its line and, if it is wrong,
/// what was seen.
///
/// # Errors
/// If it could not be run: a program is missing, or a rule was refused.
pub async fn run(
    programs: &Programs,
    only: &str,
    mut tell: impl FnMut(&str, Result<(), String>),
) -> Result<(), Error> {
    let shop = RunningShop::start(&programs.shop).await?;
    let greeter = RunningGreeter::start(&programs.greeter).await?;
    let picture = shop.client.get(shop.url(http::PICTURE)).send().await?;
    let picture = picture.bytes().await?;
    for row in http::rows().into_iter().chain(grpc::rows()) {
        let line = row.to_string();
        if !line.contains(only) {
            continue;
        }
        let (admin, site) = match row.who {
            Who::Grpcio => (&greeter.admin, "grpc.server"),
            Who::Http1 | Who::Http2 => (&shop.admin, "http.server"),
        };
        admin.put_rule(RULE, &row.rule(site)).await?;
        let look = async {
            match row.who {
                Who::Grpcio => {
                    client::grpcio(&programs.python, greeter.address(), &row.words).await
                }
                Who::Http1 => client::curl("--http1.1", &shop, &row.words, &picture).await,
                Who::Http2 => {
                    client::curl("--http2-prior-knowledge", &shop, &row.words, &picture).await
                }
            }
        };
        let look = timeout(PATIENCE, look);
        let (seen, ()) = tokio::join!(look, meanwhile(row.operator, admin));
        let mut seen = seen.map_err(|_| format!("{line}: no end in {PATIENCE:?}"))??;
        seen["injections"] = admin.injections(RULE).await?.into();
        admin.resume().await?;
        admin.delete_rule(RULE).await?;
        tell(&line, sees::check(&row.sees, &seen));
    }
    Ok(())
}

/// What the operator does when the call is under way. What comes of it is seen by the client.
async fn meanwhile(operator: Operator, admin: &AdminClient) {
    if operator == Operator::Watches {
        return;
    }
    let clock = Clock::monotonic();
    while clock.now() < PATIENCE {
        let rule = admin.rule(RULE).await.unwrap_or_default();
        if rule["stats"]["active"].as_u64() > Some(0) {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let _: Result<(), Error> = match operator {
        Operator::Releases => admin.release(RULE).await,
        Operator::Halts => admin.halt().await,
        Operator::Disables => {
            let off = serde_json::json!({ "enabled": false });
            admin.patch_rule(RULE, &off).await
        }
        Operator::Watches => Ok(()),
    };
}
