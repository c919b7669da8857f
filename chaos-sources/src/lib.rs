//! Rules for [`chaos_core`] from a file, followed while it changes, and from the environment.
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
//! // CHAOS_RULES='db.write=5%sleep(200)' and CHAOS_FILE=/etc/chaos/rules.yaml
//! let _watching = Environment::read()?.arm(&injector)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Files
//!
//! The name says the format: `.json`, `.toml` (feature `toml`), `.yaml` or `.yml` (feature `yaml`). All
//! hold what the admin port takes and shows, `rules` with a list of rules as [`chaos_core::wire`] reads
//! them. A file of at most 4 MiB is read; in YAML, of at most 250,000 values with what aliases repeat.
//!
//! - **A bad file is refused whole**, and the last good rules of the file stay: it cannot be read or
//!   parsed, a rule is not allowed by the wire format or the injector's policy, or an id is taken by
//!   a rule that did not come from the file. So are a file that is deleted, a directory in its place,
//!   and an empty one, which a writer may be about to fill: no rules are an empty list.
//! - **Told everywhere**, once for each reason: a warning of `tracing` with the target `chaos`, an entry
//!   in the [audit](chaos_core::Injector::audit), and the [status](Watching::status) until it is good
//!   again; `Admin::source` of `chaos-http-admin` shows that on the port and among the metrics.
//! - **The generation moves only** for a good set of rules that differs from the last good one. A new
//!   time stamp or another comment moves nothing, and leaves what was done to the rules by other ways.
//! - **Rules that came another way stay**, in their places. Those of the file are replaced in one edit:
//!   unchanged ones go on with their counts and deadlines, and stay expired if they are.
//! - **Ten minutes** is how long a rule lives that does not say its `ttl`, from the moment it is armed,
//!   or what the policy says. A file that is read again unchanged arms nothing anew.
//!
//! # How a change is found
//!
//! The system tells of changes in the file's directory, and in the one that a link leads to, so the swap
//! of a mounted Kubernetes ConfigMap is seen like an edit. Besides, the file is looked at every
//! [five seconds](FileSource::look_every), since some mounts tell nothing. What is found is read again
//! 100 ms later, and taken when it is the same, so that a file is seldom read half written. Half a file
//! may be a good one all the same: whoever must be sure writes another file and renames it.
//!
//! # What it costs
//!
//! A file that is watched has one thread of its own (the system's notifications another), asleep but
//! for a look every five seconds. Calls are as they are: sites never look at files.
//!
//! # What cannot happen
//!
//! - A file changes a rule that came another way, or half of its own.
//! - A rule is put in force after its [`Watching`] has been dropped.
//! - A file takes a service down: what is wrong with it is in the status, and nowhere an error or a
//!   panic.
//!
//! # What it does not do
//!
//! It writes no file. Rules made another way are not in it, and are gone with the process.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-sources/latest) lists the features, what each adds, and how many
//! crates it costs.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod contents;
mod environment;
mod error;
mod file;
mod follower;
mod format;
mod holder;
mod merge;
mod status;
mod strict;
mod watching;

pub use crate::{
    environment::Environment,
    error::SourceError,
    file::FileSource,
    status::{SourceHandle, SourceStatus},
    watching::Watching,
};
