//! The log of a program of this crate.

use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::Error;

/// Logs to the standard error output: as `RUST_LOG` says, and without it injections and problems.
///
/// # Errors
/// If `RUST_LOG` cannot be understood.
pub fn to_stderr() -> Result<(), Error> {
    let filter =
        std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,chaos=info,chaos_examples=info".into());
    let filter: Targets = filter.parse()?;
    let log = fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).with(filter).init();
    Ok(())
}
