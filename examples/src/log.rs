//! Logging for the programs of this crate.

use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::Error;

/// Installs a global `tracing` subscriber that writes to standard error. `RUST_LOG` sets the filter;
/// by default, warnings and errors of all crates are shown, and informational events of the target
/// `chaos` (such as injections) and of this crate.
///
/// # Errors
/// Returns an error if `RUST_LOG` is not a valid list of targets and levels.
///
/// # Panics
/// Panics if a global subscriber is already set.
pub fn to_stderr() -> Result<(), Error> {
    let filter =
        std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,chaos=info,chaos_examples=info".into());
    let filter: Targets = filter.parse()?;
    let log = fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).with(filter).init();
    Ok(())
}
