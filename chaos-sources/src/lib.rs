//! Rules for [`chaos_core`] from a file, which is followed while it changes, and from the
//! environment, and a [file that keeps a halt](HaltFile).
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
//! The extension determines the format: `.json`, `.toml` (feature `toml`), `.yaml` or `.yml`
//! (feature `yaml`). All formats share one schema, that of the admin API: a field `rules` with a
//! list of rules as [`chaos_core::wire`] reads them. A file may have at most 4 MiB, and in YAML at
//! most 250,000 values, including those that aliases repeat.
//!
//! - **An invalid file is refused as a whole**, and the rules of its last valid version stay in
//!   force. A file is invalid if it cannot be read or parsed, if the wire format or the injector's
//!   policy refuses a rule, or if a rule has an id that a rule from elsewhere has. A missing file,
//!   a directory, and an empty file, which a writer may be about to fill, are invalid as well; a
//!   file without rules contains an empty list.
//! - **A refusal is reported** once for each reason: as a `tracing` warning with the target
//!   `chaos`, as an entry in the [audit](chaos_core::Injector::audit), and in the
//!   [status](Watching::status) until the file is valid again. `Admin::source` of
//!   `chaos-http-admin` shows the status in the admin API and the metrics.
//! - **The generation changes** only if a valid file contains other rules than its last valid
//!   version. A new time stamp or comment changes nothing, and keeps changes that were made to the
//!   rules by other means.
//! - **Rules from elsewhere** stay unchanged, in their positions. The rules of the file are
//!   replaced in one edit. A rule that is unchanged keeps its counts and its deadline, and stays
//!   expired if it has expired.
//! - **The default `ttl`** of a rule is ten minutes from when it is armed, unless the policy sets
//!   another. Reading an unchanged file again arms no rule.
//!
//! # How changes are detected
//!
//! The system's notifications are watched for the directory of the file and for those of the
//! symbolic links on the way, so the update of a mounted Kubernetes ConfigMap is detected like an
//! edit. Changes of other files in these directories cause no reads. The file is also read every
//! [five seconds](FileSource::look_every), because some file systems send no notifications; a
//! system that had no notifications to give is asked again then, and a directory that was replaced
//! is watched anew.
//!
//! A changed file is read again 100 ms later, and used once two reads agree, so a file is rarely
//! read while it is being written. If the file keeps changing for half a second, the newest version
//! that can be parsed is used; if there is none, the file is invalid. Part of a file can be valid,
//! too: to exclude this, write another file and rename it.
//!
//! # Cost
//!
//! A watched file has one thread, which sleeps except for a read every five seconds, and the
//! system's notifications have another. The same holds for a halt file. Calls are not affected: a
//! site never reads files.
//!
//! # Guarantees
//!
//! A test covers each of these:
//!
//! - A file changes only its own rules, and all of them in one edit.
//! - No rule is installed after its [`Watching`] was dropped.
//! - A file neither causes a panic nor an error in the service; what is wrong with it is in the
//!   status.
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
