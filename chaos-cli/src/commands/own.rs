//! The commands about chaosctl itself, which ask no endpoint.

pub(super) mod completion;
pub(super) mod context;
pub(super) mod help;
pub(super) mod pages;

/// The name of the program.
const NAME: &str = "chaosctl";
