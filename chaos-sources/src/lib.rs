//! Arms rules of [`chaos_core`] from a file, which it follows while it changes, and from the
//! environment. A [`HaltFile`] keeps a halt over restarts.
//!
//! ```
//! use chaos_core::{Injector, inject};
//! use chaos_sources::{Environment, FileSource};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("rules.toml");
//! let injector = Injector::new();
//! let read = || inject!(injector: &injector, "db.read");
//! assert!(read().is_ok()); // off
//!
//! std::fs::write(&path, r#"
//!     [[rules]]
//!     id = "lost"
//!     site = "db.*"
//!     faults = [{ error = "connection lost" }]
//! "#)?;
//! let watching = FileSource::new(&path).watch(&injector)?;
//! assert!(read().is_err()); // on
//! assert_eq!(watching.status().rules, 1);
//!
//! injector.halt("that is enough");
//! assert!(read().is_ok()); // off
//!
//! // CHAOS_HALT_FILE=/var/lib/shop/halt, CHAOS_RULES='db.write=5%sleep(200)', CHAOS_FILE=/etc/chaos/rules.yaml
//! let _armed = Environment::read()?.arm(&injector)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Files
//!
#![doc = include_str!("../docs/files.md")]
//!
//! # Cost
//!
//! A watched file has one thread, which sleeps except for a read every five seconds, and the
//! system's notifications have another. The same holds for a halt file. Calls are not affected: a
//! site never reads files.
//!
//! # Guarantees
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # Limitations
//!
//! Files of rules are never written. Rules that are made by other means are not saved, and are lost
//! when the process ends.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-sources/latest) lists
//! the features, what each adds, and how many crates it depends on.
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Invalid input never panics; an internal invariant that does not hold panics with `expect`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod contents;
mod environment;
mod error;
mod file;
mod followed_path;
mod format;
mod halt_file;
mod installed;
mod merge;
mod status;
mod strict;
mod watching;

pub use crate::{
    environment::{ArmedEnvironment, Environment},
    error::SourceError,
    file::FileSource,
    halt_file::{FollowedHaltFile, HaltFile},
    status::{SourceHandle, SourceStatus},
    watching::Watching,
};
