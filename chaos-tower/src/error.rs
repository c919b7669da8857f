//! The type that stacks hand errors around in.

use std::error::Error;

/// Any error, as HTTP stacks hand it around.
pub type BoxError = Box<dyn Error + Send + Sync>;
