//! The program `chaosctl`: sees, arms and halts the fault injection of running services, through the admin
//! ports of chaos-http-admin.
//!
//! ```no_run
//! // `chaosctl status`, as the binary runs it.
//! std::process::exit(i32::from(chaos_cli::run(["chaosctl", "status"])));
//! ```
//!
//! The [README](https://docs.rs/crate/chaos-cli/latest) has the commands.
//!
//! # Exit codes
//!
#![doc = include_str!("../docs/exit-codes.md")]
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Invalid input never panics; an internal invariant that does not hold panics with `expect`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod args;
mod client;
mod commands;
mod config;
mod edit;
mod failure;
mod fleet;
mod output;
mod program;
mod rule;

pub use crate::program::{main, run};
