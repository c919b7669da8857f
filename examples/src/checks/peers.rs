//! Compatibility with independent clients: checks what each fault looks like to curl and to grpcio.
//!
//! The expectations are one table in two files: `http`, with curl as the client of the shop, and
//! `grpc`, with grpcio, the reference implementation of gRPC, as the client of the greeter. A row has
//! a fault as JSON, the client's arguments, and what the client must observe.

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
    checks::peers::row::{Operator, Peer},
    running::{RunningGreeter, RunningShop},
};

/// The id of the rule that is armed for each row in turn.
const RULE: &str = "aimed";

/// The time limit of one row; no row takes as long unless a program hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The programs that the checks run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The program `shop`.
    pub shop: PathBuf,
    /// The program `greeter`.
    pub greeter: PathBuf,
    /// A Python interpreter with grpcio installed.
    pub python: PathBuf,
}

/// Checks the rows whose description contains `only`. Calls `report` with the description of each
/// row and its result; the error of a failed row says what was observed.
///
/// # Errors
/// Returns an error if a row cannot be run: a program is missing, a rule is rejected, or a client
/// doesn't finish within a minute.
pub async fn run(
    programs: &Programs,
    only: &str,
    mut report: impl FnMut(&str, Result<(), String>),
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
        let (admin, site) = match row.peer {
            Peer::Grpcio => (&greeter.admin, "grpc.server"),
            Peer::Http1 | Peer::Http2 => (&shop.admin, "http.server"),
        };
        admin.put_rule(RULE, &row.rule(site)).await?;
        let look = async {
            match row.peer {
                Peer::Grpcio => {
                    client::grpcio(&programs.python, greeter.address(), &row.words).await
                }
                Peer::Http1 => client::curl("--http1.1", &shop, &row.words, &picture).await,
                Peer::Http2 => {
                    client::curl("--http2-prior-knowledge", &shop, &row.words, &picture).await
                }
            }
        };
        let look = timeout(TIMEOUT, look);
        let (seen, ()) = tokio::join!(look, meanwhile(row.operator, admin));
        let mut seen = seen.map_err(|_| format!("{line}: not finished within {TIMEOUT:?}"))??;
        seen["injections"] = admin.injections(RULE).await?.into();
        admin.resume().await?;
        admin.delete_rule(RULE).await?;
        report(&line, sees::check(&row.sees, &seen));
    }
    Ok(())
}

/// Performs the operator's action once the call is in progress. Its errors are ignored, because the
/// client observes whether it had an effect.
async fn meanwhile(operator: Operator, admin: &AdminClient) {
    if operator == Operator::Watches {
        return;
    }
    let clock = Clock::monotonic();
    while clock.now() < TIMEOUT {
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
